package redis

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	order1   = Ref{RoleOrder, "O1"}
	order2   = Ref{RoleOrder, "O2"}
	payment1 = Ref{RolePayment, "P1"}
	payment2 = Ref{RolePayment, "P2"}
	refund1  = Ref{RoleRefund, "R1"}
)

// desk works with claims in the words of a test.
type desk struct {
	*bundle
	claims *Claims
	epoch  string
}

func (s *bundle) desk() *desk {
	claims, epoch := s.claims()
	return &desk{s, claims, epoch}
}

// request is a claim of an order, or of another role with the lease of O1, by an attempt.
func (d *desk) request(ref Ref, token, coordinates string, revision int64) ClaimRequest {
	req := ClaimRequest{Organization: d.org, Ref: ref, Token: token, Coordinates: coordinates, Fingerprint: "f:" + coordinates,
		Revision: revision, Orders: []string{"O1"}, Lease: time.Minute, EpochID: d.epoch}
	if ref.Role == RoleOrder {
		req.Orders = []string{ref.ID}
	}
	return req
}

func handle(req ClaimRequest) Handle {
	return Handle{Organization: req.Organization, Ref: req.Ref, Token: req.Token, EpochID: req.EpochID, Orders: req.Orders, Lease: req.Lease}
}

func (d *desk) claim(req ClaimRequest, want ClaimState) ClaimAnswer {
	d.t.Helper()
	a, err := d.claims.Claim(d.ctx, req)
	if err != nil {
		d.t.Fatalf("Claim %v by %s: %v", req.Ref, req.Token, err)
	}
	if a.State != want {
		d.t.Fatalf("Claim %v by %s: %s, want %s (%+v)", req.Ref, req.Token, a.State, want, a)
	}
	return a
}

func (d *desk) sending(req ClaimRequest, step, steps string) {
	d.t.Helper()
	if _, err := d.claims.Sending(d.ctx, handle(req), step, []byte(steps)); err != nil {
		d.t.Fatalf("Sending: %v", err)
	}
}

func (d *desk) release(req ClaimRequest) {
	d.t.Helper()
	if err := d.claims.Release(d.ctx, handle(req)); err != nil {
		d.t.Fatalf("Release: %v", err)
	}
}

func (d *desk) finish(req ClaimRequest, f FinishRequest) {
	d.t.Helper()
	if err := d.claims.Finish(d.ctx, handle(req), f); err != nil {
		d.t.Fatalf("Finish: %v", err)
	}
}

func (d *desk) entry(ref Ref) Entry {
	d.t.Helper()
	e, err := d.claims.Lookup(d.ctx, d.org, ref)
	if err != nil {
		d.t.Fatalf("Lookup: %v", err)
	}
	return e[0]
}

