package redis

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestManyReplicas lets many attempts on several clients claim payments that name two orders in either order, and orders, at random. Whoever holds an order is
// alone with it; nobody starves; every payment is finished exactly once.
func TestManyReplicas(t *testing.T) {
	t.Parallel()
	rnd := seed(t)
	onServers(t, func(t *testing.T, s *bundle) {
		const replicas, workers, payments, orders = 3, 8, 60, 5
		var holders [orders]atomic.Int32
		var finished [payments]atomic.Int32
		seeds := make([]uint64, replicas*workers)
		for i := range seeds {
			seeds[i] = rnd.Uint64()
		}
		var left atomic.Int64
		left.Store(payments)
		var wg sync.WaitGroup
		for r := range replicas {
			d := s.desk()
			for w := range workers {
				own := rand.New(rand.NewPCG(seeds[r*workers+w], 1))
				wg.Go(func() {
					for n := 0; left.Load() > 0; n++ {
						i := own.IntN(payments)
						one := i % orders
						two := (one + 1 + i%3) % orders
						if own.IntN(2) == 0 {
							one, two = two, one
						}
						req := ClaimRequest{Organization: d.org, Ref: Ref{RolePayment, fmt.Sprint("P", i)}, Token: fmt.Sprintf("%d-%d-%d", r, w, n),
							Coordinates: fmt.Sprint("t/0/", i), Orders: []string{fmt.Sprint("O", one), fmt.Sprint("O", two)}, EpochID: d.epoch}
						a, err := d.claims.Claim(d.ctx, req)
						if err != nil {
							t.Error(err)
							return
						}
						if a.State != Claimed {
							if a.State != Busy && a.State != Done {
								t.Errorf("%s", a.State)
							}
							continue
						}
						for _, o := range []int{one, two} {
							if holders[o].Add(1) != 1 {
								t.Errorf("order %d has two holders", o)
							}
						}
						finish := own.IntN(3) > 0
						if finish {
							if _, err := d.claims.Sending(d.ctx, handle(req), "post", nil); err != nil {
								t.Error(err)
							}
						}
						for _, o := range []int{one, two} {
							holders[o].Add(-1)
						}
						if !finish {
							err = d.claims.Release(d.ctx, handle(req))
						} else if err = d.claims.Finish(d.ctx, handle(req), FinishRequest{State: StateDone}); err == nil {
							finished[i].Add(1)
							left.Add(-1)
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		for i := range finished {
			if finished[i].Load() != 1 {
				t.Errorf("payment %d was finished %d times", i, finished[i].Load())
			}
		}
	})
}

// TestLeasesLapseUnderWork lets leases lapse at random: a holder that lost its claim must not finish it, one that was not succeeded may.
func TestLeasesLapseUnderWork(t *testing.T) {
	t.Parallel()
	rnd := seed(t)
	onServers(t, func(t *testing.T, s *bundle) {
		var finished sync.Map
		var wg sync.WaitGroup
		for r := range 3 {
			d := s.desk()
			own := rand.New(rand.NewPCG(rnd.Uint64(), 1))
			wg.Go(func() {
				for n := range 150 {
					id := fmt.Sprint("O", own.IntN(3))
					revision := int64(own.IntN(20))
					req := d.request(Ref{RoleOrder, id}, fmt.Sprintf("%d-%d", r, n), fmt.Sprintf("t/%d/%d", r, n), revision)
					a, err := d.claims.Claim(d.ctx, req)
					if err != nil {
						t.Error(err)
						return
					}
					if a.State != Claimed && a.State != InDoubt {
						continue
					}
					if own.IntN(2) == 0 {
						if _, err := d.claims.Sending(d.ctx, handle(req), "post", nil); err != nil && !errors.Is(err, ErrLost) {
							t.Error(err)
						}
					}
					if own.IntN(2) == 0 {
						d.lapse(d.claims.c, req.Ref)
					}
					err = d.claims.Finish(d.ctx, handle(req), FinishRequest{State: StateDone})
					if err == nil {
						if _, twice := finished.LoadOrStore(fmt.Sprint(id, "@", revision), req.Token); twice {
							t.Errorf("revision %d of %s was finished twice", revision, id)
						}
					} else if !errors.Is(err, ErrLost) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}
