package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/operator/report"
)

type reportOptions struct {
	ask               reconcile.Ask
	organization, csv string
	asJSON, deep      bool
	maxCalls          int
}

func (c *cli) reportCommand() *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Add a period up: sales, taxes, payments, refunds, fees, clearing",
		Long: `Adds up what the events, the outcomes and the books say of a period, per currency, side by side with the
differences: invoices and credit notes, tax per rate, payments, money returned, gateways' fees, and what remains
on each clearing account (payments less money returned, before fees). Documents are counted on their own day of
the organisation's calendar; those that booksync did not write are left out and counted.

It lists the books as ` + "`reconcile`" + ` does. Taxes and fees stand in whole documents only: --deep opens each, one call
per document. Exit code 1 if a sum differs.`,
		Example: `  booksync report --period 2026-10
  booksync report --period 2026-10 --deep --csv october.csv
  booksync report --since 2026-10-01 --until 2026-10-07 --json`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.report(cmd.Context(), cmd, &o) },
	}
	f := cmd.Flags()
	windowFlags(cmd, &o.ask)
	f.StringVar(&o.organization, "organization", "", "`name` of the organisation (default the only one)")
	f.BoolVar(&o.deep, "deep", false, "open every document: one call each")
	f.IntVar(&o.maxCalls, "max-calls", 0, "`calls` to make at most (default what the day has left)")
	f.StringVar(&o.csv, "csv", "", "write the sums to this `file`")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) report(ctx context.Context, cmd *cobra.Command, o *reportOptions) error {
	d, err := c.openBench(ctx, cmd, o.organization)
	if err != nil {
		return err
	}
	defer d.close()
	stages := c.stages()
	defer stages.finish()
	r, err := report.Run(ctx, d.deps(), d.books, reconcile.Options{
		Organization: d.name, Ask: o.ask, Grace: d.cfg.Reconcile.Grace, Deep: o.deep, MaxCalls: o.maxCalls, Progress: stages.at,
		Estimated: func(e reconcile.Estimate) error {
			stages.finish()
			return c.sayCalls(c.stderr, e)
		},
	})
	stages.finish()
	if err != nil {
		return notCompared(cmd, err)
	}
	if err := writeFile(o.csv, r.WriteCSV); err != nil {
		return err
	}
	if o.asJSON {
		err = c.printJSON(r)
	} else {
		err = r.WriteTable(c.stdout)
	}
	if err == nil && r.Differs() {
		return failed("some sums differ")
	}
	return err
}
