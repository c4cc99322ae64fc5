package redis

import (
	"errors"
	"testing"
)

// posted settles an order and a payment of it.
func (d *desk) posted() {
	d.t.Helper()
	o := d.request(order1, "t-order", "orders/0/1", 3)
	d.claim(o, Claimed)
	d.finish(o, FinishRequest{State: StateDone, Outcome: []byte("order posted"), Data: []byte("invoice"), Steps: []byte("steps")})
	p := d.request(payment1, "t-payment", "payments/0/1", 0)
	d.claim(p, Claimed)
	d.finish(p, FinishRequest{State: StateDone, Outcome: []byte("payment posted"), Orders: map[string]OrderUpdate{"O1": {Data: []byte("invoice, paid")}}})
}

// rollback takes the lease of the order for an operator.
func (d *desk) rollback(token string) ClaimRequest {
	d.t.Helper()
	req := ClaimRequest{Organization: d.org, Ref: Ref{"rollback", "plan/O1"}, Token: token, Orders: []string{"O1"}, EpochID: d.epoch}
	d.claim(req, Claimed)
	return req
}

func TestReversedClaimsArePostedAgainOnlyByReplayOrOtherContent(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		d.posted()
		back := d.rollback("t-back")
		all := Reversal{Claims: []ReversedClaim{{order1, "orders/0/1"}, {payment1, "payments/0/1"}}}
		for range 2 { // asked again, it changes nothing
			if err := d.claims.Reverse(d.ctx, handle(back), all); err != nil {
				t.Fatal(err)
			}
		}
		d.finish(back, FinishRequest{State: StateDone, Outcome: []byte("taken back")})

		if e := d.entry(order1); e.State != StateReversed || len(e.Data) != 0 || len(e.Steps) != 0 || string(e.Outcome) != "order posted" {
			t.Errorf("the order's claim is %+v", e)
		}
		again := d.request(order1, "t-again", "orders/0/1", 3)
		d.claim(again, Done) // redelivered
		again.Coordinates = "orders/0/7"
		again.Fingerprint = "f:orders/0/1"
		d.claim(again, Done) // sent twice by its producer
		older := d.request(order1, "t-older", "orders/0/8", 2)
		d.claim(older, Done)
		needs := d.request(refund1, "t-refund", "refunds/0/1", 0)
		needs.Needs = []Ref{payment1}
		d.claim(needs, Waiting)

		replay := again
		replay.Token, replay.Replay = "t-replay", true
		if a := d.claim(replay, Claimed); a.Entry.State != StateReversed {
			t.Errorf("the replay finds %+v", a.Entry)
		}
		d.finish(replay, FinishRequest{State: StateDone, Outcome: []byte("posted anew"), Data: []byte("second invoice")})
		if e := d.entry(order1); e.State != StateDone || string(e.Outcome) != "posted anew" {
			t.Errorf("after the replay the claim is %+v", e)
		}
		other := d.request(payment1, "t-other", "payments/0/9", 0)
		d.claim(other, Claimed)
	})
}

func TestReverseKeepsAnOrderThatOnlyLosesAPayment(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		d.posted()
		back := d.rollback("t-back")
		err := d.claims.Reverse(d.ctx, handle(back), Reversal{
			Claims: []ReversedClaim{{payment1, "payments/0/1"}}, Orders: map[string][]byte{"O1": []byte("invoice, unpaid")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if e := d.entry(order1); e.State != StateDone || string(e.Data) != "invoice, unpaid" || e.Revision != 3 {
			t.Errorf("the order's claim is %+v", e)
		}
	})
}

func TestReverseChangesNothingWhereItMustNot(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		d.posted()
		inDoubt := d.request(refund1, "t-refund", "refunds/0/1", 0)
		d.claim(inDoubt, Claimed)
		d.sending(inDoubt, "refund", "steps")
		d.release(inDoubt)
		back := d.rollback("t-back")
		both := Reversal{Claims: []ReversedClaim{{payment1, "payments/0/1"}, {refund1, "refunds/0/1"}}}
		if err := d.claims.Reverse(d.ctx, handle(back), both); !errors.Is(err, ErrInDoubt) {
			t.Errorf("with a write in doubt: %v", err)
		}
		d.release(back)
		if err := d.claims.Reverse(d.ctx, handle(back), Reversal{Claims: both.Claims[:1]}); !errors.Is(err, ErrLost) {
			t.Errorf("without the lease: %v", err)
		}
		if e := d.entry(payment1); e.State != StateDone {
			t.Errorf("the payment's claim is %+v", e)
		}
	})
}
