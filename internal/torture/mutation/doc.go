// Package mutation proves the checker of the torture run. Each file of testdata is a mistake in booksync's own code, as a
// patch of it: the kind of mistake that those make who build such a service, or make it faster. Its header says which it is, the
// seed that catches it and the promise that the seed finds broken. The command, built with one of them, must fail; the code itself
// carries no switches.
//
//	go test ./internal/torture/mutation                                                  every patch fits the code and compiles
//	BOOKSYNC_TEST_MUTATIONS=1 go test ./internal/torture/mutation -v -timeout 60m         every one is caught
//	BOOKSYNC_TEST_MUTATIONS=1 go test ./internal/torture/mutation -v -run /limiter-       these are
//	BOOKSYNC_TEST_MUTATIONS=1..50 go test ./internal/torture/mutation -timeout 6h -update looks for the seeds anew, writes them down
package mutation
