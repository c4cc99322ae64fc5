package processtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// killer kills processes at moments that a seed decides.
type killer struct {
	trial
	w       *world
	watch   *watcher
	r       *rand.Rand
	records int
	emptied time.Time // when Redis came back empty
	kills   []death
}

// death is one kill.
type death struct {
	victim   int
	outcomes int           // visible before it
	inFlight int           // calls at Zoho just before it
	owned    int           // partitions of the victim that had work left
	resumed  time.Duration // until work was taken up
	seen     time.Duration // until readers saw it
	allowed  time.Duration
}

// kill waits until its share of the work is done and calls are in flight, lets some more random time go by, and kills a
// process. It returns when the victim's partitions are worked on again.
func (k *killer) kill(t *testing.T, n int) {
	t.Helper()
	// Somewhere in the first four fifths of the n-th of as many parts of the work, the last tenth left out: what is still
	// open then waits for something, and not for a process.
	share := 0.9 * (float64(n) + 0.8*k.r.Float64()) / float64(k.trial.kills)
	d := death{victim: k.r.IntN(k.processes)}
	k.w.until(t, "the next share of the work", func() bool { return k.watch.distinct() >= int(share*float64(k.records)) }, k.watch)
	moment := time.NewTimer(time.Duration(k.r.IntN(300)) * time.Millisecond)
	<-moment.C
	// A victim that has just been started may own nothing yet, or nothing that is left to do: then it is another.
	var owned map[string]bool
	drawn := d.victim
	k.w.until(t, "a process with work in flight", func() bool {
		d.inFlight = k.w.inFlight(t)
		for i := range k.processes {
			d.victim = (drawn + i) % k.processes
			if owned = k.unfinished(t, d.victim); len(owned) > 0 && d.inFlight > 0 {
				return true
			}
		}
		return false
	}, k.watch)
	d.outcomes, d.owned = k.watch.distinct(), len(owned)

	victim := k.w.processes[d.victim]
	killed := time.Now()
	victim.kill()
	delete(k.w.processes, d.victim)
	if k.processes == 1 {
		k.w.start(t, d.victim)
	}
	// What the dead one had settled becomes visible later too: only what was settled afterwards is work taken up. When it was
	// settled counts, not when it is seen: a transaction that the dead one left open keeps later ones from readers until the
	// broker aborts it, up to 20 s later. A clock in whole milliseconds.
	k.w.until(t, "work taken up after the kill", func() bool {
		for _, s := range k.watch.after(killed) {
			if owned[s.Topic+"/"+fmt.Sprint(s.Partition)] {
				resumed := time.UnixMilli(s.SettledAt).Sub(killed)
				if d.seen == 0 {
					d.seen, d.resumed = s.at.Sub(killed), resumed
				}
				d.resumed = min(d.resumed, resumed)
			}
		}
		return d.seen > 0
	}, k.watch)
	if k.processes > 1 {
		k.w.start(t, d.victim)
	}
	d.allowed = k.allowed(killed)
	k.kills = append(k.kills, d)
	if d.resumed > d.allowed {
		t.Errorf("kill %d: work was taken up after %v, want at most %v", n+1, d.resumed, d.allowed)
	}
}

// allowed is how long nobody may work on a dead process's partitions.
func (k *killer) allowed(killed time.Time) time.Duration {
	most := sessionTimeout + max(lease, abandoned)
	if k.faults {
		most += faultDelay
	}
	if held := k.emptied.Add(budgetWindow); held.After(killed) {
		most += held.Sub(killed) // no call leaves in that time
	}
	return most
}

// owned are the partitions that the group's coordinator has assigned to a process, as topic/partition; none while the
// group is rebalancing.
func (k *killer) owned(t *testing.T, n int) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	groups, err := k.w.admin.DescribeGroups(ctx, k.w.group)
	if err != nil {
		t.Fatalf("describing the group: %v", err)
	}
	group := groups[k.w.group]
	if group.Err != nil || group.State != "Stable" {
		return nil
	}
	out := map[string]bool{}
	for _, m := range group.Members {
		assigned, ok := m.Assigned.AsConsumer()
		if !ok || m.ClientID != member(n) {
			continue
		}
		for _, topic := range assigned.Topics {
			for _, p := range topic.Partitions {
				out[topic.Topic+"/"+fmt.Sprint(p)] = true
			}
		}
	}
	return out
}

// workLeft is how many records of its partitions a victim must not have committed.
const workLeft = 20

// unfinished are those of a process's partitions that are not committed up to their end; none when little is left to do.
func (k *killer) unfinished(t *testing.T, n int) map[string]bool {
	t.Helper()
	owned, left := k.owned(t, n), int64(0)
	for partition, lag := range k.w.lag(t) {
		if owned[partition] {
			left += lag
		}
		if lag == 0 {
			delete(owned, partition)
		}
	}
	if left < workLeft {
		return nil
	}
	return owned
}

// report prints the kills.
func (k *killer) report(t *testing.T) {
	t.Helper()
	times := make([]time.Duration, len(k.kills))
	for i, d := range k.kills {
		times[i] = d.resumed
		t.Logf("kill %2d: process %d with %d partitions, after %d of %d outcomes, %d calls in flight; work went on after %v of %v allowed, seen after %v",
			i+1, d.victim, d.owned, d.outcomes, k.records, d.inFlight, d.resumed.Round(time.Millisecond), d.allowed.Round(time.Millisecond), d.seen.Round(time.Millisecond))
	}
	slices.Sort(times)
	if n := len(times); n > 0 {
		t.Logf("resumed after: median %v, longest %v", times[n/2].Round(time.Millisecond), times[n-1].Round(time.Millisecond))
	}
}