// settle claims and finishes an order.
func (d *desk) settle(ref Ref, token, coordinates string, revision int64, state string) {
	d.t.Helper()
	req := d.request(ref, token, coordinates, revision)
	d.claim(req, Claimed)
	d.sending(req, "post", `{"by":"`+token+`"}`)
	d.finish(req, FinishRequest{State: state, Outcome: []byte("outcome of " + token), Data: []byte("data of " + token)})
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrLost) {
		t.Fatalf("%s: %v, want ErrLost", what, err)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, d *desk){
		"the first attempt gets it and the second is told who holds it": func(t *testing.T, d *desk) {
			first := d.claim(d.request(order1, "a", "t/0/1", 1), Claimed)
			if first.Entry.State != StateNone || first.Entry.Steps != nil || first.Orders["O1"].State != StateNone {
				t.Errorf("a new claim holds %+v", first)
			}
			second := d.claim(d.request(order1, "b", "t/0/2", 1), Busy)
			if got := second.BusyUntil.Sub(second.Now); got < 50*time.Second || got > time.Minute {
				t.Errorf("busy for %v", got)
			}
			if diff := cmp.Diff([]Ref{order1}, second.WaitingFor); diff != "" {
				t.Error(diff)
			}
		},
		"asked again with the same token it is mine": func(t *testing.T, d *desk) {
			d.claim(d.request(order1, "a", "t/0/1", 1), Claimed)
			d.claim(d.request(order1, "a", "t/0/1", 1), Claimed)
		},
		"a settled claim answers the same coordinates with its outcome": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateDone)
			a := d.claim(d.request(order1, "b", "t/0/1", 1), Done)
			if string(a.Entry.Outcome) != "outcome of a" || a.Entry.Coordinates != "t/0/1" || a.Entry.Fingerprint != "f:t/0/1" ||
				string(a.Entry.Data) != "data of a" || string(a.Entry.Steps) != `{"by":"a"}` {
				t.Errorf("entry %+v", a.Entry)
			}
		},
		"other coordinates at the same or a lower revision are duplicates": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 5, StateDone)
			d.claim(d.request(order1, "b", "t/0/2", 5), Done)
			d.claim(d.request(order1, "c", "t/0/3", 4), Done)
		},
		"a higher revision goes on and the settled one stays until it is finished": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateDone)
			req := d.request(order1, "b", "t/0/2", 2)
			if a := d.claim(req, Claimed); a.Entry.State != StateDone || a.Entry.Revision != 1 || string(a.Entry.Data) != "data of a" {
				t.Errorf("entry %+v", a.Entry)
			}
			if e := d.entry(order1); e.Coordinates != "t/0/1" || e.Revision != 1 {
				t.Errorf("an attempt changed what is settled: %+v", e)
			}
			d.finish(req, FinishRequest{State: StateDone, Outcome: []byte("second")})
			if e := d.entry(order1); e.Coordinates != "t/0/2" || e.Revision != 2 || string(e.Data) != "data of a" {
				t.Errorf("entry %+v", e)
			}
		},
		"revisions beyond 53 bits are told apart": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1<<62, StateDone)
			d.claim(d.request(order1, "b", "t/0/2", 1<<62), Done)
			d.claim(d.request(order1, "c", "t/0/3", 1<<62+1), Claimed)
		},
		"a later revision that was refused leaves the order done": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateDone)
			d.settle(order1, "b", "t/0/2", 2, StateRejected)
			a := d.claim(d.request(order1, "c", "t/0/2", 2), Rejected)
			if string(a.Entry.Outcome) != "outcome of b" || a.Entry.State != StateRejected || a.Entry.Revision != 2 {
				t.Errorf("entry %+v", a.Entry)
			}
			if a := d.claim(d.request(order1, "d", "t/0/1", 1), Done); string(a.Entry.Outcome) != "outcome of a" {
				t.Errorf("entry %+v", a.Entry)
			}
			pay := d.request(payment1, "p", "t/0/9", 0)
			pay.Needs = []Ref{order1}
			d.claim(pay, Claimed)
			d.release(pay)
			replay := d.request(order1, "e", "t/0/2", 2)
			replay.Replay = true
			d.claim(replay, Claimed)
		},
		"a rejected claim answers its coordinates, and goes on for a replay and for others": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateRejected)
			if a := d.claim(d.request(order1, "b", "t/0/1", 1), Rejected); string(a.Entry.Outcome) != "outcome of a" {
				t.Errorf("entry %+v", a.Entry)
			}
			replay := d.request(order1, "c", "t/0/1", 1)
			replay.Replay = true
			if a := d.claim(replay, Claimed); string(a.Entry.Steps) != `{"by":"a"}` || a.Entry.Step != "post" {
				t.Errorf("a replay does not see the steps: %+v", a.Entry)
			}
			d.release(replay)
			d.claim(d.request(order1, "d", "t/0/1", 1), Rejected)
			d.claim(d.request(order1, "e", "t/0/2", 1), Claimed)
		},
		"a new claim is marked as it is taken, and in doubt when its holder is gone": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			req.Step, req.Steps = "post", []byte("s1")
			if a := d.claim(req, Claimed); !a.Marked || a.Entry.State != StateNone || a.Entry.Steps != nil || a.Orders["O1"].State != StateNone {
				t.Errorf("answer %+v", a)
			}
			if e := d.entry(order1); e.State != StateSending || e.Step != "post" || string(e.Steps) != "s1" || e.Since.IsZero() ||
				e.Sending != (Origin{"t/0/1", "f:t/0/1", 1}) {
				t.Errorf("entry %+v", e)
			}
			d.claim(d.request(order1, "b", "t/0/2", 1), Busy)
			d.lapse(d.claims.c, order1)
			next := d.request(order1, "b", "t/0/1", 1)
			next.Step, next.Steps = "post", []byte("s2")
			if a := d.claim(next, InDoubt); a.Marked || a.Entry.Step != "post" || string(a.Entry.Steps) != "s1" {
				t.Errorf("answer %+v", a)
			}
			d.finish(next, FinishRequest{State: StateDone, Outcome: []byte("x")})
			if e := d.entry(order1); e.State != StateDone || e.Coordinates != "t/0/1" {
				t.Errorf("entry %+v", e)
			}
		},
		"a mark whose call never left is taken back": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			req.Step, req.Steps = "post", []byte("s1")
			d.claim(req, Claimed)
			if err := d.claims.Answered(d.ctx, handle(req), []byte("s1")); err != nil {
				t.Fatal(err)
			}
			d.release(req)
			if a := d.claim(d.request(order1, "b", "t/0/1", 1), Claimed); a.Entry.State != StateNone {
				t.Errorf("entry %+v", a.Entry)
			}
		},
		"nothing is marked where the claim holds something or is not given": func(t *testing.T, d *desk) {
			marking := func(token, coordinates string, revision int64) ClaimRequest {
				req := d.request(order1, token, coordinates, revision)
				req.Step, req.Steps = "post", []byte("of "+token)
				return req
			}
			d.settle(order1, "a", "t/0/1", 1, StateRejected)
			if a := d.claim(marking("b", "t/0/2", 1), Claimed); a.Marked || a.Entry.Settled != StateRejected {
				t.Errorf("beside a rejection: %+v", a)
			}
			if a := d.claim(marking("c", "t/0/3", 1), Busy); a.Marked {
				t.Errorf("busy: %+v", a)
			}
			if e := d.entry(order1); e.State != StateRejected || string(e.Steps) != `{"by":"a"}` {
				t.Errorf("entry %+v", e)
			}
			d.release(marking("b", "t/0/2", 1))
			d.settle(order1, "d", "t/0/4", 2, StateDone)
			if a := d.claim(marking("e", "t/0/5", 2), Done); a.Marked {
				t.Errorf("done: %+v", a)
			}
			if a := d.claim(marking("f", "t/0/6", 3), Claimed); a.Marked || a.Entry.State != StateDone {
				t.Errorf("a higher revision: %+v", a)
			}
		},
		"an attempt that holds the claim does not mark it by asking again": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			req.Step, req.Steps = "post", []byte("s")
			if a := d.claim(req, Claimed); a.Marked {
				t.Errorf("answer %+v", a)
			}
		},
		"a write whose holder is gone is in doubt, for any number of holders": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			d.sending(req, "post", "s1")
			d.claim(d.request(order1, "b", "t/0/1", 1), Busy)
			d.lapse(d.claims.c, order1)
			a := d.claim(d.request(order1, "b", "t/0/2", 3), InDoubt)
			if a.Entry.State != StateSending || a.Entry.Step != "post" || string(a.Entry.Steps) != "s1" || a.Entry.Since.IsZero() ||
				a.Entry.Coordinates != "t/0/1" || a.Entry.Revision != 1 {
				t.Errorf("entry %+v", a.Entry)
			}
			d.claim(d.request(order1, "b", "t/0/2", 3), InDoubt)
			d.release(d.request(order1, "b", "t/0/2", 3))
			if a := d.claim(d.request(order1, "c", "t/0/1", 1), InDoubt); a.Entry.Sending.Coordinates != "t/0/1" {
				t.Errorf("parking changed whose write is in doubt: %+v", a.Entry)
			}
		},
		"a write over a settled claim is in doubt, and what is settled answers its own record": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateDone)
			req := d.request(order1, "b", "t/0/2", 2)
			d.claim(req, Claimed)
			d.sending(req, "update", "s2")
			d.lapse(d.claims.c, order1)
			d.claim(d.request(order1, "c", "t/0/1", 1), Done)
			a := d.claim(d.request(order1, "d", "t/0/2", 2), InDoubt)
			if a.Entry.Settled != StateDone || a.Entry.Coordinates != "t/0/1" || a.Entry.Sending.Coordinates != "t/0/2" {
				t.Errorf("entry %+v", a.Entry)
			}
			done := d.request(order1, "d", "t/0/2", 2)
			if err := d.claims.Answered(d.ctx, handle(done), nil); err != nil {
				t.Fatal(err)
			}
			d.release(done)
			if e := d.entry(order1); e.State != StateDone || e.Coordinates != "t/0/1" || e.Step != "" {
				t.Errorf("entry %+v", e)
			}
		},
		"an answered write is no longer in doubt, and its steps are kept": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			d.sending(req, "contact", "")
			if err := d.claims.Answered(d.ctx, handle(req), []byte("contact: 7")); err != nil {
				t.Fatal(err)
			}
			d.release(req)
			if a := d.claim(d.request(order1, "b", "t/0/1", 1), Claimed); string(a.Entry.Steps) != "contact: 7" {
				t.Errorf("entry %+v", a.Entry)
			}
		},
		"parking removes a claim that holds nothing": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			d.release(req)
			d.release(req)
			if n := d.claims.c.rdb.Exists(d.ctx, keysOf(d.org).claim(order1)).Val(); n != 0 {
				t.Error("the claim is still there")
			}
			d.claim(d.request(order1, "b", "t/0/2", 1), Claimed)
		},
		"orders are leased all or none": func(t *testing.T, d *desk) {
			d.claim(d.request(order2, "a", "t/0/1", 1), Claimed)
			pay := d.request(payment1, "p", "t/0/2", 0)
			pay.Orders = []string{"O1", "O2"}
			if a := d.claim(pay, Busy); !cmp.Equal(a.WaitingFor, []Ref{order2}) {
				t.Errorf("waiting for %v", a.WaitingFor)
			}
			d.claim(d.request(order1, "b", "t/0/3", 1), Claimed)
		},
		"a lapsed order lease is lost once another took it, not before": func(t *testing.T, d *desk) {
			one, two := d.request(payment1, "p", "t/0/1", 0), d.request(payment2, "q", "t/0/2", 0)
			d.claim(one, Claimed)
			d.lapse(d.claims.c, payment1, order1)
			d.sending(one, "post", "")
			d.lapse(d.claims.c, payment1, order1)
			d.claim(two, Claimed)
			d.release(two)
			wantLost(t, "Finish", d.claims.Finish(d.ctx, handle(one), FinishRequest{State: StateDone}))
			wantLost(t, "Renew", d.claims.Renew(d.ctx, handle(one)))
			_, err := d.claims.Sending(d.ctx, handle(one), "again", nil)
			wantLost(t, "Sending", err)
			if e := d.entry(payment1); e.State != StateSending || e.Step != "post" {
				t.Errorf("a refused change changed %+v", e)
			}
		},
		"an intent is in the order's data from the mark on, and stays when its holder leaves": func(t *testing.T, d *desk) {
			req := d.request(payment1, "p", "t/0/1", 0)
			d.claim(req, Claimed)
			if _, err := d.claims.Intend(d.ctx, handle(req), "post", nil, map[string][]byte{"O1": []byte("intent"), "elsewhere": []byte("no")}); err != nil {
				t.Fatalf("Intend: %v", err)
			}
			d.release(req)
			two := d.request(payment2, "q", "t/0/2", 0)
			if a := d.claim(two, Claimed); string(a.Orders["O1"].Data) != "intent" {
				t.Errorf("the order's data is %q", a.Orders["O1"].Data)
			}
			wantLost(t, "Intend", func() error {
				_, err := d.claims.Intend(d.ctx, handle(req), "post", nil, map[string][]byte{"O1": []byte("late")})
				return err
			}())
			if e := d.entry(order1); string(e.Data) != "intent" {
				t.Errorf("a refused intent changed the data to %q", e.Data)
			}
		},
		"a claim taken over is lost to its former holder": func(t *testing.T, d *desk) {
			one, two := d.request(order1, "a", "t/0/1", 1), d.request(order1, "b", "t/0/1", 1)
			d.claim(one, Claimed)
			d.lapse(d.claims.c, order1)
			d.claim(two, Claimed)
			wantLost(t, "Finish", d.claims.Finish(d.ctx, handle(one), FinishRequest{State: StateDone}))
			wantLost(t, "Renew", d.claims.Renew(d.ctx, handle(one)))
			wantLost(t, "Release", d.claims.Release(d.ctx, handle(one)))
			if err := d.claims.Renew(d.ctx, handle(two)); err != nil {
				t.Errorf("the new holder lost it, too: %v", err)
			}
		},
		"nothing can be done with a claim that was given back": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			d.release(req)
			wantLost(t, "Finish", d.claims.Finish(d.ctx, handle(req), FinishRequest{State: StateDone}))
			_, err := d.claims.Sending(d.ctx, handle(req), "post", nil)
			wantLost(t, "Sending", err)
		},
		"finishing and giving back again change nothing": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			d.finish(req, FinishRequest{State: StateDone, Outcome: []byte("x")})
			before := d.entry(order1)
			d.finish(req, FinishRequest{State: StateDone, Outcome: []byte("y")})
			d.release(req)
			if diff := cmp.Diff(before, d.entry(order1)); diff != "" {
				t.Error(diff)
			}
		},
		"a need that is not done keeps everything untaken": func(t *testing.T, d *desk) {
			pay := d.request(payment1, "p", "t/0/1", 0)
			pay.Needs = []Ref{order1}
			a := d.claim(pay, Waiting)
			if !cmp.Equal(a.WaitingFor, []Ref{order1}) || a.Orders["O1"].Exists {
				t.Errorf("answer %+v", a)
			}
			d.settle(order1, "a", "t/0/2", 1, StateDone)
			if a := d.claim(pay, Claimed); string(a.Orders["O1"].Data) != "data of a" || a.Orders["O1"].State != StateDone {
				t.Errorf("orders %+v", a.Orders)
			}
		},
		"a payment announces itself before it waits, until it is finished": func(t *testing.T, d *desk) {
			pay := d.request(payment1, "p", "t/0/1", 0)
			pay.Needs, pay.Announce = []Ref{order1}, []string{"O1"}
			d.claim(pay, Waiting)
			d.settle(order1, "a", "t/0/2", 1, StateDone)
			refund := d.request(refund1, "r", "t/0/3", 0)
			refund.ListPending, refund.Needs = true, []Ref{payment1}
			if a := d.claim(refund, Waiting); !cmp.Equal(a.Pending, []string{"P1"}) {
				t.Errorf("pending %v", a.Pending)
			}
			d.claim(pay, Claimed)
			d.release(pay)
			if a := d.claim(refund, Waiting); !cmp.Equal(a.Pending, []string{"P1"}) {
				t.Errorf("pending after parking %v", a.Pending)
			}
			d.claim(pay, Claimed)
			d.finish(pay, FinishRequest{State: StateDone})
			if a := d.claim(refund, Claimed); len(a.Pending) != 0 {
				t.Errorf("pending %v", a.Pending)
			}
		},
		"an order and a payment may have the same id": func(t *testing.T, d *desk) {
			pay := d.request(Ref{RolePayment, "O1"}, "p", "t/0/1", 0)
			pay.Needs, pay.Announce = []Ref{order1}, []string{"O1"}
			d.claim(pay, Waiting)
			d.settle(order1, "a", "t/0/2", 1, StateDone)
			refund := d.request(Ref{RoleRefund, "O1"}, "r", "t/0/3", 0)
			refund.ListPending = true
			if a := d.claim(refund, Claimed); !cmp.Equal(a.Pending, []string{"O1"}) {
				t.Errorf("pending %v", a.Pending)
			}
		},
		"finishing changes the orders named": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateDone)
			pay := d.request(payment1, "p", "t/0/2", 0)
			pay.Orders = []string{"O1", "O2"}
			d.claim(pay, Claimed)
			d.finish(pay, FinishRequest{State: StateDone, Orders: map[string]OrderUpdate{
				"O1": {Data: []byte("paid")}, "O2": {Data: []byte("adopted"), Revision: 3, Done: true}}})
			if e := d.entry(order1); string(e.Data) != "paid" || e.Revision != 1 || e.Coordinates != "t/0/1" {
				t.Errorf("O1 %+v", e)
			}
			if e := d.entry(order2); string(e.Data) != "adopted" || e.Revision != 3 || e.State != StateDone {
				t.Errorf("O2 %+v", e)
			}
			d.claim(d.request(order2, "b", "t/0/3", 3), Done)
			d.claim(d.request(order2, "c", "t/0/4", 4), Claimed)
		},
		"parking keeps what others stored with an order": func(t *testing.T, d *desk) {
			pay := d.request(payment1, "p", "t/0/1", 0)
			d.claim(pay, Claimed)
			d.finish(pay, FinishRequest{State: StateDone, Orders: map[string]OrderUpdate{"O1": {Data: []byte("sums")}}})
			req := d.request(order1, "a", "t/0/2", 1)
			d.claim(req, Claimed)
			d.release(req)
			if e := d.entry(order1); string(e.Data) != "sums" {
				t.Errorf("entry %+v", e)
			}
		},
		"an announcement ends with the payment, whoever finishes it": func(t *testing.T, d *desk) {
			pay := d.request(payment1, "p", "t/0/1", 0)
			pay.Announce = []string{"O1"}
			d.claim(pay, Claimed)
			d.release(pay)
			other := d.request(payment1, "q", "t/0/1", 0)
			d.claim(other, Claimed)
			d.finish(other, FinishRequest{State: StateRejected})
			refund := d.request(refund1, "r", "t/0/2", 0)
			refund.ListPending = true
			if a := d.claim(refund, Claimed); len(a.Pending) != 0 {
				t.Errorf("pending %v", a.Pending)
			}
		},
		"a holder whose clock is behind its predecessor's can mark its writes": func(t *testing.T, d *desk) {
			one, two := d.request(order1, "a", "t/0/1", 1), d.request(order1, "b", "t/0/1", 1)
			d.claim(one, Claimed)
			d.claims.c.marks.Add(1 << 62)
			d.sending(one, "post", "")
			d.claims.c.marks.Store(0)
			d.lapse(d.claims.c, order1)
			d.claim(two, InDoubt)
			d.sending(two, "post", "")
		},
		"an order in doubt stays so when it is marked done": func(t *testing.T, d *desk) {
			req := d.request(order1, "a", "t/0/1", 1)
			d.claim(req, Claimed)
			d.sending(req, "post", "")
			d.release(req)
			pay := d.request(payment1, "p", "t/0/2", 0)
			d.claim(pay, Claimed)
			d.finish(pay, FinishRequest{State: StateDone, Orders: map[string]OrderUpdate{"O1": {Done: true}}})
			d.claim(d.request(order1, "b", "t/0/1", 1), InDoubt)
		},
		"a rejected order that is marked done can still be replayed": func(t *testing.T, d *desk) {
			d.settle(order1, "a", "t/0/1", 1, StateRejected)
			pay := d.request(payment1, "p", "t/0/2", 0)
			d.claim(pay, Claimed)
			d.finish(pay, FinishRequest{State: StateDone, Orders: map[string]OrderUpdate{"O1": {Done: true}}})
			if a := d.claim(d.request(order1, "b", "t/0/1", 1), Rejected); string(a.Entry.Outcome) != "outcome of a" {
				t.Errorf("entry %+v", a.Entry)
			}
			replay := d.request(order1, "c", "t/0/1", 1)
			replay.Replay = true
			d.claim(replay, Claimed)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onServers(t, func(t *testing.T, s *bundle) { test(t, s.desk()) })
		})
	}
}

