// Package rehearsal runs a whole rollback where nothing can break: on the demo's embedded Kafka, Redis and Zoho Books simulator. It posts a sample of orders,
// payments and refunds, takes all of it back, shows that the books are empty, puts the records back, and shows that the books are what they were.
package rehearsal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/demo"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// Options say what to rehearse.
type Options struct {
	Orders  int
	Seed    int64
	Version string
	// Step is told of each step when it ended.
	Step func(name string, took time.Duration)
	// Progress is the sample's.
	Progress func(demo.Progress)
}

// Report is what was found.
type Report struct {
	Documents int             `json:"documents"` // posted, and posted again
	Plan      rollback.Totals `json:"plan"`
	Redriven  int             `json:"redriven"`
	// EmptyAfterRollback: no living document and every account at zero. EqualAfterRedrive: the same documents and balances as before.
	EmptyAfterRollback bool     `json:"empty_after_rollback"`
	EqualAfterRedrive  bool     `json:"equal_after_redrive"`
	Problems           []string `json:"problems,omitempty"`
}

// OK says whether the books were as they should be.
func (r *Report) OK() bool {
	return r.EmptyAfterRollback && r.EqualAfterRedrive && len(r.Problems) == 0
}

// patience is how long the redriven records may take without any progress.
const patience = time.Minute

// Run rehearses. The error is about running; what was found is in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	report := &Report{}
	_, err := demo.Run(ctx, demo.Options{Orders: opts.Orders, Seed: opts.Seed, Progress: opts.Progress, Then: func(ctx context.Context, company demo.Site) error {
		return rehearse(ctx, opts, company, report)
	}})
	return report, err
}

func rehearse(ctx context.Context, opts Options, company demo.Site, report *Report) error {
	site, err := rollback.Open(ctx, company.Config, access.Options{Log: slog.New(slog.DiscardHandler), SkipServerCheck: true})
	if err != nil {
		return err
	}
	defer site.Close()
	ctx = access.Operator(ctx)
	before := booksOf(company.Ledger())
	report.Documents = len(before.Documents)
	var plan *rollback.Plan
	owner := control.Owner{Name: "rehearsal", Actor: "rehearsal"}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"plan", func() (err error) {
			plan, err = rollback.Build(ctx, site.Outcomes, site.Books, rollback.Selector{}, false, opts.Version, func(int, int) {})
			if err == nil {
				report.Plan = plan.Totals
			}
			return err
		}},
		{"pause", func() error {
			_, err := control.Pause(ctx, site.Switches(), control.Scope{}, "rehearsal", owner)
			return err
		}},
		{"apply", func() error {
			return site.Apply(ctx, plan, opts.Version, func(r rollback.GroupResult) {
				if r.Result != rollback.ResultReversed {
					report.Problems = append(report.Problems, "order "+r.OrderID+" "+r.Result+": "+r.Why)
				}
			})
		}},
		{"books are empty", func() error {
			after := booksOf(company.Ledger())
			report.EmptyAfterRollback = len(after.Documents) == 0 && len(after.Accounts) == 0
			if !report.EmptyAfterRollback {
				report.Problems = append(report.Problems, fmt.Sprintf("after the rollback the books hold %v, %v", after.Documents, after.Accounts))
			}
			return nil
		}},
		{"redrive", func() error { return redrive(ctx, site, plan, opts.Version, company, report) }},
		{"resume", func() error {
			_, err := control.ResumeAll(ctx, site.Switches(), owner, false)
			return err
		}},
		{"books are as before", func() error { return settle(ctx, company, before, report) }},
	} {
		started := time.Now()
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		opts.Step(step.name, time.Since(started))
	}
	return nil
}

func redrive(ctx context.Context, site *rollback.Site, plan *rollback.Plan, version string, company demo.Site, report *Report) error {
	trail := audit.New(site.Codec(), company.Config.Topics.Audit, version)
	n, missing, err := site.Redrive(ctx, plan, true, func(int, int) (*kgo.Record, error) {
		return trail.Record(ctx, schemas.AuditEntry{Actor: "rehearsal", Action: rollback.ActionRedrive, Details: map[string]string{"plan": plan.ID}})
	})
	report.Redriven = n
	if missing > 0 {
		report.Problems = append(report.Problems, fmt.Sprintf("%d records are not in the source topics any more", missing))
	}
	return err
}

// settle waits until the books are what they were, as long as they still change.
func settle(ctx context.Context, company demo.Site, before books, report *Report) error {
	last, changed := books{}, time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now := booksOf(company.Ledger())
		switch {
		case cmp.Equal(now, before):
			report.EqualAfterRedrive = true
			return nil
		case !cmp.Equal(now, last):
			last, changed = now, time.Now()
		case time.Since(changed) > patience:
			report.Problems = append(report.Problems, "after the redrive the books differ: "+cmp.Diff(before, now))
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// books are living documents by type, key and total, and the accounts that are not at zero.
type books struct {
	Documents []string
	Accounts  map[string]string
}

func booksOf(l simulator.Ledger) books {
	b := books{Accounts: make(map[string]string)}
	for _, d := range slices.Concat(l.Invoices, l.Payments, l.CreditNotes, l.Refunds) {
		if d.Status != "void" {
			b.Documents = append(b.Documents, d.Type+" "+d.BusinessID+" "+d.Total.String())
		}
	}
	slices.Sort(b.Documents)
	sums := make(map[string]decimal.Decimal)
	for _, a := range l.TrialBalance {
		sums[a.Name] = sums[a.Name].Add(a.Balance)
	}
	for name, sum := range sums {
		if !sum.IsZero() {
			b.Accounts[name] = sum.String()
		}
	}
	return b
}
