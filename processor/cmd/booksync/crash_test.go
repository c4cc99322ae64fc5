package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// cutAnywhere runs a command again and again, on kfake, and ends it when the brokers get its first request, its fourth, its seventh, until one run comes to its end.
// It answers how often it was cut off, and the last result.
func (s *services) cutAnywhere(t *testing.T, args ...string) (cuts int, last result) {
	t.Helper()
	var seen atomic.Int64
	var cut atomic.Pointer[func()]
	s.kafka.Fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		s.kafka.Fake.KeepControl()
		seen.Add(1)
		if end := cut.Load(); end != nil {
			(*end)()
		}
		return nil, nil, false // the broker does it; the command does not hear of it any more
	})
	for at := int64(1); ; at += 3 {
		ctx, cancel := context.WithCancel(t.Context())
		from := seen.Load()
		end := func() {
			if seen.Load() >= from+at {
				cancel()
			}
		}
		cut.Store(&end)
		last = booksyncWith(t, ctx, "", s.environ, args...)
		cut.Store(nil)
		cancel()
		if last.code != codeInterrupted {
			return cuts, last
		}
		if cuts++; cuts > 200 {
			t.Fatalf("it never ends: %+v", last)
		}
	}
}

func TestAReplayCutOffAtAnyRequestSendsEachOnce(t *testing.T) {
	t.Parallel()
	l := startLettersOn(t, testkit.FakeKafka(t))
	const n = 20
	l.put(n, nil)
	cuts, last := l.cutAnywhere(t, "dlq", "replay", "--all", "--apply", "--reason", "mapped", "--rate", "10")
	if last.code != 0 || cuts < 8 {
		t.Fatalf("cut off %d times: %+v", cuts, last)
	}
	l.replayedOnce(n)
	mustHold(t, l.ok("", "dlq", "ls"), fmt.Sprintf("no dead letters (done with: %d replayed)", n))
}

// replayedOnce looks whether each of n orders is in the source topic once.
func (l *letters) replayedOnce(n int) {
	l.t.Helper()
	times := map[string]int{}
	for _, rec := range testkit.ReadCommitted(l.t, l.kafka.Addrs, l.orders) {
		times[string(rec.Key)]++
	}
	for key, k := range times {
		if k != 1 {
			l.t.Errorf("%s was replayed %d times", key, k)
		}
	}
	if len(times) != n {
		l.t.Errorf("%d of %d were replayed", len(times), n)
	}
}

func TestARedriveCutOffAtAnyRequestPutsTheRecordsBackOnce(t *testing.T) {
	t.Parallel()
	d := deskOf(t, startServices(t, true).setUp(t))
	file := d.planOfOne()
	d.must("rollback", "apply", file, "--apply", "--reason", "wrong")
	cuts, last := d.cutAnywhere(t, "rollback", "redrive", file, "--apply", "--reason", "mended")
	// The run before may have done it without hearing so.
	if cuts < 5 || last.code != 0 && !strings.Contains(last.stderr, "put back before") {
		t.Fatalf("cut off %d times: %+v", cuts, last)
	}
	if n := len(testkit.ReadCommitted(t, d.kafka.Addrs, d.topic("commerce.orders"))); n != 2 {
		t.Errorf("the topic holds %d records, want the first and one put back", n)
	}
}

// killed starts the command as a process of its own and kills it (SIGKILL) when the books have got so many more calls; false when it ended before that.
func (d *desk) killed(after int, args ...string) (bool, string) {
	d.t.Helper()
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.CommandContext(d.t.Context(), self, args...)
	cmd.Env = append(append(os.Environ(), d.environ...), asCommand+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	until := d.sim.Calls("10234695").Total + after
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for d.sim.Calls("10234695").Total < until {
		select {
		case <-ended:
			return false, out.String()
		case <-ticks.C:
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled(), out.String()
}

// succeeded counts the calls of a resource that Zoho Books took.
func succeeded(calls simulator.Calls, resource string) int {
	n := 0
	for status, times := range calls.Answers[resource] {
		if strings.HasPrefix(status, "2") {
			n += times
		}
	}
	return n
}

// TestARollbackThatIsKilledGoesOnAndDoesNothingTwice kills `rollback apply` as a process in the middle of its calls, later each time, until it comes to its end.
func TestARollbackThatIsKilledGoesOnAndDoesNothingTwice(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.environ = append(d.environ, "BOOKSYNC_ZOHO_TIMEOUT=500ms", "BOOKSYNC_CLAIMS_LEASE=1s")
	stop := d.start(t)
	const n = 5
	var want []string
	for i := range n {
		id := strconv.Itoa(i)
		other := strings.NewReplacer(`"O1"`, `"O`+id+`"`, `"1001"`, `"100`+id+`"`, `"P1"`, `"P`+id+`"`, `"R1"`, `"R`+id+`"`, `"e1"`, `"eo`+id+`"`,
			`"e2"`, `"ep`+id+`"`, `"e3"`, `"er`+id+`"`, `"ch_1"`, `"ch_`+id+`"`, `"re_1"`, `"re_`+id+`"`)
		d.produce("orders", other.Replace(orderJSON))
		d.produce("payments", other.Replace(paymentJSON))
		d.outcomes(3*i + 2)
		d.produce("refunds", other.Replace(refundJSON))
		d.outcomes(3*i + 3)
		for _, what := range []string{"order O", "payment P", "refund R"} {
			want = append(want, "POSTED "+what+id, "REVERSED "+what+id)
		}
	}
	stop()
	file := d.plan()
	if err := d.sim.Inject(simulator.Fault{Kind: simulator.FaultLatency, Delay: 5 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	before := d.sim.Calls("10234695")
	kills := 0
	for after := 12; ; after += 7 { // reading the organisation takes the first ones
		wasKilled, out := d.killed(after, "rollback", "apply", file, "--apply", "--reason", "killed", "--actor", "ann")
		if !wasKilled {
			mustHold(t, out, "0 blocked, 0 busy")
			break
		}
		if kills++; kills > 30 {
			t.Fatalf("it never ends:\n%s", out)
		}
	}
	if kills < 3 {
		t.Errorf("it was killed %d times only", kills)
	}
	if living, accounts := d.ledger(); len(living) > 0 || len(accounts) > 0 {
		t.Errorf("after the rollback the books hold %v, %v", living, accounts)
	}
	d.must("rollback", "apply", file, "--apply", "--reason", "once more")
	mustHold(t, d.must("status"), ", 0 under way") // a command that ended holds no slot of the budget
	got := d.outcomes(len(want))
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("outcomes (-want +got): %s", diff)
	}
	after := d.sim.Calls("10234695")
	for call, times := range map[string]int{
		"POST /invoices/{id}/status/void": n, "POST /creditnotes/{id}/status/void": n, "DELETE /customerpayments/{id}": n, "DELETE /creditnotes/{id}/refunds/{sub}": n,
	} {
		if did := succeeded(after, call) - succeeded(before, call); did != times {
			t.Errorf("%s succeeded %d times for %d documents", call, did, times)
		}
	}
	begun, ended := 0, 0
	for _, e := range d.audited(t) {
		switch {
		case e.Action == "pause" && e.Actor == "ann" && e.Reason == "killed" && strings.HasPrefix(e.Details["owner"], "rollback:"):
			begun++
		case e.Action == "rollback.apply" && e.Selector == "--all":
			ended++
		}
	}
	if begun != kills+1 || ended != 2 {
		t.Errorf("the audit topic tells of %d beginnings, want %d, and of %d ends, want 2", begun, kills+1, ended)
	}
}
