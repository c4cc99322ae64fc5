package reconcile

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shopspring/decimal"
)

// maxShown bounds the exceptions of the table; --json and --csv have all.
const maxShown = 200

// WriteTable prints the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s: %d transactions, %d calls, %s\n\n", r.Organization, r.Window, r.Transactions, r.Calls, r.Duration.Round(time.Millisecond))
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range Statuses() {
		if n := r.Counts[s]; n > 0 {
			fmt.Fprintf(tw, "%s\t%d\n", s, n)
		}
	}
	if r.NotOursCount > 0 {
		fmt.Fprintf(tw, "not booksync's\t%d\n", r.NotOursCount)
	}
	fmt.Fprintf(tw, "\nday\tworkflow\tcurrency\tcount\tevents\toutcomes\tbooks\n")
	for _, s := range r.Sums {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\t%s%s\n", s.Day, s.Workflow, s.Currency, s.Count, text(s.Events, s.Currency), text(s.Outcomes, s.Currency),
			text(s.Books, s.Currency), differs(s))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for i := range r.Exceptions {
		if i == maxShown {
			fmt.Fprintf(&b, "\n%d more: see --json, --csv or --html\n", len(r.Exceptions)-i)
			break
		}
		r.Exceptions[i].write(&b)
	}
	for i := range r.Accepted {
		if i == maxShown {
			break
		}
		e := &r.Accepted[i]
		fmt.Fprintf(&b, "\nignored %s by %s: %s\n", e.ID, e.IgnoredBy, e.IgnoredWhy)
	}
	for i, n := range r.NotOurs {
		if i == maxShown {
			break
		}
		fmt.Fprintf(&b, "\nnot booksync's: %s %s of %s, %s %s%s\n", n.Kind, n.Number, n.Day, text(n.Total, n.Currency), n.Currency, n.remark())
	}
	for _, remark := range r.remarks() {
		fmt.Fprintf(&b, "\nnote: %s\n", remark)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func differs(s Sum) string {
	if s.Events.Equal(s.Outcomes) && s.Outcomes.Equal(s.Books) {
		return ""
	}
	return "  *"
}

func (e *Exception) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s  %s  %s %s", e.Status, e.ID, e.Day, e.Currency)
	if e.Number != "" {
		fmt.Fprintf(b, "  %s", e.Number)
	}
	b.WriteByte('\n')
	for _, d := range e.Differences {
		fmt.Fprintf(b, "    %s\n", d)
	}
	for _, p := range e.Repairs {
		verb := "by hand: "
		if p.Act() {
			verb = "--repair: "
		}
		fmt.Fprintf(b, "    -> %s%s\n", verb, p.Text)
	}
}

func (n NotOurs) remark() string {
	if n.Same != "" {
		return ", same reference as " + n.Same
	}
	return ""
}

// remarks say what the result does not cover.
func (r *Result) remarks() []string {
	var out []string
	add := func(n int, format string) {
		if n > 0 {
			out = append(out, fmt.Sprintf(format, n))
		}
	}
	add(r.SourceGone, "of %d transactions the source topics do not hold the event (any more): outcome and books were compared")
	add(r.NotOpened, "%d doubtful documents were not opened: the calls were spent")
	add(r.Unreadable, "%d records could not be read")
	add(r.LeftOut, "%d exceptions are left out")
	return out
}

// WriteCSV writes one line per exception, accepted ones included, for a spreadsheet.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{
		"status", "id", "workflow", "business_id", "order_id", "day", "currency", "events", "outcomes", "books", "document_id", "number", "url",
		"differences", "ignored_by", "ignored_why",
	}}
	for _, list := range [][]Exception{r.Exceptions, r.Accepted} {
		for i := range list {
			e := &list[i]
			row := []string{
				string(e.Status), e.ID, e.Workflow, e.BusinessID, e.OrderID, e.Day, e.Currency, amount(e.Events.Valid, e.Events.Decimal.String()),
				amount(e.Outcomes.Valid, e.Outcomes.Decimal.String()), amount(e.Books.Valid, e.Books.Decimal.String()), e.DocumentID, e.Number, e.URL,
				e.Message(), e.IgnoredBy, e.IgnoredWhy,
			}
			rows = append(rows, row)
		}
	}
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}

func amount(valid bool, s string) string {
	if !valid {
		return ""
	}
	return s
}

// plain keeps a spreadsheet from taking a text that others wrote for a formula. Numbers stay as they are.
func plain(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := decimal.NewFromString(s); err == nil {
		return s
	}
	return "'" + s
}
