package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/dlq"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

func (c *cli) dlqCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, send them back, mend or discard them",
		Long: `Dead letters stay in their topics as they came; what was done with one is written to the audit topic, in the
same Kafka transaction as what was done. So a command that was killed leaves each dead letter done once or not at
all: run it again and it goes on with the rest. All of this works while 'booksync run' runs.

replay, edit and discard only show what they would do; --apply acts, and needs --reason. Of several people acting
at once the last one to begin goes on; the others are told.

The id of a dead letter is topic/partition/offset. commerce.orders.dlq/0/42 may be written orders/0/42.

Filters are the same for every verb: what meets all that are given is chosen. Without --state that is what nothing
was done with yet. --where takes an expression of the Common Expression Language over id, class, code, message,
retryable, stage, workflow, organization, key, business_id, topic, partition, offset, attempts, replays, state,
truncated, failed_at (a timestamp), headers (a map) and event (the decoded event as JSON: amounts are texts).`,
		Example: `  booksync dlq ls
  booksync dlq ls --class 'rejected.*' --where 'event.customer.billing_address.country == "DE"' --ids-out chosen.txt
  booksync dlq show orders/0/42
  booksync dlq replay --ids chosen.txt
  booksync dlq replay --ids chosen.txt --apply --reason 'tax code mapped'`,
	}, c.dlqLsCommand(), c.dlqShowCommand(), c.dlqReplayCommand(), c.dlqEditCommand(), c.dlqDiscardCommand())
}

// dlqFilter are the flags that choose dead letters.
type dlqFilter struct {
	classes, codes, workflows, organizations, topics, keys, businessIDs, offsets, states []string
	since, until, where, ids                                                             string
	all                                                                                  bool
	names                                                                                *pflag.FlagSet // of these flags
}

// add puts them on a command; all: it needs to be told to take everything.
func (o *dlqFilter) add(cmd *cobra.Command, all bool) {
	f := pflag.NewFlagSet("filters", pflag.ContinueOnError)
	f.StringSliceVar(&o.classes, "class", nil, "`classes`, * for any characters: 'rejected.*'")
	f.StringSliceVar(&o.codes, "code", nil, "Zoho's `codes`")
	f.StringSliceVar(&o.workflows, "workflow", nil, "order, payment, refund (`names`)")
	f.StringSliceVar(&o.organizations, "organization", nil, "organisations (`names`)")
	f.StringSliceVar(&o.topics, "topic", nil, "source `topics`")
	f.StringSliceVar(&o.keys, "key", nil, "record `keys`: order ids")
	f.StringSliceVar(&o.businessIDs, "business-id", nil, "`ids` of orders, payments, refunds")
	f.StringSliceVar(&o.offsets, "offsets", nil, "`ranges` of dead letters: orders/0/100-200")
	f.StringVar(&o.since, "since", "", "failed at or after: `time` (RFC 3339), day, or age (90m, 24h, 7d)")
	f.StringVar(&o.until, "until", "", "failed before: `time`, day, or age")
	f.StringSliceVar(&o.states, "state", nil, "`states`: open, quarantined, replayed, edited, discarded (default open,quarantined)")
	f.StringVar(&o.where, "where", "", "an `expression` over headers and event that must be true")
	f.StringVar(&o.ids, "ids", "", "only those whose ids `FILE` (- for stdin) names, one a line")
	if all {
		f.BoolVar(&o.all, "all", false, "all that are open, where no filter is given")
	}
	o.names = f
	cmd.Flags().AddFlagSet(f)
}

// selector is what was typed, for the audit.
func (o *dlqFilter) selector(args []string) string {
	words := append([]string{}, args...)
	o.names.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		value := strings.TrimSuffix(strings.TrimPrefix(f.Value.String(), "["), "]")
		words = append(words, "--"+f.Name+" "+strconv.Quote(value))
	})
	return strings.Join(words, " ")
}

// filter reads the flags, and ids given as arguments.
func (o *dlqFilter) filter(c *cli, cmd *cobra.Command, desk *dlq.Desk, args []string) (dlq.Filter, error) {
	f := dlq.Filter{
		Classes: o.classes, Codes: o.codes, Workflows: o.workflows, Organizations: o.organizations, Topics: o.topics, Keys: o.keys, BusinessIDs: o.businessIDs,
	}
	var err error
	now := time.Now()
	if f.Since, err = parseMoment(o.since, now); err != nil {
		return f, usage(cmd, "--since "+err.Error())
	}
	if f.Until, err = parseMoment(o.until, now); err != nil {
		return f, usage(cmd, "--until "+err.Error())
	}
	for _, s := range o.states {
		f.States = append(f.States, dlq.State(s))
	}
	for _, text := range o.offsets {
		r, err := desk.ParseOffsets(text)
		if err != nil {
			return f, usage(cmd, "--offsets "+err.Error())
		}
		f.Offsets = append(f.Offsets, r)
	}
	if o.where != "" {
		if f.Where, err = dlq.ParseWhere(o.where); err != nil {
			return f, usage(cmd, "--where: "+err.Error())
		}
	}
	if o.ids != "" {
		in, closeIn, err := c.open(o.ids)
		if err != nil {
			return f, err
		}
		defer closeIn()
		if f.IDs, err = desk.ReadIDs(in); err != nil {
			return f, usage(cmd, "--ids: "+err.Error())
		}
	}
	for _, a := range args {
		id, err := desk.ParseID(a)
		if err != nil {
			return f, usage(cmd, err.Error())
		}
		if f.IDs == nil {
			f.IDs = make(map[dlq.ID]bool)
		}
		f.IDs[id] = true
	}
	if err := f.Check(); err != nil {
		return f, usage(cmd, err.Error())
	}
	return f, nil
}

