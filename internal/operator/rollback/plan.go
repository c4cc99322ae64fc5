package rollback

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor"
)

// Books gives an organisation's books and its mapping.
type Books func(ctx context.Context, organization string) (*zohobooks.Client, *processor.Organization, error)

// Build makes the plan. It reads the outcome topic and, one to three calls each, every document concerned; seen is told after each group how many of how
// many are done. It writes nothing. A plan without groups is one, too: nothing that was selected is in the books.
func Build(ctx context.Context, read Outcomes, books Books, sel Selector, creditRefused bool, version string, seen func(done, all int)) (*Plan, error) {
	created := time.Now().UTC().Truncate(time.Millisecond) // what is settled from now on, the plan does not know
	groups, err := choose(ctx, read, &sel)
	if err != nil {
		return nil, err
	}
	p := &Plan{ID: rand.Text()[:12], Created: created, Version: version, Selector: sel, CreditRefused: creditRefused, Groups: groups}
	for i, g := range groups {
		d, err := openDesk(ctx, books, g.Organization, creditRefused)
		if err != nil {
			return nil, err
		}
		if err := d.look(ctx, g); err != nil {
			return nil, fmt.Errorf("order %s: %w", g.OrderID, err)
		}
		seen(i+1, len(groups))
	}
	p.sum()
	return p, nil
}

func (p *Plan) sum() {
	p.Totals = Totals{Groups: len(p.Groups), Workflows: make(map[string]int)}
	for _, g := range p.Groups {
		if g.Blocked != "" {
			p.Totals.Blocked++
			continue
		}
		going := g.going()
		p.Totals.Outcomes += len(going)
		for _, o := range going {
			p.Totals.Workflows[o.Workflow]++
			if !o.Selected {
				p.Totals.Dependent++
			}
		}
		p.Totals.Steps += len(g.Steps)
		p.Totals.Calls += g.Calls
	}
}

// Write keeps the plan in a file that did not exist.
func (p *Plan) Write(name string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the plan: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keeping the plan: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}

// Read reads a plan that Write kept.
func Read(name string) (*Plan, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxPlan+1))
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	if len(text) > maxPlan {
		return nil, fmt.Errorf("%s is larger than %d bytes: no plan of a rollback", name, maxPlan)
	}
	return parse(name, text)
}

// maxPlan bounds a plan's file, in bytes: a hundred thousand outcomes with their documents fit.
const maxPlan = 256 << 20

func parse(name string, text []byte) (*Plan, error) {
	p := &Plan{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("reading the plan %s: %w", name, err)
	}
	if p.ID == "" {
		return nil, fmt.Errorf("%s is no plan of a rollback", name)
	}
	for _, g := range p.Groups {
		if g == nil || slices.Contains(g.Outcomes, nil) {
			return nil, fmt.Errorf("%s is no plan of a rollback: something in its groups is null", name)
		}
	}
	return p, nil
}

// Organizations are those the plan touches.
func (p *Plan) Organizations() []string {
	var names []string
	seen := make(map[string]bool)
	for _, g := range p.Groups {
		if !seen[g.Organization] {
			seen[g.Organization] = true
			names = append(names, g.Organization)
		}
	}
	return names
}
