package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/status"
)

func (c *cli) statusCommand() *cobra.Command {
	var asJSON, inDoubt bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how booksync is doing: replicas, pauses, lag, parked records, budget, tokens",
		Long: `Shows how booksync is doing, from any machine that reaches Kafka and Redis with this configuration. It works
while nothing runs, too: then what only a replica knows (parked records, circuits) is missing.

  workflows      on, shadow, off, or paused: by whom, why, since when
  topics         lag and the age of the oldest record without a verdict, per partition
  parked         records that wait, by what they wait for
  organisations  calls left and when they will be spent at the present rate, circuit, token, last reconciliation

A replica reports every 3 s; one that has been silent for 15 s counts as gone. --in-doubt goes through all claims
in Redis for writes whose effect is not known and that nobody works on; it takes about a second per 100,000 claims.

Exit code 3 when Kafka or Redis did not answer; what is known is printed all the same.`,
		Example: `  booksync status
  booksync status --json | jq '.workflows[] | select(.state != "on")'
  watch -n 5 booksync status`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(0)
			if err != nil {
				return err
			}
			return c.status(cmd.Context(), cfg, asJSON, inDoubt)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&inDoubt, "in-doubt", false, "go through all claims for those in doubt")
	return cmd
}

func (c *cli) status(ctx context.Context, cfg *config.Config, asJSON, inDoubt bool) error {
	opts := status.Options{InDoubt: inDoubt}
	if inDoubt {
		m := c.meter(-1, "claims")
		defer func() { _ = m.Finish() }()
		opts.Looked = func(n int) { _ = m.Add(n) }
	}
	store, err := access.OpenStore(ctx, cfg, c.accessOptions(cfg))
	if err == nil {
		defer store.Close()
	} else {
		store = nil
	}
	s := status.Collect(ctx, cfg, store, opts)
	if err != nil {
		s.Errors = append(s.Errors, err.Error())
	}
	if asJSON {
		if err := c.printJSON(s); err != nil {
			return err
		}
	} else {
		printStatus(c.stdout, s)
	}
	if len(s.Errors) > 0 {
		return unavailable(fmt.Errorf("not everything could be asked: %s", strings.Join(s.Errors, "; ")))
	}
	return nil
}

// sheet is a table for people: a title, and aligned columns below it.
type sheet struct{ *tabwriter.Writer }

