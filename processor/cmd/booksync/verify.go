package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/operator/verify"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/schemas"
)

func (c *cli) verifyCommand() *cobra.Command {
	var file string
	op := operation{reason: "verification after a deploy"}
	opts := verify.Options{Version: telemetry.Version()}
	cmd := &cobra.Command{
		Use:   "verify --organization O",
		Short: "Show that a deployed booksync works, with a canary order",
		Long: `For pipelines, after a deploy. Sends a marked order, its payment and a refund through the real topics to a test
organisation (live: false), waits for the outcomes of the booksync that runs, sends the order once more to see that
it is a duplicate, reads the documents back from Zoho Books and compares totals, tax and counts; then takes all of it
back, as 'rollback' does. Times each leg. About 25 calls of Zoho Books, besides the service's own.

The order is made up from the organisation's mapping: ten units of its currency under the first mapped tax. Where that
is not enough, give one with --order: JSON as 'produce' reads it; ids, organisation and event fields are replaced.

Exit code 0 if everything is as it should be, 1 if not, with the reason, 3 if something could not be reached.`,
		Example: `  booksync verify --organization sandbox
  booksync verify --organization sandbox --timeout 2m --json || booksync rollback plan --version 1.4.0 --out undo.json`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Organization == "" {
				return usage(cmd, "--organization is needed: a test organisation")
			}
			cfg, err := c.load(config.NeedAll)
			if err != nil {
				return err
			}
			if _, ok := cfg.Organizations[opts.Organization]; !ok {
				return usage(cmd, fmt.Sprintf("organisation %q is not configured", opts.Organization))
			}
			if file != "" {
				if opts.Order, err = c.orderOf(file); err != nil {
					return &exitError{code: codeUsage, err: err}
				}
			}
			return c.verify(cmd.Context(), cfg, opts, op)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.Organization, "organization", "", "test organisation to send the canary to")
	f.StringVar(&file, "order", "", "`file` with the canary's order, as JSON")
	f.DurationVar(&opts.Timeout, "timeout", time.Minute, "longest wait for each outcome")
	f.BoolVar(&opts.Keep, "keep", false, "leave the canary's documents in the books")
	f.BoolVar(&op.asJSON, "json", false, "print one JSON object")
	f.StringVar(&op.actor, "actor", "", "`who` verifies, for the audit topic (default the user's name)")
	f.StringVar(&op.reason, "reason", op.reason, "`why`, for the audit topic")
	return cmd
}

// orderOf reads one order event from a file.
func (c *cli) orderOf(file string) (*schemas.Order, error) {
	in, done, err := c.open(file)
	if err != nil {
		return nil, err
	}
	defer done()
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("reading the order: %w", err)
	}
	return schemas.OrderFromJSON(bytes.TrimSpace(text))
}

func (c *cli) verify(ctx context.Context, cfg *config.Config, opts verify.Options, op operation) error {
	site, err := rollback.Open(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return unavailable(err)
	}
	defer site.Close()
	opts.Leg = func(l verify.Leg) {
		if !op.asJSON {
			fmt.Fprintf(c.stdout, "%-7s %8.3f s  %s  %s\n", l.Result, l.Seconds, l.Name, l.Why)
		}
	}
	report, err := verify.Run(access.Operator(ctx), cfg, site, opts)
	if report != nil && op.asJSON {
		if err := c.printJSON(report); err != nil {
			return err
		}
	}
	var audited error
	if report != nil {
		audited = c.audit(context.WithoutCancel(ctx), cfg, schemas.AuditEntry{
			Actor: op.who(), Action: "verify", Organization: opts.Organization, Selector: report.OrderID, Reason: op.reason, Counts: report.Counts(),
		})
	}
	switch {
	case errors.Is(err, verify.ErrLive), errors.Is(err, verify.ErrNoCanary):
		return &exitError{code: codeUsage, err: err}
	case err != nil:
		return unavailable(err)
	case !report.OK:
		last := report.Legs[len(report.Legs)-1]
		for _, l := range report.Legs {
			if l.Result == "failed" {
				last = l
				break
			}
		}
		return failed("%s: %s", last.Name, last.Why)
	case audited != nil:
		return audited
	}
	if !op.asJSON {
		fmt.Fprintf(c.stdout, "verified: order %s went the whole way in %s\n", report.OrderID, opts.Organization)
	}
	return nil
}
