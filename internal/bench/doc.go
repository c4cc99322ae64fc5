// Package bench measures the whole service against what it has to reach: throughput, use of Zoho's limits, delays, calls
// per event, memory. It holds tests and benchmarks only; docs/benchmarks.md has their commands and results.
//
// Short forms run with the other tests and check the same numbers in seconds. The long ones, which take minutes and two
// idle cores, run when BOOKSYNC_TEST_BENCH is set. Services are embedded unless BOOKSYNC_TEST_KAFKA and
// BOOKSYNC_TEST_REDIS name real ones, as .ci/services prints them.
package bench
