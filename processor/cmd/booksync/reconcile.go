package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/schemas"
)

type reconcileOptions struct {
	operation
	ask                          reconcile.Ask
	organization, csv, html      string
	grace                        time.Duration
	maxCalls, maxTransactions    int
	deep, plan, publish, repairs bool
}

func (c *cli) reconcileCommand() *cobra.Command {
	var o reconcileOptions
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare events, outcomes and books, document by document",
		Long: `Compares what the source topics say with what the outcomes say and with what Zoho Books holds, in both
directions, for the days given (default: the last 7) of the organisation's calendar: counts, customers, dates,
amounts, taxes, currencies and rates, accounts, references, statuses, what is applied and what is left. Each
order must add up: order - payments - refunds = balance. It may run while ` + "`run`" + ` does.

It lists the books, 200 documents a call, and opens single documents only where lists leave a doubt, or all of
them with --deep. The calls are told before the first is made (--plan stops there); they are of the lowest class.

Statuses: matched, matched_rounding, expected (younger than --grace), ignored, and the exceptions
missing_in_books, missing_in_source, duplicate_in_books, currency_mismatch, amount_mismatch, tax_mismatch,
edited_by_person (event and outcome agree, the document was changed), status_mismatch, unapplied_payment.
Documents without a key of booksync's are listed apart. ` + "`reconcile ignore`" + ` accepts an exception.

--repair shows what could mend an exception; with --apply it does what is safe: it produces a record again that
was left out, and applies a payment to its order's invoice of equal balance, under the order's lease. Nothing is
ever deleted. Exit code 1 if there are exceptions.`,
		Example: `  booksync reconcile --period 2026-10 --html october.html
  booksync reconcile --day yesterday --json
  booksync reconcile --since 2026-10-01 --until 2026-10-07 --deep --plan
  booksync reconcile --repair --apply --reason "left out by the reset of 3 October"
  booksync reconcile ignore order:O1~1a2b3c4d --reason "agreed with the auditor"`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.apply && !o.repairs {
				return usage(cmd, "--apply goes with --repair: only repairs act")
			}
			if err := o.check(cmd); err != nil {
				return err
			}
			return c.reconcile(cmd.Context(), cmd, &o)
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	windowFlags(cmd, &o.ask)
	f.StringVar(&o.organization, "organization", "", "`name` of the organisation (default the only one)")
	f.DurationVar(&o.grace, "grace", 0, "how long a record may be under way (default reconcile.grace)")
	f.BoolVar(&o.deep, "deep", false, "open every document and contact: one call each")
	f.IntVar(&o.maxCalls, "max-calls", 0, "`calls` to make at most (default what the day has left)")
	f.IntVar(&o.maxTransactions, "max-transactions", 0, "`transactions` to keep in memory at most (default 1000000)")
	f.BoolVar(&o.plan, "plan", false, "say the calls and stop")
	f.StringVar(&o.csv, "csv", "", "write the exceptions to this `file`")
	f.StringVar(&o.html, "html", "", "write a page for people to this `file`")
	f.BoolVar(&o.publish, "publish", false, "publish the result to topics.reconciliations")
	f.BoolVar(&o.repairs, "repair", false, "show what could mend the exceptions")
	cmd.AddCommand(c.reconcileIgnoreCommand())
	return cmd
}

func windowFlags(cmd *cobra.Command, ask *reconcile.Ask) {
	f := cmd.Flags()
	f.StringVar(&ask.Since, "since", "", "first `day`, YYYY-MM-DD")
	f.StringVar(&ask.Until, "until", "", "last `day` (default today)")
	f.StringVar(&ask.Day, "day", "", "one `day`, today or yesterday")
	f.StringVar(&ask.Period, "period", "", "a `month` (2026-10) or year")
}

// errPlanned ends a run that was only asked for its calls.
var errPlanned = errors.New("only planned")

