package rollback

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Selector says which outcomes are to be taken back; everything that is given must hold.
type Selector struct {
	Since        time.Time `json:"since,omitzero"` // settled at or after
	Until        time.Time `json:"until,omitzero"` // settled before
	Version      string    `json:"version,omitempty"`
	ConfigHash   string    `json:"config_hash,omitempty"` // of the mapping in force; a beginning is enough
	Workflow     string    `json:"workflow,omitempty"`
	Organization string    `json:"organization,omitempty"`
	IDs          []string  `json:"ids,omitempty"` // of outcomes, orders, payments, refunds, or documents
}

// Empty says that everything ever posted would be selected.
func (s *Selector) Empty() bool {
	return s.Since.IsZero() && s.Until.IsZero() && s.Version == "" && s.ConfigHash == "" && s.Workflow == "" && s.Organization == "" && len(s.IDs) == 0
}

// maxNamed bounds the ids that String names.
const maxNamed = 20

// String is the selector as the flags that make it, for the audit; of many ids it names the first.
func (s *Selector) String() string {
	var parts []string
	add := func(flag, value string) {
		if value != "" {
			parts = append(parts, "--"+flag+" "+value)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	add("since", at(s.Since))
	add("until", at(s.Until))
	add("version", s.Version)
	add("config-hash", s.ConfigHash)
	add("workflow", s.Workflow)
	add("organization", s.Organization)
	add("ids", strings.Join(s.IDs[:min(len(s.IDs), maxNamed)], ","))
	if n := len(s.IDs) - maxNamed; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	if len(parts) == 0 {
		return "--all"
	}
	return strings.Join(parts, " ")
}

func (s *Selector) matches(o *schemas.Outcome) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	switch {
	case !s.Since.IsZero() && o.SettledAt.Before(s.Since), !s.Until.IsZero() && !o.SettledAt.Before(s.Until):
		return false
	case !is(s.Version, o.Version), !is(s.Workflow, o.Workflow), !is(s.Organization, o.Organization):
		return false
	case s.ConfigHash != "" && (len(o.ConfigHash) < len(s.ConfigHash) || o.ConfigHash[:len(s.ConfigHash)] != s.ConfigHash):
		return false
	}
	return len(s.IDs) == 0 || slices.ContainsFunc(s.IDs, func(id string) bool { return names(o, id) })
}

func names(o *schemas.Outcome, id string) bool {
	return o.OutcomeID == id || o.BusinessID == id || o.OrderID == id || o.Source.EventID == id ||
		slices.ContainsFunc(o.Documents, func(d schemas.Document) bool { return d.ID == id || d.Number == id })
}

// Outcomes reads the outcome topic, from its start to its end at the time of the call, in the order of each partition. It
// may be read several times.
type Outcomes func(ctx context.Context, each func(*schemas.Outcome) error) error

// orderID is an order of an organisation.
type orderID struct{ organization, id string }

// choose reads the topic twice: for the orders that selected outcomes belong to, then for everything that was posted of
// these. What an earlier rollback took back is left out. Memory grows with what is chosen, not with the topic.
func choose(ctx context.Context, read Outcomes, sel *Selector) ([]*Group, error) {
	orders := make(map[orderID]bool)
	if err := read(ctx, func(o *schemas.Outcome) error {
		if o.Status == schemas.StatusPosted && sel.matches(o) {
			orders[orderID{o.Organization, o.OrderID}] = true
		}
		return nil
	}); err != nil {
		return nil, err
	}
	posted := make(map[orderID]map[schemas.Source]*Posted)
	if err := read(ctx, func(o *schemas.Outcome) error {
		id := orderID{o.Organization, o.OrderID}
		source := sourceOf(o)
		switch {
		case !orders[id]:
		case o.Status == schemas.StatusReversed:
			delete(posted[id], source)
		case o.Status == schemas.StatusPosted:
			if posted[id] == nil {
				posted[id] = make(map[schemas.Source]*Posted)
			}
			posted[id][source] = postedOf(o, sel.matches(o))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var groups []*Group
	for id, all := range posted {
		if g := groupOf(id, all); g != nil {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), b.Outcomes[0].SettledAt.Compare(a.Outcomes[0].SettledAt), cmp.Compare(a.OrderID, b.OrderID))
	})
	return groups, nil
}

// sourceOf is the record's place: a REVERSED outcome has that of the outcome it takes back.
func sourceOf(o *schemas.Outcome) schemas.Source {
	return schemas.Source{Topic: o.Source.Topic, Partition: o.Source.Partition, Offset: o.Source.Offset}
}

func postedOf(o *schemas.Outcome, selected bool) *Posted {
	return &Posted{
		OutcomeID: o.OutcomeID, Workflow: o.Workflow, BusinessID: o.BusinessID, OrderID: o.OrderID, Revision: o.Revision, Source: o.Source,
		Documents: o.Documents, Currency: o.Currency, Expected: o.Expected, Posted: o.Posted, ConfigHash: o.ConfigHash, SettledAt: o.SettledAt,
		Selected: selected,
	}
}

// groupOf takes the selected outcomes of an order and those that rest on them; nil if nothing selected wrote a document.
func groupOf(id orderID, all map[schemas.Source]*Posted) *Group {
	list := make([]*Posted, 0, len(all))
	for _, p := range all {
		list = append(list, p)
	}
	// Last first: by time, then by what needs what, for outcomes of one millisecond.
	rank := map[string]int{string(processor.WorkflowRefund): 0, string(processor.WorkflowPayment): 1, string(processor.WorkflowOrder): 2}
	slices.SortFunc(list, func(a, b *Posted) int {
		return cmp.Or(b.SettledAt.Compare(a.SettledAt), cmp.Compare(rank[a.Workflow], rank[b.Workflow]), cmp.Compare(b.Source.Offset, a.Source.Offset))
	})
	g := &Group{Organization: id.organization, OrderID: id.id, Orders: []string{id.id}}
	for i, p := range list {
		if p.Selected && len(p.Documents) > 0 || restsOnLater(list[i+1:], p) {
			g.Outcomes = append(g.Outcomes, p)
		} else {
			g.Kept = append(g.Kept, p.Documents...)
		}
	}
	if len(g.Outcomes) == 0 {
		return nil
	}
	return g
}

// restsOnLater says whether what p did rests on one of the earlier outcomes that is selected: everything rests on the
// order's own, a refund on payments and cancellations too.
func restsOnLater(earlier []*Posted, p *Posted) bool {
	return len(p.Documents) > 0 && slices.ContainsFunc(earlier, func(e *Posted) bool {
		return e.Selected && len(e.Documents) > 0 && (e.Workflow == string(processor.WorkflowOrder) || p.Workflow == string(processor.WorkflowRefund))
	})
}
