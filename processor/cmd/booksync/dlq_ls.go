package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/operator/dlq"
)

func (c *cli) dlqLsCommand() *cobra.Command {
	var o dlqFilter
	var rows, asJSON bool
	var idsOut string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "Count dead letters by class, workflow, organisation, topic and code",
		Long: `Reads the dead-letter topics to their ends of this moment and counts what nothing was done with yet, with the
age of the oldest. Only headers are read, unless --where asks for the event. Nothing is kept, nothing is changed.

--rows prints the dead letters too, one a line; --ids-out writes their ids to a file for --ids, so that one person
chooses and another looks at it and acts.`,
		Example: `  booksync dlq ls
  booksync dlq ls --since 24h --class rejected.tax --rows
  booksync dlq ls --where 'has(event.notes) && event.notes.contains("gift")' --ids-out chosen.txt
  booksync dlq ls --state discarded,replayed --json`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return dlqError(c.dlqLs(cmd, &o, rows, asJSON, idsOut)) },
	}
	o.add(cmd, false)
	f := cmd.Flags()
	f.BoolVar(&rows, "rows", false, "print each dead letter")
	f.BoolVar(&asJSON, "json", false, "print JSON: one object a line with --rows, then the counts in the last line")
	f.StringVar(&idsOut, "ids-out", "", "write the ids of what is chosen to `FILE`")
	return cmd
}

func (c *cli) dlqLs(cmd *cobra.Command, o *dlqFilter, rows, asJSON bool, idsOut string) (err error) {
	desk, closeDesk, err := c.desk(cmd.Context(), false)
	if err != nil {
		return err
	}
	defer closeDesk()
	filter, err := o.filter(c, cmd, desk, nil)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(c.stdout)
	ids := bufio.NewWriter(io.Discard)
	if idsOut != "" {
		f, err := createFile(idsOut)
		if err != nil {
			return err
		}
		defer f.Close()
		ids.Reset(f)
		fmt.Fprintf(ids, "# booksync dlq ls %s\n", o.selector(nil))
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	progress, finish := c.reading()
	sum, scan, err := desk.List(cmd.Context(), &filter, func(l *dlq.Letter, state dlq.State) error {
		if idsOut != "" {
			fmt.Fprintf(ids, "%s\t%s\t%s\n", l.ID, l.Class, l.BusinessID)
		}
		switch {
		case rows && asJSON:
			return enc.Encode(struct {
				*dlq.Letter
				State dlq.State `json:"state"`
			}{l, state})
		case rows:
			return writeRow(out, l, string(state), l.Message)
		}
		return nil
	}, progress)
	finish()
	c.warnScan(scan)
	if err == nil {
		err = ids.Flush()
	}
	if err != nil {
		_ = out.Flush() // what was chosen so far is worth having; the error says that it is not all
		return err
	}
	if len(scan.Missing) == len(desk.Topics()) {
		return failed("none of the dead-letter topics exists; `booksync setup --apply` creates them")
	}
	if asJSON {
		if err := enc.Encode(sum); err != nil {
			return err
		}
		return out.Flush()
	}
	writeSummary(out, sum, time.Now())
	if idsOut != "" {
		fmt.Fprintf(out, "\nids written to %s\n", idsOut)
	}
	return out.Flush()
}

// writeRow prints one dead letter; control characters of its text would move the cursor.
func writeRow(w io.Writer, l *dlq.Letter, word, text string) error {
	_, err := fmt.Fprintf(w, "%s  %-11s  %s  %s  %s %s  %s\n", l.ID, word, l.FailedAt.Format(time.RFC3339), plainOr(l.Class), plainOr(l.Workflow), plainOr(l.BusinessID), plain(text))
	return err
}

// plain is text from a record as one line without control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func plainOr(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}

// writeSummary prints the counts with a bar each.
func writeSummary(w io.Writer, s *dlq.Summary, now time.Time) {
	if s.Count == 0 {
		fmt.Fprint(w, "no dead letters")
	} else {
		fmt.Fprintf(w, "%s, the oldest %s old", plural(s.Count, "dead letter"), age(now.Sub(s.Oldest)))
		for _, part := range []struct {
			n    int
			what string
		}{{s.Quarantined, "quarantined"}, {s.Truncated, "without value"}} {
			if part.n > 0 {
				fmt.Fprintf(w, ", %d %s", part.n, part.what)
			}
		}
	}
	var handled []string
	for _, state := range []dlq.State{dlq.StateReplayed, dlq.StateEdited, dlq.StateDiscarded} {
		if n := s.Handled[state]; n > 0 {
			handled = append(handled, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(handled) > 0 {
		fmt.Fprintf(w, " (done with: %s)", strings.Join(handled, ", "))
	}
	fmt.Fprintln(w)
	if s.Count == 0 {
		return
	}
	for _, g := range s.Groups {
		width := len(g.By)
		for _, r := range g.Rows {
			width = max(width, len(plain(r.Name)))
		}
		fmt.Fprintf(w, "\n%-*s  %8s  %-8s\n", width, g.By, "count", "oldest")
		for _, r := range g.Rows {
			fmt.Fprintf(w, "%-*s  %8d  %-8s  %s\n", width, plain(r.Name), r.Count, age(now.Sub(r.Oldest)), bar(r.Count, s.Count))
		}
	}
}

// bar is a count's share of all, in up to 30 characters; something is never nothing.
func bar(n, all int) string {
	const longest = 30
	return strings.Repeat("#", max(1, n*longest/max(all, 1)))
}
