package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// revised is orderJSON's second revision: twice as many.
var revised = strings.NewReplacer(`"CREATED"`, `"UPDATED"`, `"revision":1`, `"revision":2`, `"e1"`, `"e1b"`, `"quantity":"2"`, `"quantity":"4"`,
	`"amount":"1.78"`, `"amount":"3.55"`, `"net":"20.00","tax":"1.78","gross":"21.78"`, `"net":"40.00","tax":"3.55","gross":"43.55"`).Replace(orderJSON)

// act runs a rollback command that acts.
func (d *desk) act(command, file string) result {
	d.t.Helper()
	return d.run(d.t, "", "rollback", command, file, "--apply", "--reason", "a test")
}

func TestARollbackOfWhatWasChangedSinceItsPlanIsRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	defer d.start(t)()
	d.produce("orders", orderJSON)
	d.outcomes(1)
	file := d.plan()
	d.produce("orders", revised)
	d.outcomes(2)
	before, _ := d.ledger()
	if r := d.act("apply", file); r.code == 0 || !strings.Contains(r.stdout+r.stderr, "posted since the plan was made") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if after, _ := d.ledger(); !cmp.Equal(before, after) {
		t.Errorf("taken back beneath a later revision: %s", cmp.Diff(before, after))
	}
}

// TestARollbackOfWhatWasPostedAnewIsRefused: two plans hold one order; the first is applied, and the order posted anew.
func TestARollbackOfWhatWasPostedAnewIsRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	defer d.start(t)()
	d.produce("orders", orderJSON)
	d.outcomes(1)
	first, second := d.plan(), d.plan()
	for _, command := range []string{"apply", "redrive"} {
		if r := d.act(command, first); r.code != 0 {
			t.Fatalf("%s: exit %d\n%s\n%s", command, r.code, r.stdout, r.stderr)
		}
	}
	d.goOn(first)
	d.outcomes(3)
	before, _ := d.ledger()
	if r := d.act("apply", second); r.code == 0 || !strings.Contains(r.stdout+r.stderr, "make a new plan") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if after, _ := d.ledger(); len(after) != 1 || !cmp.Equal(before, after) {
		t.Errorf("the books hold %v, before %v", after, before)
	}
}

// TestWhatASecondApplyTakesBackIsRedriven: one order is blocked at first, the other one redriven; then it is taken back, too.
func TestWhatASecondApplyTakesBackIsRedriven(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	defer d.start(t)()
	d.produce("orders", orderJSON, strings.NewReplacer(`"O1"`, `"O2"`, `"1001"`, `"1002"`, `"e1"`, `"e9"`).Replace(orderJSON))
	d.outcomes(2)
	d.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/void", Nth: 1, Status: 400, Code: 12006, Message: "no"})
	file := d.plan()
	if r := d.act("apply", file); r.code == 0 {
		t.Fatalf("nothing was blocked:\n%s", r.stdout)
	}
	for _, command := range []string{"redrive", "apply", "redrive"} {
		if r := d.act(command, file); r.code != 0 {
			t.Errorf("%s: exit %d\n%s\n%s", command, r.code, r.stdout, r.stderr)
		}
	}
	if r := d.act("redrive", file); r.code == 0 {
		t.Errorf("redriven once more:\n%s", r.stdout)
	}
	d.goOn(file)
	d.outcomes(6) // two posted, taken back, and posted anew
	if living, _ := d.ledger(); len(living) != 2 {
		t.Errorf("the books hold %v", living)
	}
}

func TestARedriveThatMissesRecordsFailsAsJSONToo(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	file := d.planOfOne()
	if r := d.act("apply", file); r.code != 0 {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	admin := kadm.NewClient(testkit.Client(t, d.kafka.Addrs))
	ends, err := admin.ListEndOffsets(t.Context(), d.topic("commerce.orders"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(t.Context(), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	plain := d.run(t, "", "rollback", "redrive", file)
	asJSON := d.run(t, "", "rollback", "redrive", file, "--json")
	if plain.code == 0 || plain.code != asJSON.code || !strings.Contains(asJSON.stdout, `"missing"`) {
		t.Errorf("exit %d, as JSON %d: %s", plain.code, asJSON.code, asJSON.stdout)
	}
}

// TestADryRedriveLeavesARunningApplyAlone: it takes no producer id from it.
func TestADryRedriveLeavesARunningApplyAlone(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	file := d.planOfOne()
	d.inject(simulator.Fault{Kind: simulator.FaultLatency, Delay: 300 * time.Millisecond})
	calls := func() int { return d.sim.Calls("10234695").Total }
	before := calls()
	applied := make(chan result, 1)
	go func() { applied <- d.act("apply", file) }()
	testkit.Until(t, time.Minute, "the rollback to be under way", func() bool { return calls() >= before+3 })
	d.run(t, "", "rollback", "redrive", file)
	if r := <-applied; r.code != 0 {
		t.Errorf("a dry run ended the rollback: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestDlqReplayPutsALaterRevisionBack(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	defer d.start(t)()
	d.produce("orders", orderJSON)
	d.outcomes(1)
	d.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices", Nth: 1, Status: 400, Code: 1038, Message: "no"})
	d.produce("orders", revised)
	d.outcomes(2)
	d.must("dlq", "replay", "--all", "--apply", "--reason", "mended")
	if got := d.outcomes(3); got[2] != "POSTED order O1" {
		t.Errorf("outcomes: %q", got)
	}
}
