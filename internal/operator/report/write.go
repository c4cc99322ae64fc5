package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
)

// WriteTable prints the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %s: %d calls\n", r.Organization, r.Window, r.Calls)
	currency := ""
	for _, l := range r.Lines {
		if l.Currency != currency {
			currency = l.Currency
			fmt.Fprintf(tw, "\n%s\t\tevents\toutcomes\tbooks\tdifference\t\n", currency)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t\n", l.Section, l.Name, text(l.Events, currency), text(l.Outcomes, currency), text(l.Books, currency), difference(l))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	if r.Exceptions > 0 {
		fmt.Fprintf(w, "\n%d transactions do not agree: `booksync reconcile --since %s --until %s` names them\n", r.Exceptions, r.Window.Since, r.Window.Until)
	}
	if r.NotOurs > 0 {
		fmt.Fprintf(w, "\n%d documents in the books are not booksync's; they are not in these sums\n", r.NotOurs)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", n)
	}
	return nil
}

func text(n decimal.NullDecimal, currency string) string {
	if !n.Valid {
		return "-"
	}
	if digits, ok := money.MinorUnit(currency); ok && money.Exact(n.Decimal, currency) {
		return n.Decimal.StringFixed(digits)
	}
	return n.Decimal.String()
}

func difference(l Line) string {
	if !l.Difference.Valid || l.Difference.Decimal.IsZero() {
		return ""
	}
	return text(l.Difference, l.Currency)
}

// WriteCSV writes one line per sum.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"currency", "section", "name", "events", "outcomes", "books", "difference"}}
	for _, l := range r.Lines {
		row := []string{l.Currency, l.Section, l.Name}
		for _, n := range []decimal.NullDecimal{l.Events, l.Outcomes, l.Books, l.Difference} {
			if n.Valid {
				row = append(row, n.Decimal.String())
			} else {
				row = append(row, "")
			}
		}
		rows = append(rows, row)
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}
