package zohobooks

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	pageSize     = 200   // Zoho's maximum, and its default on the wire (the documents say 10)
	maxListPages = 5_000 // pages of a list: a million rows, and hours of calls
	maxFindPages = 5     // pages a search goes through when the filter seems to be ignored
	maxFindGets  = 10    // documents of a page a search opens because the rows lack the field
	// Zoho's layout of timestamps: the offset has no colon.
	timestamp = "2006-01-02T15:04:05-0700"
)

// errEndless: a list that says again and again that there is more.
var errEndless = errors.New("the list does not end")

// ListOptions narrow a list. Zoho ignores what it does not know, so look at the rows.
type ListOptions struct {
	FilterBy      string     // such as Status.Unpaid; "" is everything
	CustomerID    string     //
	Date          string     // exact date, yyyy-mm-dd
	DateStart     string     // invoices, credit notes
	DateEnd       string     // invoices, credit notes
	ModifiedSince time.Time  // invoices, credit notes, accounts; whole seconds
	SortColumn    string     // default: the resource's own
	Ascending     bool       // with SortColumn
	PerPage       int        // default and maximum 200
	Page          int        // first page; default 1
	Extra         url.Values // other filters as Zoho names them

	path string // the list's, when it is not the resource itself
}

// values are the query without page and organisation.
func (o ListOptions) values() url.Values {
	q := url.Values{}
	for k, v := range o.Extra {
		q[k] = v
	}
	set := func(k, v string) {
		if v != "" {
			q.Set(k, v)
		}
	}
	set("filter_by", o.FilterBy)
	set("customer_id", o.CustomerID)
	set("date", o.Date)
	set("date_start", o.DateStart)
	set("date_end", o.DateEnd)
	if !o.ModifiedSince.IsZero() {
		q.Set("last_modified_time", o.ModifiedSince.Format(timestamp))
	}
	if o.SortColumn != "" {
		q.Set("sort_column", o.SortColumn)
		order := "D"
		if o.Ascending {
			order = "A"
		}
		q.Set("sort_order", order)
	}
	return q
}

// pageContext is the part of a list's answer that says whether there is more.
type pageContext struct {
	Page    int  `json:"page"`
	PerPage int  `json:"per_page"`
	More    bool `json:"has_more_page"`
}

// listAnswer is the answer to a list of T.
type listAnswer[T any] interface {
	answer
	rows() []T
	context() pageContext
}

// fetchPage makes the call for one page.
func fetchPage[T any](ctx context.Context, c *Client, resource, path string, q url.Values, page, perPage int, out listAnswer[T]) error {
	q.Set("page", strconv.Itoa(page))
	q.Set("per_page", strconv.Itoa(perPage))
	return c.do(ctx, &call{method: http.MethodGet, resource: resource, path: path, query: q.Encode()}, out)
}

// list walks all pages, one call each. It ends at the first error, which it yields with a zero T.
func list[T any](ctx context.Context, c *Client, resource string, opts *ListOptions, fresh func() listAnswer[T]) iter.Seq2[T, error] {
	var o ListOptions
	if opts != nil {
		o = *opts
	}
	if o.PerPage <= 0 || o.PerPage > pageSize {
		o.PerPage = pageSize
	}
	if o.path == "" {
		o.path = resource
	}
	return func(yield func(T, error) bool) {
		q := o.values()
		for page := max(o.Page, 1); ; page++ {
			a := fresh()
			if err := fetchPage(ctx, c, resource, o.path, q, page, o.PerPage, a); err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, row := range a.rows() {
				if !yield(row, nil) {
					return
				}
			}
			if page-max(o.Page, 1)+1 >= maxListPages && a.context().More {
				var zero T
				yield(zero, fmt.Errorf("listing %s: %w after %d pages", resource, errEndless, maxListPages))
				return
			}
			// An empty page ends the list whatever the context says: else a wrong flag would go on for ever.
			if !a.context().More || len(a.rows()) == 0 {
				return
			}
		}
	}
}

// verdict of a row on a search.
type fit int

const (
	fitNo    fit = iota
	fitYes       // the row is what was searched for
	fitMaybe     // the row lacks the field; the document must be opened
)

// find searches with the filter q and returns the rows that really fit, in Zoho's order. open fetches a document for a row that lacks the field; it may be nil.
//
// A filter that works leaves few rows. When a full page has none that fits, it was ignored; the search goes on for some pages and
// then gives up with ErrSearchIncomplete rather than say that nothing is there.
func find[T any](ctx context.Context, c *Client, resource string, q url.Values, fresh func() listAnswer[T],
	fits func(*T) fit, open func(context.Context, *T) (*T, error),
) ([]T, error) {
	var found []T
	for page := 1; ; page++ {
		a := fresh()
		if err := fetchPage(ctx, c, resource, resource, q, page, pageSize, a); err != nil {
			return nil, err
		}
		var unsure []*T
		rows := a.rows()
		for i := range rows {
			switch fits(&rows[i]) {
			case fitYes:
				found = append(found, rows[i])
			case fitMaybe:
				unsure = append(unsure, &rows[i])
			}
		}
		if len(unsure) > maxFindGets && len(found) == 0 {
			return nil, fmt.Errorf("searching %s: %w", resource, ErrSearchIncomplete)
		}
		for _, row := range unsure[:min(len(unsure), maxFindGets)] {
			if len(found) > 0 { // the field is unique where rows may lack it
				break
			}
			doc, err := open(ctx, row)
			if err != nil {
				return nil, err
			}
			if fits(doc) == fitYes {
				found = append(found, *doc)
			}
		}
		if !a.context().More || len(rows) == 0 {
			return found, nil
		}
		if page == maxFindPages {
			if len(found) > 0 {
				return found, nil
			}
			return nil, fmt.Errorf("searching %s: %w", resource, ErrSearchIncomplete)
		}
	}
}

// item makes the path of one document. Ids are Zoho's rows of digits; anything else is refused before a call is spent, so that nothing can
// climb out of the path.
func item(collection, id, rest string) (string, error) {
	if !digits(id) {
		return "", fmt.Errorf("%w: %s: %q is not an id of Zoho", ErrInvalidRequest, collection, clipTo(id, 40))
	}
	return collection + "/" + id + rest, nil
}

// one makes a call on one document.
func (c *Client) one(ctx context.Context, method, collection, id, rest string, body any, out answer) error {
	path, err := item(collection, id, rest)
	if err != nil {
		return err
	}
	return c.do(ctx, &call{method: method, resource: collection + "/{id}" + rest, path: path, body: body}, out)
}

func ignoreAutoNumber(ignore bool) string {
	if ignore {
		return "ignore_auto_number_generation=true"
	}
	return ""
}

// sameText compares as Zoho's own uniqueness is assumed to: without case and outer space.
func sameText(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

func fitIf(ok bool) fit {
	if ok {
		return fitYes
	}
	return fitNo
}