func TestClaimRefusesBadRequests(t *testing.T) {
	t.Parallel()
	d := setupMini(t).desk()
	tests := map[string]func(*ClaimRequest){
		"no organization":              func(r *ClaimRequest) { r.Organization = "" },
		"organization breaks the keys": func(r *ClaimRequest) { r.Organization = "a}b" },
		"no role":                      func(r *ClaimRequest) { r.Ref.Role = "" },
		"no id":                        func(r *ClaimRequest) { r.Ref.ID = "" },
		"no token":                     func(r *ClaimRequest) { r.Token = "" },
		"negative revision":            func(r *ClaimRequest) { r.Revision = -1 },
		"empty order":                  func(r *ClaimRequest) { r.Orders = []string{""} },
		"pending of no order":          func(r *ClaimRequest) { r.Orders, r.ListPending = nil, true },
		"need without id":              func(r *ClaimRequest) { r.Needs = []Ref{{RoleOrder, ""}} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := d.request(order1, "a", "t/0/1", 1)
			spoil(&req)
			if _, err := d.claims.Claim(d.ctx, req); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestFinishRefusesOrdersWithoutTheirLease(t *testing.T) {
	t.Parallel()
	d := setupMini(t).desk()
	req := d.request(order1, "a", "t/0/1", 1)
	d.claim(req, Claimed)
	err := d.claims.Finish(d.ctx, handle(req), FinishRequest{State: StateDone, Orders: map[string]OrderUpdate{"O2": {Done: true}}})
	if err == nil {
		t.Error("accepted")
	}
	if err := d.claims.Finish(d.ctx, handle(req), FinishRequest{State: "finished"}); err == nil {
		t.Error("accepted a state that does not exist")
	}
}

func TestClaimsLiveAsLongAsTheyMatter(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		life := func(ref Ref) time.Duration { return d.claims.c.rdb.PTTL(d.ctx, keysOf(d.org).claim(ref)).Val() }
		between := func(what string, got, least, most time.Duration) {
			t.Helper()
			if got < least || got > most {
				t.Errorf("%s lives %v, want %v to %v", what, got, least, most)
			}
		}
		req := d.request(order1, "a", "t/0/1", 1)
		d.claim(req, Claimed)
		between("a claim with nothing sent", life(order1), time.Minute, 4*time.Minute)
		d.sending(req, "post", "")
		between("a write under way", life(order1), 34*24*time.Hour, 35*24*time.Hour)
		d.finish(req, FinishRequest{State: StateDone, Retention: 40 * 24 * time.Hour})
		between("a settled claim", life(order1), 39*24*time.Hour, 40*24*time.Hour)
		next := d.request(order1, "b", "t/0/2", 2)
		d.claim(next, Claimed)
		d.release(next)
		between("a settled claim after another attempt", life(order1), 39*24*time.Hour, 40*24*time.Hour)
		marking := d.request(order2, "c", "t/0/3", 1)
		marking.Step, marking.Steps = "post", []byte("s")
		d.claim(marking, Claimed)
		between("a claim that was marked as it was taken", life(order2), 34*24*time.Hour, 35*24*time.Hour)
	})
}
