package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/demo"
)

func (c *cli) demoCommand() *cobra.Command {
	var o demo.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole job embedded, and check the books",
		Long: `Starts a Kafka, a Redis and a Zoho Books simulator in this process, produces orders, payments and refunds (with
duplicates, late payments, refunds before payments, poison and, with --faults, lost answers and refusals), runs
the same job as 'booksync run' on them, and ends with a table: what came in, what was posted, duplicates
stopped, dead letters with their reasons, calls per document, and the simulator's ledger compared with the events.

--edition makes it a company of that edition, with the taxes, customers and fields there are: India's GST within the
state and across states, VAT treatments, the Gulf's places of supply, sales taxes by state and province; the
simulator refuses another edition's fields, and the invoices' own are compared with the events.

The same seed gives the same events, and the same counts of outcomes and dead letters. Needs no configuration, and
nothing installed. Exit code 1 if the ledger is not that of the events, or anything was lost or done twice.`,
		Example: `  booksync demo
  booksync demo --edition in
  booksync demo --orders 500 --seed 7 --faults --json`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Edition != "" && !slices.Contains(demo.Editions(), o.Edition) {
				return usage(cmd, fmt.Sprintf("--edition %s: want one of %s", o.Edition, strings.Join(demo.Editions(), ", ")))
			}
			o.Progress = c.progress()
			report, err := demo.Run(cmd.Context(), o)
			if err != nil {
				return fmt.Errorf("running the demo: %w", err)
			}
			if asJSON {
				err = json.NewEncoder(c.stdout).Encode(report)
			} else {
				err = report.Print(c.stdout)
			}
			if err != nil {
				return fmt.Errorf("printing the report: %w", err)
			}
			if !report.OK() {
				return failed("the books are not right")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Orders, "orders", 200, "`number` of orders; payments and refunds follow from it")
	f.StringVar(&o.Edition, "edition", "", "company of this `edition`: "+strings.Join(demo.Editions(), ", ")+" (default: a plain US one)")
	f.Int64Var(&o.Seed, "seed", 1, "seed of everything that is random")
	f.BoolVar(&o.Faults, "faults", false, "make Zoho fail now and then")
	f.IntVar(&o.Replicas, "replicas", 0, "`number` of services that share the work (default 1; 2 with --faults)")
	f.BoolVar(&asJSON, "json", false, "print one JSON object, on the last line")
	return cmd
}

// progressEvery is how often a line of progress is printed.
const progressEvery = time.Second

// progress prints how far the demo is, to standard error.
func (c *cli) progress() func(demo.Progress) {
	var last time.Duration
	return func(p demo.Progress) {
		if p.Elapsed-last < progressEvery && p.Outcomes < p.Records {
			return
		}
		last = p.Elapsed
		_, _ = fmt.Fprintf(c.stderr, "%5.1f s  %d of %d records settled, %d calls of Zoho Books\n", p.Elapsed.Seconds(), p.Outcomes, p.Records, p.Calls)
	}
}
