// Package processtest holds no code but a test: the program as operators run it, judged from outside.
//
// The binary is built, and runs as processes of the system: `booksync simulator`, `booksync setup --apply`, and `booksync run`
// alone or three times, on a real Apache Kafka and a Redis of the test's own. What goes in and what is looked at come from tools
// that were not written here: a Python script makes up the events and encodes them with fastavro, kcat produces the bytes,
// librdkafka's Python client reads outcomes, dead letters and committed positions. The books are read from the simulator's own
// HTTP endpoints and compared with sums that the script made.
//
// While work is in flight a `run` is killed (SIGKILL) again and again at moments that a seed decides, and started anew with
// the same transactional id. In the end there must be one document per key, one refund entry per refund, one visible outcome
// per record, books that equal the events, no call above the limits; and each time another process, or the next life of the
// same one, must have taken up the killed one's partitions within the session timeout and the lease.
//
//	process_test.go   the test and its variants
//	world_test.go     processes: building, starting, killing
//	foreign_test.go   the tools of other people: kcat and the scripts in testdata
//	kill_test.go      when to kill, and when work went on
//	judge_test.go     topics and books against the events
//
// It is skipped unless BOOKSYNC_TEST_KAFKA and BOOKSYNC_TEST_REDIS are set (see .ci/services, which also brings the tools;
// where CI is set and they are missing it fails). BOOKSYNC_TEST_LONG=1 kills fifty times, with faults of Zoho, and empties
// Redis once. BOOKSYNC_TEST_SEED sets another seed.
package processtest
