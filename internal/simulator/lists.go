package simulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Lists. Filters that Zoho does not know for a resource are ignored, as Zoho does (dossier 3.4); those that took effect
// are named in page_context.search_criteria.

// Page sizes: dossier 7, "default 200 live; Maximum 200".
const defaultPerPage, maxPerPage = 200, 200

type page struct {
	number, per, from, to int
	more                  bool
}

func (c *call) page() page {
	p := page{number: 1, per: defaultPerPage}
	if n, err := strconv.Atoi(c.query.Get("page")); err == nil && n > 0 {
		p.number = n
	}
	if n, err := strconv.Atoi(c.query.Get("per_page")); err == nil && n > 0 {
		p.per = min(n, maxPerPage)
	}
	p.from = (p.number - 1) * p.per
	p.to = p.from + p.per
	return p
}

func cut[T any](all []T, p page) []T {
	if p.from >= len(all) {
		return nil
	}
	return all[p.from:min(p.to, len(all))]
}

type criterion struct{ column, text, comparator string }

func (c *call) writePage(p page, report, filter, column, order string, criteria ...criterion) {
	w := c.w
	w.object("page_context")
	w.int("page", p.number)
	w.int("per_page", p.per)
	w.bool("has_more_page", p.more)
	w.str("report_name", report)
	if filter != "" {
		w.str("applied_filter", filter)
	}
	w.raw(`"custom_fields":[],`)
	if report == "Invoices" {
		w.raw(`"seller_app_sales_channels":"",`)
	}
	if column != "" {
		w.str("sort_column", column)
		w.str("sort_order", order)
	}
	if len(criteria) > 0 {
		w.list("search_criteria")
		for _, k := range criteria {
			w.open()
			w.str("column_name", k.column)
			w.str("search_text", k.text)
			w.str("search_text_formatted", k.text)
			w.str("comparator", k.comparator)
			w.close()
		}
		w.endList()
	}
	w.close()
}

// listing says how a kind of document is listed.
type listing[T document] struct {
	key, report   string
	filter        string // the default of filter_by
	column, order string // the default sorting
	index         func(*books) *index[T]
	row           func(*books, *writer, T, string)
	texts         map[string]func(T) string          // filters with _startswith and _contains
	numbers       map[string]func(T) decimal.Decimal // filters with _less_than and so on
	dates         map[string]func(T) string          // filters with _start, _end, _before, _after
	ids           map[string]func(T) uint64
	search        []func(T) string // columns of search_text
	status        func(*books, T, string) string
	nameFilter    string                         // the filter by a unique name, and
	named         func(*books, string) (T, bool) // what finds its one document
	modified      bool                           // last_modified_time filters
	exactDates    bool                           // no ranges of dates
	customField   bool                           // custom_field and created_date filters
	total         func(T) (total, balance decimal.Decimal)
}

// list answers GET of a collection.
func (l *listing[T]) list(c *call) *failure {
	docs, criteria, f := l.find(c)
	if f != nil {
		return f
	}
	column, order := text(c.query.Get("sort_column"), l.column), text(c.query.Get("sort_order"), l.order)
	l.sort(docs, column, order)
	p := c.page()
	p.more = p.to < len(docs)
	w := c.ok("success")
	if option := c.query.Get("response_option"); l.total != nil && option >= "1" && option <= "4" {
		l.sums(w, docs, option)
		if option == "2" || option == "3" {
			return c.done()
		}
	}
	today := c.org.today(c.now)
	w.list(l.key)
	for _, d := range cut(docs, p) {
		w.open()
		l.row(c.org, w, d, today)
		w.close()
	}
	w.endList()
	c.writePage(p, l.report, text(c.query.Get("filter_by"), l.filter), column, order, criteria...)
	return c.done()
}

// sums are the counts and totals of response_option: dossier 3.4.
func (l *listing[T]) sums(w *writer, docs []T, option string) {
	if option != "4" {
		w.int("count", len(docs))
	}
	if option == "2" {
		return
	}
	total, balance := decimal.Zero, decimal.Zero
	for _, d := range docs {
		t, b := l.total(d)
		total, balance = total.Add(t), balance.Add(b)
	}
	w.object("sum")
	w.dec("total", total)
	w.dec("balance", balance)
	w.close()
}

