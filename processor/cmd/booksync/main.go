// Command booksync keeps Zoho Books right from commerce events in Kafka. `booksync help` tells the rest.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	hurry := make(chan struct{})
	go func() { // the first signal stops, the second hurries, the third is the system's again
		<-signals
		stop()
		<-signals
		close(hurry)
		signal.Stop(signals)
	}()
	err := run(withHurry(ctx, hurry), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "booksync:", err)
	}
	os.Exit(exitCode(err))
}