func (c *cli) reconcile(ctx context.Context, cmd *cobra.Command, o *reconcileOptions) error {
	d, err := c.openBench(ctx, cmd, o.organization)
	if err != nil {
		return err
	}
	defer d.close()
	grace := o.grace
	if grace <= 0 {
		grace = d.cfg.Reconcile.Grace
	}
	stages := c.stages()
	defer stages.finish()
	var planned reconcile.Estimate
	result, err := reconcile.Run(ctx, d.deps(), reconcile.Options{
		Organization: d.name, Ask: o.ask, Grace: grace, Deep: o.deep, MaxCalls: o.maxCalls, MaxTransactions: o.maxTransactions,
		StartedBy: o.who(), Progress: stages.at,
		Estimated: func(e reconcile.Estimate) error {
			stages.finish()
			planned = e
			if o.plan {
				return errPlanned
			}
			return c.sayCalls(c.stderr, e)
		},
	})
	stages.finish()
	switch {
	case errors.Is(err, errPlanned) && o.asJSON:
		return c.printJSON(planned)
	case errors.Is(err, errPlanned):
		return c.sayCalls(c.stdout, planned)
	case err != nil:
		return notCompared(cmd, err)
	}
	if err := c.writeResult(result, o); err != nil {
		return err
	}
	if o.publish || o.apply {
		if err := d.publish(ctx, result); err != nil {
			return unavailable(err)
		}
	}
	if o.repairs && o.apply {
		return c.repair(ctx, d, o, result)
	}
	if result.Failed() {
		return failed("%s", plural(len(result.Exceptions)+result.LeftOut, "exception"))
	}
	return nil
}

// sayCalls tells what will be spent.
func (c *cli) sayCalls(w io.Writer, e reconcile.Estimate) error {
	text := fmt.Sprintf("%s; %s for lists", plural(e.Transactions, "transaction"), plural(e.ListCalls, "call"))
	if e.OpenCalls > 0 {
		text += fmt.Sprintf(", %d to open documents", e.OpenCalls)
	}
	text += ", and one per doubtful document"
	if e.DayLeft >= 0 {
		text += fmt.Sprintf("; %d left today", e.DayLeft)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// writeResult prints the result, and writes the files that were asked for.
func (c *cli) writeResult(r *reconcile.Result, o *reconcileOptions) error {
	if !o.repairs {
		for i := range r.Exceptions {
			r.Exceptions[i].Repairs = nil
		}
	}
	if err := writeFile(o.csv, r.WriteCSV); err != nil {
		return err
	}
	if err := writeFile(o.html, r.WriteHTML); err != nil {
		return err
	}
	if o.asJSON {
		return c.printJSON(r)
	}
	return r.WriteTable(c.stdout)
}

// writeFile writes a file that only its owner reads; none without a name.
func writeFile(name string, write func(io.Writer) error) (err error) {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return failed("writing the file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

func (d *bench) publish(ctx context.Context, r *reconcile.Result) error {
	client, err := access.Producer(d.cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := r.Publish(ctx, d.codec, client, d.cfg.Topics.Reconciliations); err != nil {
		return err
	}
	return reconcile.Remember(ctx, d.store.Client, r)
}

// repair carries the proposals out, one after another.
func (c *cli) repair(ctx context.Context, d *bench, o *reconcileOptions, r *reconcile.Result) error {
	client, err := access.Producer(d.cfg)
	if err != nil {
		return unavailable(err)
	}
	defer client.Close()
	admin, err := access.Admin(d.cfg)
	if err != nil {
		return unavailable(err)
	}
	defer admin.Close()
	claims, err := redis.NewClaims(d.store.Client, d.cfg.ClaimsConfig())
	if err != nil {
		return unavailable(err)
	}
	trail := audit.New(d.codec, d.cfg.Topics.Audit, telemetry.Version())
	repairer := &reconcile.Repairer{
		Config: d.cfg, Books: d.books, Admin: admin, Client: client, Redis: d.store.Client, Claims: claims, Actor: o.who(), Reason: o.reason,
		Audit: func(ctx context.Context, e schemas.AuditEntry) error { return trail.Write(ctx, client, e) },
	}
	acted := 0
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		for _, p := range e.Repairs {
			if !p.Act() {
				continue
			}
			done, did, err := repairer.Do(ctx, d.name, e, p)
			if err != nil {
				return unavailable(fmt.Errorf("repairing %s: %w", e.ID, err))
			}
			if did {
				acted++
			}
			_, _ = fmt.Fprintf(c.stderr, "%s: %s\n", e.ID, done)
		}
	}
	if left := len(r.Exceptions) - acted; left > 0 {
		return failed("%s repaired, %d left", plural(acted, "exception"), left)
	}
	_, _ = fmt.Fprintf(c.stderr, "%s repaired; reconcile again once they are settled\n", plural(acted, "exception"))
	return nil
}

// notCompared says what kept events and books from being compared.
func notCompared(cmd *cobra.Command, err error) error {
	switch {
	case errors.Is(err, reconcile.ErrWindow):
		return usage(cmd, err.Error())
	case errors.Is(err, reconcile.ErrTooExpensive), errors.Is(err, reconcile.ErrTooMany):
		return failed("%w", err)
	}
	return unavailable(err)
}
