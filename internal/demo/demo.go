// Package demo runs the main job on samples: an embedded Kafka, Redis and Zoho Books simulator, the same service as
// `booksync run`, and a seeded sample of orders, payments and refunds with everything that goes wrong in real ones. At the
// end it compares the simulated books with what the events said, by arithmetic of its own.
//
//	world.go    the embedded services and the configuration for them
//	events.go   the sample, from a seed
//	run.go      produces, runs, waits until every record has its verdict
//	check.go    the books against the events
//	report.go   what is printed
package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// Options say what to run.
type Options struct {
	// Orders is the number of orders in the sample; payments and refunds follow from it. Default 100.
	Orders int
	// Seed decides the sample and the faults. Equal seeds give equal records, outcomes and dead letters.
	Seed int64
	// Faults makes the simulated Zoho fail as the real one does: lost answers, errors, refusals, lagging searches.
	Faults bool
	// Replicas is the number of services that share the work. Default 1; 2 with faults.
	Replicas int
	// Progress, if set, is told about every half second what is done.
	Progress func(Progress)
	// Log gets the service's log. Default: discarded.
	Log *slog.Logger
	// Then, if set, is called once every record has its verdict, while the services still run. What it does is no part of
	// the report but for what the books hold at the end.
	Then func(context.Context, Site) error
}

// Site is the demo's company while it runs.
type Site struct {
	Config *config.Config
	// Ledger is what the books hold.
	Ledger func() simulator.Ledger
}

// Progress is how far a run is.
type Progress struct {
	Elapsed           time.Duration
	Records, Outcomes int
	Calls             int
}

// stall is how long a run may go without a new outcome before it's given up: longer than any pause and deadline in it.
const stall = 2 * time.Minute

// Run runs the demo. It blocks until every record has a verdict. The error is about running; what the check found is in
// the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if opts.Orders <= 0 {
		opts.Orders = 100
	}
	if opts.Replicas <= 0 {
		opts.Replicas = 1
		if opts.Faults {
			opts.Replicas = 2
		}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	w, err := newWorld()
	if err != nil {
		return nil, err
	}
	defer w.close()
	codec, err := schemas.NewCodec()
	if err != nil {
		return nil, fmt.Errorf("building the codec: %w", err)
	}
	defer codec.Close()
	s := makeSample(opts.Seed, opts.Orders, organization, w.taxes())
	if opts.Faults {
		if err := w.injectFaults(); err != nil {
			return nil, err
		}
	}
	started := time.Now()
	seen, err := w.run(ctx, opts, codec, s)
	if err != nil {
		return nil, err
	}
	return w.report(s, seen, time.Since(started)), nil
}

// Print writes the report for people.
func (r *Report) Print(out io.Writer) error {
	_, err := io.WriteString(out, r.table())
	return err
}
