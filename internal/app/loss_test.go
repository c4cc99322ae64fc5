package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// lagging is what a replica of Redis holds at a moment: what came later it has not been told when it takes over.
type lagging struct {
	texts  map[string]string
	hashes map[string]map[string]string
	sets   map[string][]redis.Z
}

// replicate notes what Redis holds but for the budget.
func (w *world) replicate() *lagging {
	w.Helper()
	c := w.redisClient()
	ctx := context.Background()
	l := &lagging{map[string]string{}, map[string]map[string]string{}, map[string][]redis.Z{}}
	for _, key := range c.Keys(ctx, "*").Val() {
		if strings.Contains(key, "budget") {
			continue
		}
		switch c.Type(ctx, key).Val() {
		case "string":
			l.texts[key] = c.Get(ctx, key).Val()
		case "hash":
			l.hashes[key] = c.HGetAll(ctx, key).Val()
		case "zset":
			l.sets[key] = c.ZRangeWithScores(ctx, key, 0, -1).Val()
		}
	}
	return l
}

// failover makes Redis hold what the replica held. The epoch is over, as it is once somebody misses a change of his own.
func (w *world) failover(l *lagging) {
	w.Helper()
	c := w.redisClient()
	ctx := context.Background()
	_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.FlushAll(ctx)
		for key, text := range l.texts {
			p.Set(ctx, key, text, time.Hour)
		}
		for key, fields := range l.hashes {
			if !strings.HasSuffix(key, ":epoch") {
				p.HSet(ctx, key, fields)
				p.Expire(ctx, key, time.Hour)
			}
		}
		for key, members := range l.sets {
			p.ZAdd(ctx, key, members...)
			p.Expire(ctx, key, time.Hour)
		}
		return nil
	})
	if err != nil {
		w.Fatalf("failing over: %v", err)
	}
}

// unpublished keeps what the first record of a topic came to from the engine, as if the replica died before it was published; settled is closed
// when that is settled in Redis.
func unpublished(topic string) (change func(*Options), settled <-chan struct{}) {
	done := make(chan struct{})
	return func(o *Options) {
		o.wrap = func(next kafka.Handler) kafka.Handler {
			return kafka.HandlerFunc(func(ctx context.Context, d *kafka.Delivery) kafka.Result {
				result := next.Handle(ctx, d)
				if d.Record.Topic != topic || result.Publish == nil {
					return result
				}
				close(done)
				select {
				case <-d.Leaving():
				case <-ctx.Done():
				}
				return kafka.Result{Released: true}
			})
		}
	}, done
}

// TestAnOrderWrittenAgainKnowsOfMoneyThatRedisForgot: the replica dies when the order is settled in Redis but not published, and the payment
// behind it is both; Redis forgets. The order's record, worked on again, meets its own invoice.
func TestAnOrderWrittenAgainKnowsOfMoneyThatRedisForgot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(w *world, p *schemas.Payment) any
		after  func(w *world, p *schemas.Payment) any
		want   map[string]string
	}{
		"a refund finds its payment": {
			after: func(w *world, _ *schemas.Payment) any { return w.refund("R1", "O1", "P1", "433") },
			want:  map[string]string{simulator.AccountReceivable: "0", simulator.AccountStripe: "0", simulator.AccountSales: "0"},
		},
		"a reversal finds the dispute": {
			before: func(w *world, p *schemas.Payment) any { return w.became(p, schemas.PaymentDisputed, "15") },
			after:  func(w *world, p *schemas.Payment) any { return w.became(p, schemas.PaymentReversed, "") },
			want:   map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "0", simulator.AccountBadDebt: "433"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, waits(time.Second), disputes("write_off"))
			change, settled := unpublished(w.cfg.Topics.Orders[0])
			r := w.start(change)
			order := w.one(w.order("O1"))
			<-settled
			p := w.payment("P1", "O1", "433")
			w.posted(w.one(p))
			if tt.before != nil {
				w.posted(w.one(tt.before(w, p)))
			}
			r.stop()
			w.redis.Empty(w)
			w.start()
			w.posted(order, w.one(tt.after(w, p)))
			w.balances(tt.want)
		})
	}
}

