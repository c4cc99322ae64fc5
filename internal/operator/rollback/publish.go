package rollback

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// outcomes are the REVERSED ones of a group. Expected and posted are the negatives of what they take back, so that the sums over the topic are those of the
// books; the source is the same, which tells whose they are.
func (r *Runner) outcomes(plan *Plan, g *Group, credited map[string]*zohobooks.CreditNote) []*schemas.Outcome {
	now := time.Now().UTC().Truncate(time.Millisecond)
	list := make([]*schemas.Outcome, 0, len(g.Outcomes))
	for _, p := range g.going() {
		out := &schemas.Outcome{
			OutcomeID: reversedID(plan.ID, p.OutcomeID), Status: schemas.StatusReversed, Workflow: p.Workflow, Organization: g.Organization,
			BusinessID: p.BusinessID, OrderID: p.OrderID, Revision: p.Revision, Source: p.Source, Currency: p.Currency,
			Expected: negative(p.Expected), Posted: negative(p.Posted), Reason: reasonOf(plan.ID, p.OutcomeID),
			Version: r.Version, ConfigHash: p.ConfigHash, SettledAt: now,
		}
		for _, d := range p.Documents {
			d.Status, d.Balance = "void", decimal.Zero
			if d.Type != docInvoice && d.Type != docCreditNote {
				d.Status = "deleted"
			}
			if note := credited[d.ID]; note != nil && d.Type == docInvoice {
				d.Status = "credited"
				out.Documents = append(out.Documents, d, documentOf(note))
				continue
			}
			out.Documents = append(out.Documents, d)
		}
		list = append(list, out)
	}
	return list
}

// The words of a REVERSED outcome's reason.
const (
	reasonPlan    = "rollback "
	reasonOutcome = " of outcome "
)

func reasonOf(plan, outcome string) string { return reasonPlan + plan + reasonOutcome + outcome }

// PlanOf is the id of the plan that a REVERSED outcome belongs to; "" of any other.
func PlanOf(o *schemas.Outcome) string {
	text, ok := strings.CutPrefix(o.Reason, reasonPlan)
	plan, _, whole := strings.Cut(text, reasonOutcome)
	if o.Status != schemas.StatusReversed || !ok || !whole {
		return ""
	}
	return plan
}

func negative(d decimal.NullDecimal) decimal.NullDecimal {
	return decimal.NullDecimal{Decimal: d.Decimal.Neg(), Valid: d.Valid}
}

// reversedID is the same whenever the outcome is published.
func reversedID(plan, outcome string) string {
	sum := sha256.Sum256([]byte("rollback\x00" + plan + "\x00" + outcome))
	return hex.EncodeToString(sum[:16])
}

// publishKept publishes what the claim of a group that was taken back holds.
func (r *Runner) publishKept(ctx context.Context, text []byte) error {
	var outcomes []*schemas.Outcome
	if err := json.Unmarshal(text, &outcomes); err != nil {
		return fmt.Errorf("reading the outcomes of an earlier run: %w", err)
	}
	return r.Publish(ctx, outcomes)
}

// Publisher writes REVERSED outcomes, each once.
type Publisher struct {
	Client *kgo.Client // transactional, its id the plan's: a second run of the plan fences the first
	Codec  *schemas.Codec
	Topic  string
	there  map[string]bool    // published by earlier runs
	stale  map[orderID]string // what became of orders that the plan does not know
}

// Prepare reads what earlier runs of the plan have published.
func (p *Publisher) Prepare(ctx context.Context, plan *Plan, read Outcomes) error {
	ours, known := make(map[string]bool), make(map[string]bool)
	p.stale = make(map[orderID]string)
	for _, g := range plan.Groups {
		for _, o := range g.Outcomes {
			ours[reversedID(plan.ID, o.OutcomeID)], known[o.OutcomeID] = true, true
		}
	}
	p.there = make(map[string]bool)
	return read(ctx, func(o *schemas.Outcome) error {
		if ours[o.OutcomeID] {
			p.there[o.OutcomeID] = true
		}
		switch id := (orderID{o.Organization, o.OrderID}); {
		case o.Status == schemas.StatusPosted && !known[o.OutcomeID]:
			p.stale[id] = fmt.Sprintf("%s %s was posted since the plan was made", o.Workflow, o.BusinessID)
		case o.Status == schemas.StatusReversed && !ours[o.OutcomeID]:
			p.stale[id] = fmt.Sprintf("%s %s was taken back by plan %s since the plan was made", o.Workflow, o.BusinessID, PlanOf(o))
		}
		return nil
	})
}

// Stale is what became of an order since the plan was made, which the plan does not know.
func (p *Publisher) Stale(organization, order string) string {
	return p.stale[orderID{organization, order}]
}

// Publish writes those of the outcomes that are not there yet, all in one transaction.
func (p *Publisher) Publish(ctx context.Context, outcomes []*schemas.Outcome) error {
	var records []*kgo.Record
	for _, o := range outcomes {
		if p.there[o.OutcomeID] {
			continue
		}
		value, err := p.Codec.EncodeOutcome(ctx, p.Topic, o)
		if err != nil {
			return fmt.Errorf("encoding an outcome: %w", err)
		}
		records = append(records, &kgo.Record{Topic: p.Topic, Key: []byte(o.OrderID), Value: value})
	}
	if len(records) == 0 {
		return nil
	}
	if err := inTransaction(ctx, p.Client, records); err != nil {
		return fmt.Errorf("publishing what was taken back: %w", err)
	}
	for _, o := range outcomes {
		p.there[o.OutcomeID] = true
	}
	return nil
}

// inTransaction writes all records or none. After an error it's not known which: whoever starts again reads the topic.
func inTransaction(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("%w; ending the transaction: %w", err, client.EndTransaction(context.WithoutCancel(ctx), kgo.TryAbort))
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}
