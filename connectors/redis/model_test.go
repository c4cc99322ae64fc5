package redis

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is what claims are meant to do, written down without Redis: no hashes, no strings, no time but "the lease is alive".
type model struct {
	claims  map[Ref]*modelClaim
	pending map[string]map[string]bool // order: payments
}

type modelClaim struct {
	settled        string
	origin         Origin // of what is settled
	outcome        string
	refused        Origin // of a rejection beside what is done
	refusedOutcome string
	step           string // a write under way
	write          Origin
	rejectedStep   string // the step a rejection left
	holder         string
	alive          bool
	attempt        Origin
	announced      []string
	finished       string
	lease          string // the order lease
	leaseAlive     bool
	steps, data    string
}

func (m *model) at(r Ref) *modelClaim {
	if m.claims[r] == nil {
		m.claims[r] = &modelClaim{}
	}
	return m.claims[r]
}

func (c *modelClaim) state() string {
	if c.step != "" {
		return StateSending
	}
	return c.settled
}

type modelAnswer struct {
	State   ClaimState
	Waiting []Ref
	Pending []string
	Marked  bool
}

func (m *model) claim(req ClaimRequest) modelAnswer {
	c := m.at(req.Ref)
	same := func(o Origin) bool { return o.Coordinates == req.Coordinates }
	switch c.settled {
	case StateDone:
		switch {
		case same(c.origin):
			return modelAnswer{State: Done}
		case same(c.refused) && !req.Replay:
			return modelAnswer{State: Rejected}
		case req.Revision <= c.origin.Revision:
			return modelAnswer{State: Done}
		}
	case StateRejected:
		if same(c.origin) && !req.Replay {
			return modelAnswer{State: Rejected}
		}
	}
	for _, o := range req.Announce {
		if m.pending[o] == nil {
			m.pending[o] = map[string]bool{}
		}
		m.pending[o][req.Ref.ID] = true
	}
	var a modelAnswer
	if req.ListPending {
		a.Pending = slices.Sorted(maps.Keys(m.pending[req.Orders[0]]))
	}
	mine := c.holder == req.Token
	if c.holder != "" && !mine && c.alive {
		a.State, a.Waiting = Busy, []Ref{req.Ref}
		return a
	}
	if !mine {
		for _, n := range req.Needs {
			if m.at(n).state() != StateDone {
				a.State = Waiting
				a.Waiting = append(a.Waiting, n)
			}
		}
		if a.State == Waiting {
			return a
		}
	}
	for _, o := range req.Orders {
		l := m.at(Ref{RoleOrder, o})
		if l.lease != "" && l.lease != req.Token && l.leaseAlive {
			a.State = Busy
			a.Waiting = append(a.Waiting, Ref{RoleOrder, o})
		}
	}
	if a.State == Busy {
		return a
	}
	c.holder, c.alive = req.Token, true
	c.attempt = Origin{req.Coordinates, req.Fingerprint, req.Revision}
	if len(req.Announce) > 0 {
		c.announced = req.Announce
	}
	for _, o := range req.Orders {
		l := m.at(Ref{RoleOrder, o})
		l.lease, l.leaseAlive = req.Token, true
	}
	a.State = Claimed
	if c.step != "" {
		a.State = InDoubt
	}
	if req.Step != "" && !mine && c.state() == StateNone && c.steps == "" && c.data == "" {
		a.Marked = true
		c.step, c.write, c.steps = req.Step, c.attempt, string(req.Steps)
	}
	return a
}

// holds says whether a handle may change anything.
func (m *model) holds(h Handle) bool {
	if m.at(h.Ref).holder != h.Token {
		return false
	}
	for _, o := range h.Orders {
		if m.at(Ref{RoleOrder, o}).lease != h.Token {
			return false
		}
	}
	return true
}

func (m *model) renew(h Handle) bool {
	if !m.holds(h) {
		return false
	}
	m.at(h.Ref).alive = true
	for _, o := range h.Orders {
		m.at(Ref{RoleOrder, o}).leaseAlive = true
	}
	return true
}

func (m *model) sending(h Handle, step, steps string) bool {
	if !m.renew(h) {
		return false
	}
	c := m.at(h.Ref)
	c.step, c.write, c.steps, c.rejectedStep = step, c.attempt, steps, ""
	return true
}

func (m *model) answered(h Handle, steps string) bool {
	if !m.renew(h) {
		return false
	}
	c := m.at(h.Ref)
	if c.step != "" {
		c.step, c.write, c.rejectedStep = "", Origin{}, ""
	}
	c.steps = steps
	return true
}