// find are the documents that pass the filters, in a slice of their own.
func (l *listing[T]) find(c *call) ([]T, []criterion, *failure) {
	x := l.index(c.org)
	docs, indexed := l.narrow(c, x)
	if !indexed {
		docs = x.live()
	}
	if lag := c.org.searchLag; lag > 0 {
		docs = until(docs, c.now.Add(-lag))
	}
	tests, criteria, f := l.tests(c)
	if f != nil {
		return nil, nil, f
	}
	out := make([]T, 0, min(len(docs), 4096))
next:
	for _, d := range docs {
		for _, test := range tests {
			if !test(d) {
				continue next
			}
		}
		out = append(out, d)
	}
	return out, criteria, nil
}

// narrow uses an index where a filter has one.
func (l *listing[T]) narrow(c *call, x *index[T]) ([]T, bool) {
	if ref := c.query.Get("reference_number"); ref != "" && l.texts["reference_number"] != nil {
		return inOrder(x.byReference[ref]), true
	}
	for _, name := range []string{"invoice_number", "creditnote_number"} {
		if number := c.query.Get(name); number != "" && l.texts[name] != nil {
			if d, ok := x.byNumber[number]; ok {
				return []T{d}, true
			}
			return nil, true
		}
	}
	if l.named != nil && !c.s.cfg.Switches.NamesCaseSensitive && !c.org.twinNames {
		if name := c.query.Get(l.nameFilter); name != "" {
			if d, ok := l.named(c.org, name); ok {
				return []T{d}, true
			}
			return nil, true
		}
	}
	if l.customField {
		if docs, ok := l.byCustomField(c, x); ok {
			return docs, true
		}
	}
	return nil, false
}

// byCustomField finds documents by the value of a custom field: custom_field=value, custom_field_<api name>=value or,
// with a switch, cf_xxx=value.
func (l *listing[T]) byCustomField(c *call, x *index[T]) ([]T, bool) {
	switches := &c.s.cfg.Switches
	var out []T
	found := false
	for _, def := range c.org.fields[EntityInvoice] {
		for _, p := range []struct {
			name string
			on   bool
		}{{"custom_field", !switches.CustomFieldFilterIgnored}, {"custom_field_" + def.APIName, !switches.CustomFieldFilterIgnored}, {def.APIName, switches.CustomFieldQuery}} {
			if v := c.query.Get(p.name); v != "" && p.on {
				out = append(out, x.byField[fieldKey{def, v}]...)
				found = true
			}
		}
	}
	return inOrder(out), found
}

func inOrder[T document](docs []T) []T {
	out := slices.Clone(docs)
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(a.rec().id, b.rec().id) })
	return slices.Compact(out)
}

func (l *listing[T]) tests(c *call) ([]func(T) bool, []criterion, *failure) {
	var tests []func(T) bool
	var criteria []criterion
	for name, values := range c.query {
		v := values[0]
		if v == "" {
			continue
		}
		test, comparator, f := l.test(c, name, v)
		if f != nil {
			return nil, nil, f
		}
		if test == nil {
			continue
		}
		tests = append(tests, test)
		if comparator != "" {
			criteria = append(criteria, criterion{name, v, comparator})
		}
	}
	slices.SortFunc(criteria, func(a, b criterion) int { return strings.Compare(a.column, b.column) })
	return tests, criteria, nil
}

