package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/trace"
)

func (c *cli) traceCommand() *cobra.Command {
	var since string
	var asJSON bool
	var most int
	cmd := &cobra.Command{
		Use:   "trace ID",
		Short: "Show everything that belongs to an event, order, payment, refund, document, outcome or trace",
		Long: `Takes any id (of an event, an order, a payment, a refund, a document or its number, an outcome, a trace, or a
record as topic/partition/offset) and shows what belongs together, in time order: the events, their outcomes and
dead letters, what operators did about them, the claims in Redis and the documents in Zoho Books.

An order id is found at once: it is the records' key. Any other id is looked for in the outcome topic, and then in
the events and dead letters; that reads these topics as far back as --since and shows its progress. Nothing is
changed, and Zoho is not called.

Exit code 1 if nothing is found; 3 if Kafka did not answer. Without Redis the claims are left out, which is said.`,
		Example: `  booksync trace O-1001
  booksync trace INV-00012 --since 2026-03-01
  booksync trace 4bf92f3577b34da6a3ce929d0e0e4736 --since 48h --json`,
		Args: args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			cfg, err := c.load(0)
			if err != nil {
				return err
			}
			from := time.Now().Add(-cfg.Claims.Retention)
			if since != "" {
				if from, err = instant(since, time.Now()); err != nil {
					return usage(cmd, "--since: "+err.Error())
				}
			}
			if most < 1 {
				return usage(cmd, "--most must be at least 1")
			}
			return c.trace(cmd.Context(), cfg, trace.Options{ID: a[0], Since: from, Most: most}, asJSON)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "how far back: a length of time (48h, 90d), a day or an instant (default claims.retention)")
	cmd.Flags().IntVar(&most, "most", 1000, "the most `entries` to show")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) trace(ctx context.Context, cfg *config.Config, opts trace.Options, asJSON bool) error {
	codec, err := access.Codec(cfg)
	if err != nil {
		return err
	}
	defer codec.Close()
	var claims trace.Claims
	store, storeErr := access.OpenStore(ctx, cfg, c.accessOptions(cfg))
	if storeErr == nil {
		defer store.Close()
		inRedis, err := redis.NewClaims(store.Client, cfg.ClaimsConfig())
		if err != nil {
			return err
		}
		claims = inRedis
	}
	var bar *progressbar.ProgressBar
	opts.Progress = trace.Progress{
		Begin: func(total int64, what string) { bar = c.meter(total, what) },
		Add:   func(n int64) { _ = bar.Add64(n) },
	}
	found, err := trace.Find(ctx, cfg, codec, claims, opts)
	if bar != nil {
		_ = bar.Finish()
	}
	if err != nil {
		return unavailable(err)
	}
	if asJSON {
		if err := c.printJSON(found); err != nil {
			return err
		}
	} else {
		c.printTrace(found)
	}
	switch {
	case len(found.Entries)+len(found.Claims) == 0:
		return failed("nothing with the id %s since %s; --since looks further back", found.ID, stamp(found.Since))
	case storeErr != nil:
		return unavailable(errors.Join(errors.New("the claims are left out"), storeErr))
	}
	return nil
}

func (c *cli) printTrace(t *trace.Trace) {
	fmt.Fprintf(c.stdout, "%s: %s since %s", t.ID, plural(len(t.Entries), "record"), stamp(t.Since))
	if len(t.Orders) > 0 {
		fmt.Fprintf(c.stdout, ", of %s %s", ordersWord(len(t.Orders)), strings.Join(t.Orders, ", "))
	}
	fmt.Fprintln(c.stdout)
	if t.Truncated {
		fmt.Fprintln(c.stdout, "there are more records than --most allows")
	}
	if len(t.Entries) > 0 {
		s := newSheet(c.stdout, "RECORDS", "time", "what", "id", "where", "")
		for _, e := range t.Entries {
			s.row(e.At.UTC().Format("2006-01-02 15:04:05.000"), entryKind(&e), e.BusinessID, fmt.Sprintf("%s/%d/%d", e.Topic, e.Partition, e.Offset), entryText(&e))
		}
		_ = s.Flush()
	}
	if len(t.Claims) > 0 {
		s := newSheet(c.stdout, "CLAIMS", "organisation", "claim", "id", "state", "record", "")
		for _, k := range t.Claims {
			note := ""
			if k.Step != "" {
				note = fmt.Sprintf("write %s under way or in doubt since %s", k.Step, stamp(k.Since))
			}
			s.row(k.Organization, k.Role, k.ID, k.State, k.Record, note)
		}
		_ = s.Flush()
	}
	if len(t.Documents) > 0 {
		s := newSheet(c.stdout, "DOCUMENTS", "organisation", "type", "number", "id", "status", "date", "total", "link")
		for _, d := range t.Documents {
			s.row(d.Organization, d.Type, d.Number, d.ID, d.Status, d.Date, d.Total.String(), d.URL)
		}
		_ = s.Flush()
	}
}

func ordersWord(n int) string {
	if n == 1 {
		return "order"
	}
	return "orders"
}

func entryKind(e *trace.Entry) string {
	switch e.Kind {
	case trace.KindOutcome:
		return e.Status
	case trace.KindDeadLetter:
		return "dead letter"
	}
	return e.Kind
}

// maxEntryText bounds a line of a table, in characters.
const maxEntryText = 160

func entryText(e *trace.Entry) string {
	text := e.Text
	if e.Actor != "" {
		text = "by " + e.Actor + ": " + text
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxEntryText {
		text = string(r[:maxEntryText]) + "..."
	}
	return text
}
