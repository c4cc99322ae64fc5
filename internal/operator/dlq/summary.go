package dlq

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Summary counts dead letters.
type Summary struct {
	Count       int           `json:"count"`
	Oldest      time.Time     `json:"oldest,omitzero"`
	Quarantined int           `json:"quarantined"`
	Truncated   int           `json:"truncated"`
	Handled     map[State]int `json:"handled"` // that meet the filter but for their state
	Groups      []Group       `json:"groups"`
}

// Group are the counts by one property, the most first.
type Group struct {
	By   string `json:"by"`
	Rows []Row  `json:"rows"`

	index map[string]int
}

// Row counts the dead letters that have one value of a property.
type Row struct {
	Name   string    `json:"name"`
	Count  int       `json:"count"`
	Oldest time.Time `json:"oldest"`
}

// Dead letters may carry anybody's headers: beyond mostRows values the rest are counted together.
const (
	mostRows = 1000
	others   = "(others)"
)

// NewSummary is one of nothing.
func NewSummary() *Summary {
	s := &Summary{Handled: make(map[State]int)}
	for _, by := range []string{"class", "workflow", "organization", "source topic", "code"} {
		s.Groups = append(s.Groups, Group{By: by, Rows: []Row{}, index: make(map[string]int)})
	}
	return s
}

// Add counts a letter.
func (s *Summary) Add(l *Letter) {
	s.Count++
	if s.Oldest.IsZero() || l.FailedAt.Before(s.Oldest) {
		s.Oldest = l.FailedAt
	}
	if l.Quarantined() {
		s.Quarantined++
	}
	if l.Truncated != "" {
		s.Truncated++
	}
	for i, value := range []string{l.Class, l.Workflow, l.Organization, l.Source.Topic, l.Code} {
		s.Groups[i].add(value, l.FailedAt)
	}
}

func (g *Group) add(name string, at time.Time) {
	if name == "" {
		name = "(none)"
	}
	i, ok := g.index[name]
	if !ok && len(g.Rows) >= mostRows {
		name = others
		i, ok = g.index[name]
	}
	if !ok {
		i = len(g.Rows)
		g.index[name] = i
		g.Rows = append(g.Rows, Row{Name: name, Oldest: at})
	}
	r := &g.Rows[i]
	if r.Count++; at.Before(r.Oldest) {
		r.Oldest = at
	}
}

// sort puts the most first. Nothing may be added after it.
func (s *Summary) sort() {
	for _, g := range s.Groups {
		slices.SortFunc(g.Rows, func(a, b Row) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Name, b.Name)) })
	}
}

// List counts the dead letters that meet the filter, and calls each, if not nil, with every one of them.
func (d *Desk) List(ctx context.Context, f *Filter, each func(*Letter, State) error, progress func(read, total int64)) (*Summary, *Scan, error) {
	sum := NewSummary()
	every := *f
	every.States = []State{StateOpen, StateQuarantined, StateReplayed, StateEdited, StateDiscarded}
	wanted := f.States
	if len(wanted) == 0 {
		wanted = []State{StateOpen, StateQuarantined}
	}
	scan, err := d.Scan(ctx, &every, func(l *Letter, state State, _ *kgo.Record) error {
		if !slices.Contains(wanted, state) {
			sum.Handled[state]++
			return nil
		}
		sum.Add(l)
		if each == nil {
			return nil
		}
		return each(l, state)
	}, progress)
	sum.sort()
	return sum, scan, err
}