// TestAnOrdersStateThatOutlivedALossIsCompleted: the state of the order is from before the failover; only the books know all of what came later.
func TestAnOrdersStateThatOutlivedALossIsCompleted(t *testing.T) {
	t.Parallel()
	payment := func(w *world) *schemas.Payment { return w.payment("P1", "O1", "433") }
	refund := func(w *world) any { return w.refund("R1", "O1", "P1", "100") }
	became := func(kind schemas.PaymentKind, fee string) func(w *world) any {
		return func(w *world) any { return w.became(payment(w), kind, fee) }
	}
	unrelated := func(w *world) any { return w.order("O9") }
	for name, tt := range map[string]struct {
		before func(w *world) any // what the replica of Redis was told
		lost   func(w *world) any
		after  func(w *world) any
		class  string // of a rejection
		same   bool   // a duplicate
		want   map[string]string
	}{
		"a dispute is remembered where it was before the loss": {
			before: became(schemas.PaymentDisputed, "15"), lost: unrelated, after: became(schemas.PaymentReversed, ""),
			want: map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "0", simulator.AccountBadDebt: "433"},
		},
		"a dispute sent again is posted once": {
			lost: became(schemas.PaymentDisputed, "15"), after: became(schemas.PaymentDisputed, "15"), same: true,
			want: map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "433"},
		},
		"a won dispute holds nothing": {
			before: became(schemas.PaymentDisputed, ""), lost: became(schemas.PaymentDisputeWon, ""), after: refund,
			want: map[string]string{simulator.AccountStripe: "333", simulator.AccountDisputes: "0"},
		},
		"what was lost to the customer's bank is not returned": {
			before: became(schemas.PaymentReversed, ""), lost: unrelated, after: refund, class: "dependency.missing",
			want: map[string]string{simulator.AccountStripe: "0", simulator.AccountBadDebt: "433"},
		},
		"a refund out of a cancellation's credit note is paid once": {
			before: func(w *world) any { return w.cancelled(w.order("O1")) }, lost: refund, after: refund, same: true,
			want: map[string]string{simulator.AccountStripe: "333", simulator.AccountUnearned: "-333"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, waits(time.Second), disputes("write_off"))
			r := w.start()
			w.posted(w.send(w.order("O1"), payment(w))...)
			if tt.before != nil {
				w.posted(w.one(tt.before(w)))
			}
			held := w.replicate()
			w.posted(w.one(tt.lost(w)))
			r.stop()
			w.failover(held)
			w.start().assigned()
			record := w.one(tt.after(w))
			switch {
			case tt.class != "":
				w.rejected(record, tt.class)
			case tt.same:
				w.duplicate(record, "same")
			default:
				w.posted(record)
			}
			w.balances(tt.want)
		})
	}
}

// TestWhatWasWrittenOffIsInTheJournals: nothing else tells a refund once Redis has forgotten it.
func TestWhatWasWrittenOffIsInTheJournals(t *testing.T) {
	t.Parallel()
	w := forgotten(t, func(w *world) []any {
		p := w.payment("P1", "O1", "433")
		return []any{w.order("O1"), p, w.became(p, schemas.PaymentReversed, "")}
	}, disputes("write_off"))
	w.rejected(w.one(w.refund("R1", "O1", "P1", "10")), "dependency.missing")
}

