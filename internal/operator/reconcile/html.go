package reconcile

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"money": func(d decimal.Decimal, currency string) string { return text(d, currency) },
	"nullable": func(d decimal.NullDecimal, currency string) string {
		if !d.Valid {
			return ""
		}
		return text(d.Decimal, currency)
	},
	"same":    func(s Sum) bool { return differs(s) == "" },
	"instant": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
	"round":   func(d time.Duration) string { return d.Round(time.Millisecond).String() },
}).Parse(page))

// statusCount is a row of the page.
type statusCount struct {
	Status Status
	Count  int
	Bad    bool
}

// pageData is what the page shows.
type pageData struct {
	*Result
	Statuses []statusCount
	Totals   []Sum // over all days
	Remarks  []string
}

// WriteHTML writes one page that needs nothing else: sums per day and currency, then the exceptions.
func (r *Result) WriteHTML(w io.Writer) error {
	data := pageData{Result: r, Remarks: r.remarks()}
	for _, s := range Statuses() {
		if n := r.Counts[s]; n > 0 {
			data.Statuses = append(data.Statuses, statusCount{s, n, s.Exception()})
		}
	}
	totals := map[Sum]Sum{}
	for _, s := range r.Sums {
		key := Sum{Workflow: s.Workflow, Currency: s.Currency}
		t := totals[key]
		t.Workflow, t.Currency, t.Count = s.Workflow, s.Currency, t.Count+s.Count
		t.Events, t.Outcomes, t.Books = t.Events.Add(s.Events), t.Outcomes.Add(s.Outcomes), t.Books.Add(s.Books)
		totals[key] = t
	}
	for _, t := range totals {
		data.Totals = append(data.Totals, t)
	}
	slices.SortFunc(data.Totals, func(a, b Sum) int {
		return cmp.Or(cmp.Compare(a.Workflow, b.Workflow), cmp.Compare(a.Currency, b.Currency))
	})
	if err := pageTemplate.Execute(w, data); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
