package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/operator/dlq"
)

func (c *cli) dlqReplayCommand() *cobra.Command {
	var a dlqAction
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Send dead letters back to their source topics",
		Long: `Sends what is chosen back to where it came from: key, value and the producer's headers as they were, each key's
in their order, with headers that say what it is a replay of. 'run' then takes it up where it stopped.

For each dead letter it says what will happen: retry; duplicate (its transaction is settled already, so the verdict
will be DUPLICATE); or that it is left out, and why: it would be rejected again under the mapping as it is now, it
cannot be decoded, or it came back from three replays and is quarantined. --force sends these all the same. A dead
letter without its value is sent with the value from the source topic, where that is still there.

Up to 500 go in one transaction, with the audit entry that says so. Stopped or killed in the middle, run it again:
what was sent is not sent twice.

Exit code 1 if something was left out.`,
		Example: `  booksync dlq replay orders/0/42
  booksync dlq replay --class rejected.tax --organization acme
  booksync dlq replay --class rejected.tax --organization acme --max 10 --apply --reason 'vat19 mapped'
  booksync dlq replay --ids chosen.txt --rate 5 --apply --reason INC-1234`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return dlqError(c.dlqAct(cmd, &a, args, "replay", (*dlq.Desk).Replay))
		},
	}
	a.add(cmd)
	cmd.Flags().BoolVar(&a.force, "force", false, "also what is left out otherwise: quarantined, poison, rejected again")
	return cmd
}

func (c *cli) dlqDiscardCommand() *cobra.Command {
	var a dlqAction
	cmd := &cobra.Command{
		Use:   "discard [ID...]",
		Short: "Settle dead letters for good, with a reason",
		Long: `Settles what is chosen: nothing will be posted for it. Each dead letter gets an outcome of its own on the outcome
topic: REJECTED, class discarded, with who did it and why; its source is the dead letter. The dead letter stays
where it is until retention removes it, and counts as done with.

What was written in part stays in the books: the rows name the documents. Look at them first.`,
		Example: `  booksync dlq discard payments/1/7 --reason 'test payment of the gateway'
  booksync dlq discard --class rejected.test --until 7d --apply --reason 'sandbox events'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.op.reason == "" {
				return usage(cmd, "a discard needs --reason")
			}
			return dlqError(c.dlqAct(cmd, &a, args, "discard", (*dlq.Desk).Discard))
		},
	}
	a.add(cmd)
	return cmd
}

// dlqAction are the flags of replay and discard.
type dlqAction struct {
	op        operation
	filter    dlqFilter
	max, rate int
	force     bool
}

func (a *dlqAction) add(cmd *cobra.Command) {
	a.op.flags(cmd)
	a.filter.add(cmd, true)
	cmd.Flags().IntVar(&a.max, "max", 0, "at most `N`, of each source partition the oldest first; 0: no bound")
	cmd.Flags().IntVar(&a.rate, "rate", 0, "at most `N` a second; 0: no bound")
}

type dlqVerb func(*dlq.Desk, context.Context, *dlq.Request, dlq.Watch) (*dlq.Result, error)

func (c *cli) dlqAct(cmd *cobra.Command, a *dlqAction, ids []string, name string, do dlqVerb) error {
	switch err := a.op.check(cmd); {
	case err != nil:
		return err
	case a.max < 0 || a.rate < 0:
		return usage(cmd, "--max and --rate must not be negative")
	}
	desk, closeDesk, err := c.desk(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer closeDesk()
	filter, err := a.filter.filter(c, cmd, desk, ids)
	if err != nil {
		return err
	}
	if !filter.Chooses() && !a.filter.all {
		return usage(cmd, "choose: ids, a filter, or --all")
	}
	out := bufio.NewWriter(c.stdout)
	watch, finish := c.watchAction(out, a, name)
	res, err := do(desk, cmd.Context(), &dlq.Request{
		Filter: filter, Actor: a.op.who(), Reason: a.op.reason, Selector: a.filter.selector(ids),
		Apply: a.op.apply, Force: a.force, Max: a.max, Rate: a.rate,
	}, watch)
	finish()
	if res != nil {
		c.warnScan(res.Scan)
		if werr := writeResult(out, res, a.op, name, err); werr != nil && err == nil {
			err = werr
		}
	}
	if ferr := out.Flush(); ferr != nil && err == nil {
		err = ferr
	}
	if err != nil {
		if a.op.apply && res != nil && res.Chosen > 0 {
			err = fmt.Errorf("%w; what was committed is done: run the same command again, it goes on with the rest", err)
		}
		return err
	}
	n := 0
	for _, k := range res.LeftOut {
		n += k
	}
	if n > 0 {
		return failed("%s left out", plural(n, "dead letter"))
	}
	return nil
}

// watchAction prints as an action goes on: the counts of what is chosen, then each dead letter.
func (c *cli) watchAction(out *bufio.Writer, a *dlqAction, name string) (w dlq.Watch, finish func()) {
	var acting *progressbar.ProgressBar
	w.Read, finish = c.reading()
	finishReading := finish
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	w.Chosen = func(res *dlq.Result) {
		finishReading()
		if !a.op.asJSON && res.Chosen > 0 {
			writeSummary(out, res.Summary, time.Now())
			fmt.Fprintln(out)
		}
	}
	w.Each = func(r *dlq.Report) error {
		if a.op.asJSON {
			return enc.Encode(r)
		}
		word := r.Kind
		if r.Forced {
			word += "!"
		}
		return writeRow(out, &r.Letter, word, r.Text)
	}
	w.Acting = func(done, total int) {
		_ = out.Flush() // what is done is to be seen, whatever comes next
		if acting == nil && (total >= longWork || a.rate > 0) {
			acting = c.meter(int64(total), name)
		}
		if acting != nil {
			_ = acting.Set(done)
		}
	}
	return w, func() {
		finishReading()
		if acting != nil {
			_ = acting.Finish()
		}
	}
}

// writeResult prints the sums.
func writeResult(w io.Writer, res *dlq.Result, op operation, name string, err error) error {
	if op.asJSON {
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		return json.NewEncoder(w).Encode(struct {
			*dlq.Result
			Error string `json:"error,omitempty"`
		}{res, problem})
	}
	done := "would be done"
	if res.Applied {
		done = "done"
	}
	if res.Chosen > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s: %d chosen, %d %s%s", name, res.Chosen, res.Count(), done, fates(res.Done))
	if len(res.LeftOut) > 0 {
		fmt.Fprintf(w, "; left out%s", fates(res.LeftOut))
	}
	if res.Waiting > 0 {
		fmt.Fprintf(w, "; %d more wait for the next call (--max)", res.Waiting)
	}
	fmt.Fprintln(w)
	switch {
	case !res.Applied:
		fmt.Fprintln(w, "nothing was changed: --apply acts")
	case res.Count() > 0:
		fmt.Fprintf(w, "action %s, in the audit topic\n", res.Action)
	}
	return nil
}

// fates are counts by fate, the most first.
func fates(counts map[string]int) string {
	var parts []string
	for kind, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, kind))
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return " (" + strings.Join(parts, ", ") + ")"
}