func newSheet(w io.Writer, title string, columns ...string) sheet {
	fmt.Fprintf(w, "\n%s\n", title)
	t := sheet{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	if len(columns) > 0 {
		t.row(columns...)
	}
	return t
}

func (t sheet) row(cells ...string) {
	for i, cell := range cells {
		if cell == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintf(t, "  %s\n", strings.Join(cells, "\t"))
}

func printStatus(w io.Writer, s *status.Status) {
	fmt.Fprintf(w, "group %s at %s\n", s.Group, stamp(s.At))
	printReplicas(w, s)
	printWorkflows(w, s)
	printTopics(w, s)
	printParked(w, s)
	printOrganizations(w, s)
	printInDoubt(w, s)
	for _, e := range s.Errors {
		fmt.Fprintf(w, "\nnot known: %s\n", e)
	}
}

func printReplicas(w io.Writer, s *status.Status) {
	if len(s.Replicas) == 0 {
		fmt.Fprint(w, "\nREPLICAS\n  none runs\n")
		return
	}
	t := newSheet(w, "REPLICAS", "id", "version", "running since", "reported", "state")
	for _, r := range s.Replicas {
		state := "consuming"
		switch {
		case r.Silent:
			state = "silent: gone without a word"
		case r.NotReady != "":
			state = "not ready: " + r.NotReady
		}
		t.row(r.ID, r.Version, stamp(r.Started), fmt.Sprintf("%d s ago", r.AgeSeconds), state)
	}
	_ = t.Flush()
}

func printWorkflows(w io.Writer, s *status.Status) {
	t := newSheet(w, "WORKFLOWS", "organisation", "workflow", "state", "since", "by", "why")
	for _, f := range s.Workflows {
		state := f.State
		if f.Differs {
			state += " (not as configured here)"
		}
		if len(f.Paused) == 0 {
			t.row(f.Organization, f.Workflow, state, "", "", "")
		}
		for _, p := range f.Paused {
			by := p.Actor
			if p.Owner != "people" {
				by += " (" + p.Owner + ")"
			}
			t.row(f.Organization, f.Workflow, state, stamp(p.Since), by, p.Reason)
		}
	}
	_ = t.Flush()
}

func printTopics(w io.Writer, s *status.Status) {
	if len(s.Topics) == 0 {
		return
	}
	t := newSheet(w, "TOPICS", "topic", "partition", "position", "lag", "oldest", "in work", "parked", "remark")
	for _, p := range s.Topics {
		age, position, remark := "", strconv.FormatInt(p.Position, 10), p.Alarm
		switch {
		case p.Lag > 0 && p.AgeSeconds < 0:
			age = "unknown"
		case p.Lag > 0:
			age = ago(time.Duration(p.AgeSeconds) * time.Second)
		}
		if p.Position < 0 {
			position = "none yet"
		}
		switch {
		case p.Alarm != "":
		case p.Full:
			remark = "full: takes no new records for now"
		case p.Owner == "" && p.Lag > 0:
			remark = "nobody reads it"
		}
		t.row(p.Topic, strconv.Itoa(int(p.Partition)), position, strconv.FormatInt(p.Lag, 10), age, strconv.Itoa(p.Open-p.Parked), strconv.Itoa(p.Parked), remark)
	}
	_ = t.Flush()
}

func printParked(w io.Writer, s *status.Status) {
	if len(s.Parked) == 0 {
		return
	}
	t := newSheet(w, "PARKED", "records", "waiting for")
	for _, reason := range slices.Sorted(maps.Keys(s.Parked)) {
		t.row(strconv.Itoa(s.Parked[reason]), parkedFor(reason))
	}
	_ = t.Flush()
}

// parkedFor says in words what a reason for parking means.
func parkedFor(reason string) string {
	words := map[string]string{
		"busy": "another record of the same order", "dependency": "their order or payment", "in_doubt": "an answer that was lost",
		"back_off": "another try after a failure", "paused": "the end of a pause, by operators or of the organisation's calls", "off": "their workflow, which is off",
		"unusable":    "their organisation to be usable: /readyz says what is wrong with it",
		"day_reserve": "tomorrow's calls: the rest of today's is for payments and refunds", "circuit": "Zoho Books, which is down",
		"redis": "Redis", "unreadable": "a version that can read its claim", "registry": "the schema registry", "redis_epoch": "Redis's memory to be looked through",
	}
	if text := words[reason]; text != "" {
		return reason + ": " + text
	}
	return reason
}

func printOrganizations(w io.Writer, s *status.Status) {
	for _, o := range s.Organizations {
		t := newSheet(w, "ORGANISATION "+o.Name)
		mapping := o.ConfigHash
		if o.Mixed {
			mapping += "; replicas with another mapping run"
		}
		t.row("mapping", mapping)
		if b := o.Budget; b != nil {
			t.row("calls", fmt.Sprintf("%d of %d left in this window, %d under way", b.Left, b.Limit, b.InFlight))
			t.row("calls of the day", dayText(b))
		}
		state := o.Circuit
		if o.PausedUntil.After(s.At) {
			state += fmt.Sprintf("; no calls until %s: %s", stamp(o.PausedUntil), o.PauseReason)
		}
		t.row("circuit", state)
		token := "none"
		if o.TokenUntil.After(s.At) {
			token = fmt.Sprintf("good until %s (%s)", stamp(o.TokenUntil), ago(o.TokenUntil.Sub(s.At)))
		}
		if o.TokenRefusal != "" {
			token += "; Zoho refused a new one: " + o.TokenRefusal
		}
		t.row("token", token)
		reconciled := "never"
		if r := o.Reconciled; r != nil {
			reconciled = fmt.Sprintf("%s for %s to %s, %s", stamp(r.At), r.Since, r.Until, plural(int(r.Exceptions), "exception"))
		}
		t.row("reconciled", reconciled)
		_ = t.Flush()
	}
}

func dayText(b *status.Budget) string {
	if b.DayLimit == 0 {
		return "not told by Zoho yet"
	}
	text := fmt.Sprintf("%d of %d left, renewed %s; ", b.DayRemaining, b.DayLimit, stamp(b.DayReset))
	if b.EndsAt.IsZero() {
		return text + fmt.Sprintf("at %d an hour they last", b.PerHour)
	}
	return text + fmt.Sprintf("at %d an hour SPENT BY %s", b.PerHour, stamp(b.EndsAt))
}

func printInDoubt(w io.Writer, s *status.Status) {
	if s.InDoubt == nil {
		return
	}
	fmt.Fprintf(w, "\nIN DOUBT\n  %s looked at, %d in doubt\n", plural(s.InDoubt.Looked, "claim"), s.InDoubt.Count)
	if s.InDoubt.Count == 0 {
		return
	}
	t := sheet{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row("organisation", "claim", "id", "step", "since", "record")
	for _, d := range s.InDoubt.Oldest {
		t.row(d.Organization, d.Workflow, d.ID, d.Step, stamp(d.Since), d.Record)
	}
	_ = t.Flush()
}

// stamp is an instant for people, in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ago is a length of time for people.
func ago(d time.Duration) string { return d.Round(time.Second).String() }