// parseMoment reads an instant, a day (UTC) or an age before now; "" is the zero time.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.Add(-time.Duration(n) * 24 * time.Hour).UTC(), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q: want a time such as 2026-10-05T08:00:00Z, a day, or an age such as 90m, 24h or 7d", text)
}

// desk opens what the dlq commands work with. Redis may be away: then nothing is said about claims. Call the function
// at the end.
func (c *cli) desk(ctx context.Context, claims bool) (*dlq.Desk, func(), error) {
	cfg, err := c.load(config.NeedKafka)
	if err != nil {
		return nil, nil, err
	}
	codec, err := access.Codec(cfg)
	if err != nil {
		return nil, nil, &exitError{code: codeUsage, err: err}
	}
	deps := dlq.Deps{Codec: codec, Version: telemetry.Version(), Explain: c.explainDeadLetter(cfg, codec)}
	closers := []func(){codec.Close}
	closeAll := func() {
		for i := range closers {
			closers[len(closers)-1-i]()
		}
	}
	if claims {
		store, inRedis, err := c.openClaims(ctx, cfg)
		if err != nil {
			fmt.Fprintf(c.stderr, "note: the claims are not looked at, so what is settled already is not said: %v\n", err)
		} else {
			deps.Claims = inRedis
			closers = append(closers, store.Close)
		}
	}
	desk, err := dlq.New(cfg, deps)
	if err != nil {
		closeAll()
		return nil, nil, &exitError{code: codeUsage, err: err}
	}
	closers = append(closers, desk.Close)
	return desk, closeAll, nil
}

// claimsTimeout is how long Redis may take before the commands go on without it.
const claimsTimeout = 5 * time.Second

func (c *cli) openClaims(ctx context.Context, cfg *config.Config) (*access.Store, *redis.Claims, error) {
	ctx, cancel := context.WithTimeout(ctx, claimsTimeout)
	defer cancel()
	store, err := access.OpenStore(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return nil, nil, err
	}
	claims, err := redis.NewClaims(store.Client, cfg.ClaimsConfig())
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return store, claims, nil
}

// explainDeadLetter explains as `booksync explain` does, under the configuration as it is now.
func (c *cli) explainDeadLetter(cfg *config.Config, codec *schemas.Codec) func(context.Context, string, []byte) dlq.Plan {
	x := &explainer{cfg: cfg, codec: codec, orders: map[string]*schemas.Order{}}
	return func(ctx context.Context, workflow string, event []byte) dlq.Plan {
		e := x.explain(ctx, workflow+"s", event)
		e.Line = 1
		p := dlq.Plan{Value: e}
		if r := e.Rejected; r != nil {
			p.Rejected = &processor.Rejection{Class: r.Class, Message: r.Message, Retryable: r.Retryable}
		}
		var b strings.Builder
		if err := e.write(&b); err != nil {
			return p
		}
		if _, text, ok := strings.Cut(b.String(), "\n"); ok { // without the line that numbers the event
			p.Text = text
		}
		return p
	}
}

// dlqError gives an error its exit code.
func dlqError(err error) error {
	var coded *exitError
	switch {
	case err == nil, errors.As(err, &coded), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, dlq.ErrUnavailable), errors.Is(err, schemas.ErrRegistryUnavailable):
		return unavailable(err)
	case errors.Is(err, schemas.ErrNotRegistered):
		return failed("%w; `booksync setup --apply` registers it", err)
	case errors.Is(err, dlq.ErrTakenOver):
		return failed("%w: what was committed is done; look at `booksync dlq ls`, then run it again", err)
	}
	return failed("%w", err)
}

// longWork is how many records are worth a meter.
const longWork = 20_000

// reading shows how far the reading of dead letters is.
func (c *cli) reading() (progress func(read, total int64), finish func()) {
	var bar *progressbar.ProgressBar
	return func(read, total int64) {
			if bar == nil && total >= longWork {
				bar = c.meter(total, "reading")
			}
			if bar != nil {
				_ = bar.Set64(read)
			}
		}, func() {
			if bar != nil {
				_ = bar.Finish()
			}
		}
}

// warnScan tells what a reading of the dead letters met.
func (c *cli) warnScan(s *dlq.Scan) {
	if s == nil {
		return
	}
	for _, t := range s.Missing {
		fmt.Fprintf(c.stderr, "note: topic %s does not exist; `booksync setup --apply` creates it\n", t)
	}
	if s.NoAudit {
		fmt.Fprintln(c.stderr, "note: the audit topic does not exist, so all dead letters count as open; `booksync setup --apply` creates it")
	}
	if s.Unevaluated > 0 {
		fmt.Fprintf(c.stderr, "note: --where has no value for %s (not decodable, or a field is missing): not chosen\n", plural(s.Unevaluated, "dead letter"))
	}
}

// age is a duration as people say it.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < day:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %dh", int(d/day), int(d.Hours())%24)
}

// createFile makes a file that only its owner may read: ids name customers' orders.
func createFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, &exitError{code: codeUsage, err: fmt.Errorf("writing the ids: %w", err)}
	}
	return f, nil
}
