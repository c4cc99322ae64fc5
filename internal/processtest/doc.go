// Package processtest holds no code but tests: the program as operators run it, judged from outside.
//
// The binary is built, and runs as processes of the system: `booksync simulator`, `booksync setup --apply`, and `booksync run`
// alone or three times, on a real Apache Kafka and a Redis of the test's own. What goes in and what is looked at come from tools
// that were not written here: a Python script makes up the events and encodes them with fastavro, kcat produces the bytes,
// librdkafka's Python client reads outcomes, dead letters and committed positions. The books are read from the simulator's own
// HTTP endpoints and compared with sums that the script made.
//
// In the runs with kills, a `run` is killed (SIGKILL) again and again at moments that a seed decides, while work is in flight,
// and started anew with the same transactional id. In the end there must be one document per key, one refund entry per refund,
// one visible outcome per record, books that equal the events, no call above the limits; and each time another process, or the
// next life of the same one, must have taken up the killed one's partitions within the session timeout and the lease, or, where
// the killed one left a transaction open, once the broker has aborted it.
//
// In the chaos everything else breaks, too: Kafka is killed and started again, Redis comes back empty, the simulator stands
// still, and the network between all of them is toxic. There the events are the tale of the simulation (internal/torture/tale)
// and its checker judges; what of the judge from outside does not depend on the events holds there as well.
//
// The soak runs for a time under a steady load: memory, goroutines and the budget's count must stay level.
//
//	process_test.go     the runs with kills; kill_test.go when to kill, and when work went on
//	chaos_test.go       the chaos; incident_test.go its schedule; detour_test.go networks made toxic
//	compared_test.go    the cases in which other products were measured
//	soak_test.go        the soak; soak_probe_test.go what is looked at; soak_growth_test.go a test of its judge
//	world_test.go       processes: building, starting, killing; state_test.go what they say of themselves
//	foreign_test.go     the tools of other people: kcat and the scripts in testdata
//	judge_test.go       topics and books against the events
//
// All are skipped unless BOOKSYNC_TEST_KAFKA and BOOKSYNC_TEST_REDIS are set (see .ci/services, which also brings the tools;
// where CI is set and they are missing they fail). BOOKSYNC_TEST_LONG=1 asks for the long forms: fifty kills, with faults of Zoho;
// the whole of the chaos; 3,000 records in each compared case. BOOKSYNC_TEST_SOAK=1h lets the soak last an hour.
// BOOKSYNC_TEST_SEED sets another seed.
package processtest