// test is the filter that a query parameter asks for; nil where the resource has none of that name.
func (l *listing[T]) test(c *call, name, v string) (func(T) bool, string, *failure) {
	switch {
	case name == "status" && l.status != nil:
		today := c.org.today(c.now)
		return func(d T) bool { return statusIs(l.status(c.org, d, today), v) }, "", nil
	case name == "filter_by" && l.status != nil:
		kind, want, _ := strings.Cut(v, ".")
		if kind != "Status" || want == "All" {
			return nil, "", nil
		}
		today := c.org.today(c.now)
		return func(d T) bool { return statusIs(l.status(c.org, d, today), strings.ToLower(want)) }, "", nil
	case name == "search_text":
		want := fold(v)
		return func(d T) bool {
			return slices.ContainsFunc(l.search, func(of func(T) string) bool { return strings.Contains(fold(of(d)), want) })
		}, "contains", nil
	case name == "last_modified_time" && l.modified:
		at, err := time.Parse(timeLayout, v)
		if err != nil {
			return nil, "", invalidValue(name)
		}
		return func(d T) bool { return d.rec().modified.After(at) }, "", nil
	case strings.HasPrefix(name, "created_date") && l.customField:
		loc := c.org.loc
		return dateTest(strings.TrimPrefix(name, "created_date"), v, func(d T) string { return d.rec().created.In(loc).Format(time.DateOnly) }), "", nil
	}
	if of, ok := l.ids[name]; ok {
		want := parseID(v)
		return func(d T) bool { return of(d) == want }, "equal", nil
	}
	for column, of := range l.texts {
		if rest, ok := strings.CutPrefix(name, column); ok {
			if test, comparator := textTest(c, column, rest, v, of); test != nil {
				return test, comparator, nil
			}
		}
	}
	for column, of := range l.numbers {
		if rest, ok := strings.CutPrefix(name, column); ok {
			if test := numberTest(rest, v, of); test != nil {
				return test, "", nil
			}
		}
	}
	for column, of := range l.dates {
		if rest, ok := strings.CutPrefix(name, column); ok && (rest == "" || !l.exactDates) {
			if test := dateTest(rest, v, of); test != nil {
				return test, "", nil
			}
		}
	}
	return nil, "", nil
}

// statusIs matches Zoho's status filters: "unpaid" is whatever is issued and not paid, as far as known.
func statusIs(status, want string) bool {
	if want == "unpaid" {
		return status == "sent" || status == "partially_paid" || status == "overdue"
	}
	return strings.ReplaceAll(status, "_", "") == strings.ReplaceAll(want, "_", "")
}

func textTest[T any](c *call, column, variant, v string, of func(T) string) (func(T) bool, string) {
	want := fold(v)
	switch {
	case variant == "_startswith":
		return func(d T) bool { return strings.HasPrefix(fold(of(d)), want) }, "startswith"
	case variant == "_contains", variant == "" && column == "email" && !c.s.cfg.Switches.ExactEmailSearch:
		return func(d T) bool { return strings.Contains(fold(of(d)), want) }, "contains"
	case variant == "":
		return func(d T) bool { return fold(of(d)) == want }, "equal"
	}
	return nil, ""
}

func numberTest[T any](variant, v string, of func(T) decimal.Decimal) func(T) bool {
	want, err := decimal.NewFromString(v)
	if err != nil {
		return nil
	}
	accept := map[string]func(int) bool{
		"": func(n int) bool { return n == 0 }, "_less_than": func(n int) bool { return n < 0 }, "_less_equals": func(n int) bool { return n <= 0 },
		"_greater_than": func(n int) bool { return n > 0 }, "_greater_equals": func(n int) bool { return n >= 0 },
	}[variant]
	if accept == nil {
		return nil
	}
	return func(d T) bool { return accept(of(d).Cmp(want)) }
}

func dateTest[T any](variant, v string, of func(T) string) func(T) bool {
	switch variant {
	case "":
		return func(d T) bool { return of(d) == v }
	case "_start":
		return func(d T) bool { return of(d) >= v }
	case "_end":
		return func(d T) bool { return of(d) <= v }
	case "_before":
		return func(d T) bool { return of(d) < v }
	case "_after":
		return func(d T) bool { return of(d) > v }
	}
	return nil
}

// sort orders documents; ties and unknown columns fall back to creation.
func (l *listing[T]) sort(docs []T, column, order string) {
	down := order == "D"
	compare := func(T, T) int { return 0 }
	if of := l.texts[column]; of != nil {
		compare = func(a, b T) int { return strings.Compare(fold(of(a)), fold(of(b))) }
	} else if of := l.dates[column]; of != nil {
		compare = func(a, b T) int { return strings.Compare(of(a), of(b)) }
	} else if of := l.numbers[column]; of != nil {
		compare = func(a, b T) int { return of(a).Cmp(of(b)) }
	} else if column == "last_modified_time" {
		compare = func(a, b T) int { return a.rec().modified.Compare(b.rec().modified) }
	} else if column == "created_time" {
		if down {
			slices.Reverse(docs)
		}
		return
	}
	slices.SortStableFunc(docs, func(a, b T) int {
		n := compare(a, b)
		if n == 0 {
			n = cmp.Compare(a.rec().id, b.rec().id)
		}
		if down {
			return -n
		}
		return n
	})
}
