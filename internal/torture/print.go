package torture

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes a table for people.
func (s *Summary) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, value any) { _, _ = fmt.Fprintf(t, "%v\t  %s\n", value, name) }
	row("seeds", s.Seeds)
	row("simulated hours", fmt.Sprintf("%.1f", s.SimulatedHours))
	row("seconds", fmt.Sprintf("%.1f", s.Seconds))
	row("events", s.Events)
	for _, status := range sorted(s.Outcomes) {
		row("outcomes "+status, s.Outcomes[status])
	}
	row("calls of Zoho Books", s.Calls)
	row("duplicates", s.Duplicates)
	row("losses", s.Losses)
	row("repeated outcomes", s.RepeatedOutcomes)
	row("failed seeds", len(s.FailedSeeds))
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.FailedSeeds) > 0 {
		if _, err := fmt.Fprintf(w, "failed: %s\n", strings.Trim(fmt.Sprint(s.FailedSeeds), "[]")); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(w, "\nfaults that happened, by kind:"); err != nil {
		return err
	}
	for _, kind := range sorted(s.Faults) {
		_, _ = fmt.Fprintf(t, "%d\t  %s\n", s.Faults[kind], kind)
	}
	return t.Flush()
}

// Print writes what is known of a failed seed: the broken promises, the faults, and the last lines of what happened; 0 lines
// are all.
func (r *Result) Print(w io.Writer, lines int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r)
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  %s: %s\n", p.Promise, p.What)
	}
	fmt.Fprintf(&b, "plan: %s", r.Plan)
	history := r.History
	if left := len(history) - lines; lines > 0 && left > 0 {
		fmt.Fprintf(&b, "history, without its first %d lines:\n", left)
		history = history[left:]
	} else {
		b.WriteString("history:\n")
	}
	for _, line := range history {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
