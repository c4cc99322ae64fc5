package rollback

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Role of the claims that say which groups a plan has taken back: "<plan>/<order>".
const roleRollback = "rollback"

// Claims is what a rollback needs of the claims in Redis; [redis.Claims] is one.
type Claims interface {
	Claim(ctx context.Context, req redis.ClaimRequest) (redis.ClaimAnswer, error)
	Lookup(ctx context.Context, organization string, refs ...redis.Ref) ([]redis.Entry, error)
	Renew(ctx context.Context, h redis.Handle) error
	Reverse(ctx context.Context, h redis.Handle, req redis.Reversal) error
	Finish(ctx context.Context, h redis.Handle, req redis.FinishRequest) error
	Release(ctx context.Context, h redis.Handle) error
}

// Runner applies plans.
type Runner struct {
	Books  Books
	Claims Claims
	// Epoch is the id of the organisation's epoch in Redis.
	Epoch func(ctx context.Context, organization string) (string, error)
	// Publish writes the REVERSED outcomes of a group in one transaction; again it writes those only that are missing.
	Publish func(ctx context.Context, outcomes []*schemas.Outcome) error
	Version string
	Lease   time.Duration
	// Stale says what became of an order since the plan was made, which the plan does not know; "": nothing. It may be nil.
	Stale func(organization, order string) string
	// Done is told after each group.
	Done func(GroupResult)
}

// GroupResult says what became of a group.
type GroupResult struct {
	Organization string `json:"organization"`
	OrderID      string `json:"order_id"`
	Result       string `json:"result"` // reversed, was reversed, blocked, busy or failed
	Why          string `json:"why,omitempty"`
	Steps        int    `json:"steps"` // calls made
	Outcomes     int    `json:"outcomes"`
}

// Results of a group.
const (
	ResultReversed = "reversed"
	ResultBefore   = "was reversed" // by an earlier run of the same plan
	ResultBlocked  = "blocked"      // the books do not allow it; nothing was done, or no more than Steps says
	ResultBusy     = "busy"         // the order is being worked on, or a write of it is in doubt
	ResultFailed   = "failed"       // in the middle; start again
)

// Apply works through the plan, one group after the other, and goes on with the next where one cannot be taken back. It may
// be started again at any time. The error is of what ended the run early.
func (r *Runner) Apply(ctx context.Context, plan *Plan) error {
	for _, g := range plan.Groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		res := GroupResult{Organization: g.Organization, OrderID: g.OrderID, Outcomes: len(g.going())}
		err := r.group(ctx, plan, g, &res)
		var no *blockedError
		switch {
		case err == nil:
		case errors.As(err, &no):
			res.Result, res.Why = ResultBlocked, no.why
		case errors.Is(err, redis.ErrInDoubt), errors.Is(err, errBusy):
			res.Result, res.Why = ResultBusy, err.Error()
		default:
			res.Result, res.Why = ResultFailed, err.Error()
		}
		r.Done(res)
		if res.Result == ResultFailed {
			return fmt.Errorf("order %s: %w", g.OrderID, err)
		}
	}
	return nil
}

var errBusy = errors.New("the order is being worked on: pause its workflows, and let what is under way end")

// group takes one group back under the leases of its orders.
func (r *Runner) group(ctx context.Context, plan *Plan, g *Group, res *GroupResult) error {
	epoch, err := r.Epoch(ctx, g.Organization)
	if err != nil {
		return err
	}
	req := redis.ClaimRequest{
		Organization: g.Organization, Ref: redis.Ref{Role: roleRollback, ID: plan.ID + "/" + g.OrderID}, Token: rand.Text(), Orders: g.Orders,
		Lease: r.Lease, EpochID: epoch,
	}
	ans, err := r.claim(ctx, req)
	if err != nil {
		return err
	}
	switch ans.State {
	case redis.Done:
		res.Result = ResultBefore
		return r.publishKept(ctx, ans.Entry.Outcome)
	case redis.Claimed:
	default:
		return errBusy
	}
	h := redis.Handle{Organization: req.Organization, Ref: req.Ref, Token: req.Token, EpochID: req.EpochID, Orders: req.Orders, Lease: req.Lease}
	outcomes, err := r.underLease(ctx, plan, g, h, res)
	if err != nil {
		lastly, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, r.Claims.Release(lastly, h))
	}
	res.Result = ResultReversed
	return r.Publish(ctx, outcomes)
}

// claim takes the group's claim and the leases of its orders. What holds them now ends with a lease at the latest, be it a run of this plan that was killed.
func (r *Runner) claim(ctx context.Context, req redis.ClaimRequest) (redis.ClaimAnswer, error) {
	for waited := time.Duration(0); ; {
		ans, err := r.Claims.Claim(ctx, req)
		if err != nil || ans.State != redis.Busy || waited > r.Lease {
			return ans, err
		}
		d := min(max(ans.BusyUntil.Sub(ans.Now), 10*time.Millisecond), time.Second)
		waited += d
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ans, ctx.Err()
		}
	}
}