func (m *model) release(h Handle) bool {
	for _, o := range h.Orders {
		if l := m.at(Ref{RoleOrder, o}); l.lease == h.Token {
			l.lease = ""
		}
	}
	c := m.at(h.Ref)
	if c.holder == h.Token {
		c.holder, c.attempt = "", Origin{}
	}
	return c.holder == ""
}

func (m *model) finish(h Handle, req FinishRequest) bool {
	c := m.at(h.Ref)
	if c.holder != h.Token && c.finished == h.Token {
		return true
	}
	if !m.holds(h) {
		return false
	}
	switch {
	case req.State == StateDone:
		if c.settled == StateDone {
			c.attempt.Revision = max(c.attempt.Revision, c.origin.Revision)
		}
		c.settled, c.origin, c.outcome = StateDone, c.attempt, string(req.Outcome)
		c.refused, c.refusedOutcome, c.rejectedStep = Origin{}, "", ""
	case c.settled == StateDone:
		c.refused, c.refusedOutcome = c.attempt, string(req.Outcome)
		c.rejectedStep = cmpOr(c.step, c.rejectedStep)
	default:
		c.settled, c.origin, c.outcome = StateRejected, c.attempt, string(req.Outcome)
		c.rejectedStep = cmpOr(c.step, c.rejectedStep)
	}
	c.finished, c.holder, c.step, c.write, c.attempt = h.Token, "", "", Origin{}, Origin{}
	if req.Data != nil {
		c.data = string(req.Data)
	}
	for _, o := range c.announced {
		delete(m.pending[o], h.Ref.ID)
	}
	c.announced = nil
	for _, o := range h.Orders {
		l := m.at(Ref{RoleOrder, o})
		l.lease = ""
		u := req.Orders[o]
		if u.Data != nil {
			l.data = string(u.Data)
		}
		if u.Done && l.settled != StateDone {
			if l.settled == StateRejected {
				l.refused, l.refusedOutcome = l.origin, l.outcome
				l.outcome = ""
			}
			l.settled, l.origin = StateDone, Origin{}
		}
		l.origin.Revision = max(l.origin.Revision, u.Revision)
	}
	return true
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (m *model) entry(r Ref) Entry {
	c := m.at(r)
	e := Entry{State: c.state(), Settled: c.settled, Coordinates: c.origin.Coordinates, Fingerprint: c.origin.Fingerprint, Revision: c.origin.Revision,
		Sending: c.write, Rejection: c.refused, Step: cmpOr(c.step, c.rejectedStep)}
	if c.step != "" && c.settled == StateNone {
		e.Coordinates, e.Fingerprint, e.Revision = c.write.Coordinates, c.write.Fingerprint, c.write.Revision
	}
	if c.steps != "" {
		e.Steps = []byte(c.steps)
	}
	if c.data != "" {
		e.Data = []byte(c.data)
	}
	if c.outcome != "" {
		e.Outcome = []byte(c.outcome)
	}
	e.Exists = e.State != StateNone || c.steps != "" || c.data != "" || c.holder != ""
	return e
}

// TestClaimsAgainstModel lets holders on several clients do anything in any order and compares every answer and every entry with the model.
func TestClaimsAgainstModel(t *testing.T) {
	t.Parallel()
	rnd := seed(t)
	seeds := []uint64{rnd.Uint64(), rnd.Uint64()}
	onServers(t, func(t *testing.T, s *bundle) {
		for _, n := range seeds {
			for run := range 6 {
				playModel(t, s, rand.New(rand.NewPCG(n, uint64(run))))
				s.org = organization(t)
			}
		}
	})
}

func playModel(t *testing.T, s *bundle, rnd *rand.Rand) {
	t.Helper()
	desks := []*desk{s.desk(), s.desk()}
	m := &model{claims: map[Ref]*modelClaim{}, pending: map[string]map[string]bool{}}
	refs := []Ref{order1, order2, payment1, payment2, refund1}
	var requests []ClaimRequest
	pick := func() Handle { return handle(requests[rnd.IntN(len(requests))]) }
	var log []string
	same := func(what string, got, want any) {
		if diff := cmp.Diff(want, got); diff != "" {
			for _, l := range log {
				t.Log(l)
			}
			t.Fatalf("%s:\n%s", what, diff)
		}
	}
	for i := range 250 {
		d := desks[rnd.IntN(len(desks))]
		op := rnd.IntN(10)
		if len(requests) == 0 {
			op = 0
		}
		switch {
		case op < 4:
			req := randomRequest(rnd, d, refs, i)
			if len(requests) > 0 && rnd.IntN(8) == 0 {
				req = requests[rnd.IntN(len(requests))]
			}
			log = append(log, fmt.Sprintf("claim %+v", req))
			want := m.claim(req)
			a, err := d.claims.Claim(d.ctx, req)
			if err != nil {
				t.Fatal(err)
			}
			if want.State == Claimed || want.State == InDoubt {
				requests = append(requests, req)
			}
			pending := slices.Sorted(slices.Values(a.Pending))
			same("claim", modelAnswer{a.State, a.WaitingFor, pending, a.Marked}, want)
		case op == 4:
			h, step := pick(), fmt.Sprint("step", i)
			log = append(log, fmt.Sprintf("sending %+v", h))
			want := m.sending(h, step, step)
			_, err := d.claims.Sending(d.ctx, h, step, []byte(step))
			same("sending", kept(t, err), want)
		case op == 5:
			h := pick()
			log = append(log, fmt.Sprintf("answered or renew %+v", h))
			if rnd.IntN(2) == 0 {
				want := m.answered(h, fmt.Sprint("a", i))
				same("answered", kept(t, d.claims.Answered(d.ctx, h, []byte(fmt.Sprint("a", i)))), want)
			} else {
				want := m.renew(h)
				same("renew", kept(t, d.claims.Renew(d.ctx, h)), want)
			}
		case op == 6:
			h := pick()
			log = append(log, fmt.Sprintf("release %+v", h))
			want := m.release(h)
			same("release", kept(t, d.claims.Release(d.ctx, h)), want)
		case op < 9:
			h := pick()
			f := FinishRequest{State: []string{StateDone, StateRejected}[rnd.IntN(2)], Outcome: []byte(fmt.Sprint("o", i)), Orders: map[string]OrderUpdate{}}
			if rnd.IntN(2) == 0 {
				f.Data = []byte(fmt.Sprint("d", i))
			}
			if h.Ref.Role != RoleOrder && rnd.IntN(2) == 0 {
				f.Orders[h.Orders[0]] = OrderUpdate{Data: []byte(fmt.Sprint("u", i)), Revision: rnd.Int64N(3), Done: rnd.IntN(2) == 0}
			}
			log = append(log, fmt.Sprintf("finish %+v %+v", h, f))
			want := m.finish(h, f)
			same("finish", kept(t, d.claims.Finish(d.ctx, h, f)), want)
		default:
			r := refs[rnd.IntN(len(refs))]
			log = append(log, fmt.Sprintf("lapse %+v", r))
			s.lapse(d.claims.c, r)
			m.at(r).alive, m.at(r).leaseAlive = false, false
		}
		entries, err := d.claims.Lookup(d.ctx, d.org, refs...)
		if err != nil {
			t.Fatal(err)
		}
		for k, r := range refs {
			got := entries[k]
			got.Since, got.HeldUntil = m.entry(r).Since, m.entry(r).HeldUntil
			if len(got.Outcome) == 0 {
				got.Outcome = nil
			}
			same(fmt.Sprint("entry ", r), got, m.entry(r))
		}
	}
}

func randomRequest(rnd *rand.Rand, d *desk, refs []Ref, i int) ClaimRequest {
	ref := refs[rnd.IntN(len(refs))]
	req := d.request(ref, fmt.Sprint("token", i), fmt.Sprint("c", rnd.IntN(4)), rnd.Int64N(4))
	req.Replay = rnd.IntN(4) == 0
	if rnd.IntN(2) == 0 {
		req.Step, req.Steps = fmt.Sprint("first", i), fmt.Appendf(nil, "first%d", i)
	}
	both := []string{"O1", "O2"}
	switch ref.Role {
	case RolePayment:
		if rnd.IntN(2) == 0 {
			req.Orders = both
		}
		req.Announce = req.Orders
		if rnd.IntN(2) == 0 {
			req.Needs = []Ref{order1}
		}
	case RoleRefund:
		req.ListPending = true
		if rnd.IntN(3) == 0 {
			req.Needs = []Ref{payment1, order2}
		}
	}
	return req
}

// kept says whether a change was accepted; anything but ErrLost fails the test.
func kept(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, ErrLost) {
		t.Fatal(err)
	}
	return err == nil
}