// TestStepsBehindAMarkThatSurvivedAreMadeOnce: of a refund of several steps the mark of one outlives a failover, the marks of those behind it do
// not.
func TestStepsBehindAMarkThatSurvivedAreMadeOnce(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"its record is delivered again": false, "it is sent again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, waits(time.Second), mapped(func(o *config.Organization) { o.Journals = true }))
			change, settled := unpublished(w.cfg.Topics.Refunds[0])
			if again {
				change = func(*Options) {}
			}
			r := w.start(change)
			w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "450"))...) // 17 too much
			// Its own note's 433 are returned, then 8 out of the excess, then the fee.
			refund := func() *schemas.Refund {
				f := w.refund("R1", "O1", "P1", "441")
				f.FeeReturned = &schemas.Fee{Amount: dec("1.25"), Currency: "USD"}
				return f
			}
			w.inject(simulator.Fault{Kind: simulator.FaultLatency, Method: "POST", Path: "/creditnotes/*/refunds", Delay: timeout / 2, Nth: 1})
			record := w.one(refund())
			w.hit(simulator.FaultLatency) // it is marked, and nothing behind it
			held := w.replicate()
			if again {
				w.posted(record)
			} else {
				<-settled
			}
			r.stop()
			w.failover(held)
			w.start().assigned()
			if again {
				w.duplicate(w.one(refund()), "same")
			} else {
				w.posted(record)
			}
			w.balances(map[string]string{simulator.AccountStripe: "10.25", simulator.AccountFees: "-1.25"})
		})
	}
}

// TestARevisionMetAgainKnowsWhatWasDrawnFromItsCreditNote: what a refund took of the note is not there for the next one.
func TestARevisionMetAgainKnowsWhatWasDrawnFromItsCreditNote(t *testing.T) {
	t.Parallel()
	var o *schemas.Order
	w := forgotten(t, func(w *world) []any {
		o = w.two("O1")
		return []any{o, w.payment("P1", "O1", "324.75"), w.updated(o, sold("b", "2", "100")), w.refund("R1", "O1", "P1", "108.25")}
	})
	w.duplicate(w.one(w.updated(o, sold("b", "2", "100"))), "same")
	w.posted(w.one(w.refund("R2", "O1", "P1", "50")))
}

// TestACancellationThatRedisForgotIsInItsCreditNote: what comes behind a cancellation is judged as if Redis remembered it.
func TestACancellationThatRedisForgotIsInItsCreditNote(t *testing.T) {
	t.Parallel()
	begun := func(o **schemas.Order) func(w *world) []any {
		return func(w *world) []any {
			*o = w.two("O1")
			return []any{*o, w.payment("P1", "O1", "324.75"), cancelAt(3)(w, *o)}
		}
	}
	revised := func(w *world, o *schemas.Order, revision int64) *schemas.Order {
		c := w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"), sold("c", "1", "40"))
		c.Revision = revision
		return c
	}
	t.Run("an earlier revision is stale", func(t *testing.T) {
		t.Parallel()
		var o *schemas.Order
		w := forgotten(t, begun(&o))
		w.duplicate(w.one(revised(w, o, 2)), "stale")
	})
	t.Run("a later revision changes nothing", func(t *testing.T) {
		t.Parallel()
		var o *schemas.Order
		w := forgotten(t, begun(&o))
		w.rejected(w.one(revised(w, o, 4)), "rejected.unsupported")
	})
	t.Run("a refund credits nothing more", func(t *testing.T) {
		t.Parallel()
		var o *schemas.Order
		w := forgotten(t, begun(&o))
		f := w.refund("R1", "O1", "P1", "300")
		f.CreditTotal.Decimal, f.CreditTotal.Valid = dec("324.75"), true
		w.posted(w.one(f))
	})
}

// TestAPaymentWhoseRejectionWasLostIsNotWaitedForInVain: it was announced on the order, and nobody will settle it any more.
func TestAPaymentWhoseRejectionWasLostIsNotWaitedForInVain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(1500*time.Millisecond))
	w.keyless = true
	r := w.start()
	w.posted(w.one(w.order("O1")))
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Status: 400, Code: 999999, Method: "POST", Path: "/customerpayments", Nth: 1})
	refused := w.one(w.payment("P2", "O2", "433"))
	r.parked("dependency", 1)
	held := w.replicate()
	w.posted(w.one(w.order("O2")))
	w.rejected(refused, "rejected.books")
	w.posted(w.one(w.payment("P1", "O2", "433")))
	r.stop()
	w.failover(held)
	w.start().assigned()
	w.posted(w.one(w.refund("R1", "O2", "P1", "100")))
}