// underLease undoes what the books hold, then marks the claims, and settles the group's own claim with the outcomes in it.
func (r *Runner) underLease(ctx context.Context, plan *Plan, g *Group, h redis.Handle, res *GroupResult) ([]*schemas.Outcome, error) {
	if r.Stale != nil {
		for _, id := range g.Orders {
			if why := r.Stale(g.Organization, id); why != "" {
				return nil, blocked("%s: make a new plan", why)
			}
		}
	}
	if _, err := r.reversal(ctx, g); err != nil { // a write in doubt: nothing is begun
		return nil, err
	}
	d, err := openDesk(ctx, r.Books, g.Organization, plan.CreditRefused)
	if err != nil {
		return nil, err
	}
	orders := len(g.Orders)
	if err := d.look(ctx, g); err != nil {
		return nil, err
	}
	if g.Blocked != "" {
		return nil, blocked("%s", g.Blocked)
	}
	if len(g.Orders) > orders {
		return nil, blocked("a payment was applied to a further order since: make a new plan")
	}
	for steps := slices.Clone(g.Steps); len(steps) > 0; steps = steps[1:] {
		if err := r.Claims.Renew(ctx, h); err != nil {
			return nil, err
		}
		s := &steps[0]
		err := d.do(ctx, s)
		switch instead, goesOn := d.instead(s, err); {
		case err == nil:
			res.Steps++
		case goesOn:
			steps = slices.Concat(steps[:1], instead, steps[1:]) // the first is done with
		case d.leave(s, err):
			if err := d.look(ctx, g); err != nil {
				return nil, err
			}
			if g.Blocked != "" {
				return nil, blocked("%s", g.Blocked)
			}
			steps = slices.Concat(steps[:1], g.Steps)
		default:
			return nil, d.refused(ctx, s, err)
		}
	}
	rev, err := r.reversal(ctx, g) // of fewer outcomes, perhaps
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(d.credited)) {
		d.remarks = append(d.remarks, "credited by credit note "+d.credited[id].CreditNoteNumber)
	}
	res.Outcomes, res.Why = len(g.going()), strings.Join(d.remarks, "; ")
	if err := r.Claims.Reverse(ctx, h, rev); err != nil {
		return nil, err
	}
	outcomes := r.outcomes(plan, g, d.credited)
	text, err := json.Marshal(outcomes) // for a run that ends before they are published
	if err != nil {
		return nil, fmt.Errorf("keeping the outcomes: %w", err)
	}
	return outcomes, r.Claims.Finish(ctx, h, redis.FinishRequest{State: redis.StateDone, Outcome: text})
}

// reversal is how the claims will be: those of the group's outcomes reversed, and what their orders hold without them. It
// refuses while a write of any of them is in doubt.
func (r *Runner) reversal(ctx context.Context, g *Group) (redis.Reversal, error) {
	var rev redis.Reversal
	var refs []processor.ClaimRef
	for _, p := range g.going() {
		ref := refOf(p)
		refs = append(refs, ref)
		rev.Claims = append(rev.Claims, redis.ReversedClaim{
			Ref: redis.Ref{Role: string(ref.Role), ID: ref.ID}, Coordinates: fmt.Sprintf("%s/%d/%d", p.Source.Topic, p.Source.Partition, p.Source.Offset),
		})
	}
	look := make([]redis.Ref, 0, len(g.Orders)+len(rev.Claims))
	for _, id := range g.Orders {
		look = append(look, redis.Ref{Role: redis.RoleOrder, ID: id})
	}
	for _, c := range rev.Claims {
		look = append(look, c.Ref)
	}
	entries, err := r.Claims.Lookup(ctx, g.Organization, look...)
	if err != nil {
		return rev, err
	}
	for i, e := range entries {
		if e.State == redis.StateSending || processor.StatePending(e.Data) {
			return rev, fmt.Errorf("%s %s: %w", look[i].Role, look[i].ID, redis.ErrInDoubt)
		}
	}
	rev.Orders = make(map[string][]byte)
	for i, id := range g.Orders {
		if len(entries[i].Data) == 0 {
			continue // Redis forgot it, and the books will be asked
		}
		data, err := processor.StateWithout(entries[i].Data, refs...)
		if err != nil {
			return rev, err
		}
		if data != nil {
			rev.Orders[id] = data
		}
	}
	return rev, nil
}

// refOf is the claim that an outcome settled.
func refOf(p *Posted) processor.ClaimRef {
	cancelled := false
	for _, d := range p.Documents {
		cancelled = cancelled || d.Type == docCreditNote || d.Type == docInvoice && d.Status == statusVoid
	}
	return processor.RefOf(processor.Workflow(p.Workflow), p.BusinessID, cancelled)
}
