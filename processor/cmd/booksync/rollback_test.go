package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// desk is a company with the service running, for tests of operators' commands.
type desk struct {
	*services
	t     *testing.T
	codec *schemas.Codec
}

// openDesk opens one on the real Kafka where the environment names it.
func openDesk(t *testing.T) *desk {
	t.Helper()
	return deskOf(t, prepared(t))
}

func deskOf(t *testing.T, s *services) *desk {
	t.Helper()
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	return &desk{services: s, t: t, codec: codec}
}

// must runs a command that must succeed, and answers what it printed.
func (d *desk) must(args ...string) string {
	d.t.Helper()
	r := d.run(d.t, "", args...)
	if r.code != 0 {
		d.t.Fatalf("%s: exit %d\n%s\n%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

func (d *desk) produce(kind string, events ...string) {
	d.t.Helper()
	if r := d.run(d.t, strings.Join(events, "\n"), "produce", kind, "-"); r.code != 0 {
		d.t.Fatalf("produce: %+v", r)
	}
}

// plan makes a rollback plan of everything.
func (d *desk) plan() (file string) {
	d.t.Helper()
	file = filepath.Join(d.t.TempDir(), "plan.json")
	d.must("rollback", "plan", "--all", "--out", file)
	return file
}

// planOfOne is the plan of one posted order; the service is stopped.
func (d *desk) planOfOne() (file string) {
	d.t.Helper()
	stop := d.start(d.t)
	d.produce("orders", orderJSON)
	d.outcomes(1)
	stop()
	return d.plan()
}

// goOn ends the pause of a plan.
func (d *desk) goOn(file string) {
	d.t.Helper()
	var plan rollback.Plan
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.must("resume", "--organization", "demo", "--owner", "rollback:"+plan.ID)
}

// outcomes waits for n outcomes and answers all that are there, as "STATUS workflow id", in order.
func (d *desk) outcomes(n int) []string {
	d.t.Helper()
	var got []string
	for _, rec := range testkit.AwaitCommitted(d.t, d.kafka.Addrs, d.topic("books.outcomes"), n, 30*time.Second) {
		o, _, err := d.codec.DecodeOutcome(d.t.Context(), rec.Value, rec.Headers)
		if err != nil {
			d.t.Fatal(err)
		}
		line := string(o.Status) + " " + o.Workflow + " " + o.BusinessID
		if o.Reason != "" && o.Status == schemas.StatusDuplicate {
			line += " " + o.Reason
		}
		if o.Error != nil {
			line += " " + o.Error.Message
		}
		got = append(got, line)
	}
	return got
}

// ledger is what the books hold: the living documents, and whether the trial balance is zero.
func (d *desk) ledger() (living []string, accounts map[string]string) {
	d.t.Helper()
	l := d.sim.Ledger("10234695")
	if !l.Zero {
		d.t.Error("the trial balance is not zero")
	}
	for _, doc := range slices.Concat(l.Invoices, l.Payments, l.CreditNotes, l.Refunds) {
		if doc.Status != "void" {
			living = append(living, doc.Type+" "+doc.BusinessID+" "+doc.Total.String())
		}
	}
	slices.Sort(living)
	accounts = map[string]string{}
	for _, a := range l.TrialBalance {
		if !a.Balance.IsZero() {
			accounts[a.Name] = a.Balance.String()
		}
	}
	return living, accounts
}

func TestRollbackTakesBackWhatWasPostedAndLetsItBePostedAnew(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	defer func() { stop() }()
	d.produce("orders", orderJSON)
	d.outcomes(1)
	d.produce("payments", paymentJSON)
	d.outcomes(2)
	d.produce("refunds", refundJSON)
	d.outcomes(3)
	before, balances := d.ledger()

	file := filepath.Join(t.TempDir(), "plan.json")
	out := d.must("rollback", "plan", "--ids", "O1", "--workflow", "order", "--out", file)
	if !strings.Contains(out, "3 outcomes of 1 order (2 not selected, which rest on others)") {
		t.Errorf("the plan says\n%s", out)
	}
	if shown := d.must("rollback", "apply", file); !strings.Contains(shown, "nothing was changed") {
		t.Errorf("without --apply:\n%s", shown)
	}
	if now, _ := d.ledger(); !cmp.Equal(before, now) {
		t.Fatalf("plan and dry run changed the books: %s", cmp.Diff(before, now))
	}

	d.must("rollback", "apply", file, "--apply", "--reason", "wrong tax")
	if living, accounts := d.ledger(); len(living) > 0 || len(accounts) > 0 {
		t.Errorf("after the rollback the books hold %v, %v", living, accounts)
	}
	reversed := []string{"POSTED order O1", "POSTED payment P1", "POSTED refund R1", "REVERSED refund R1", "REVERSED payment P1", "REVERSED order O1"}
	if diff := cmp.Diff(reversed, d.outcomes(6)); diff != "" {
		t.Errorf("outcomes: %s", diff)
	}
	if again := d.must("rollback", "apply", file, "--apply", "--reason", "wrong tax", "--json"); !strings.Contains(again, `"was reversed": 1`) {
		t.Errorf("applied again:\n%s", again)
	}

	d.produce("orders", orderJSON) // its producer sends it once more: nothing posts by itself
	if dry := d.must("rollback", "redrive", file); !strings.Contains(dry, "3 records would be put back") {
		t.Errorf("redrive:\n%s", dry)
	}
	d.goOn(file)
	if got := d.outcomes(7); got[6] != "DUPLICATE order O1 reversed" {
		t.Errorf("sent again by its producer: %v", got[6:])
	}
	d.must("rollback", "redrive", file, "--apply", "--reason", "mapping mended")
	if r := d.run(t, "", "rollback", "redrive", file, "--apply", "--reason", "again"); r.code != 1 || !strings.Contains(r.stderr, "put back before") {
		t.Errorf("a second redrive: %+v", r)
	}
	got := d.outcomes(10)
	if diff := cmp.Diff([]string{"POSTED order O1", "POSTED payment P1", "POSTED refund R1"}, got[7:]); diff != "" {
		t.Errorf("posted anew: %s", diff)
	}
	living, accounts := d.ledger()
	if diff := cmp.Diff(before, living); diff != "" {
		t.Errorf("documents: %s", diff)
	}
	if diff := cmp.Diff(balances, accounts); diff != "" {
		t.Errorf("balances: %s", diff)
	}
}

func TestRollbackOfARefundLeavesOrderAndPayment(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	defer func() { stop() }()
	d.produce("orders", orderJSON)
	d.outcomes(1)
	d.produce("payments", paymentJSON)
	d.outcomes(2)
	before, balances := d.ledger()
	d.produce("refunds", refundJSON)
	d.outcomes(3)
	file := filepath.Join(t.TempDir(), "plan.json")
	d.must("rollback", "plan", "--workflow", "refund", "--since", "1h", "--out", file)
	d.must("rollback", "apply", file, "--apply", "--reason", "refunded twice by hand")
	living, accounts := d.ledger()
	if diff := cmp.Diff(before, living); diff != "" {
		t.Errorf("documents: %s", diff)
	}
	if diff := cmp.Diff(balances, accounts); diff != "" {
		t.Errorf("balances: %s", diff)
	}
}

func TestRollbackLeavesWhatPeopleHaveTouched(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	d.produce("orders", orderJSON, strings.NewReplacer(`"O1"`, `"O2"`, `"1001"`, `"1002"`, `"e1"`, `"e9"`).Replace(orderJSON))
	d.outcomes(2)
	stop()
	if err := d.sim.Inject(simulator.Fault{Kind: simulator.FaultEdit, BusinessID: "order:O1", Amount: decimal.RequireFromString("1.00")}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	r := d.run(t, "", "rollback", "plan", "--all", "--out", file)
	if r.code != 1 || !strings.Contains(r.stdout, "was edited: its total is 22.78, booksync posted 21.78") || !strings.Contains(r.stderr, "1 order cannot be taken back") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	r = d.run(t, "", "rollback", "apply", file, "--apply", "--reason", "test")
	if r.code != 1 || !strings.Contains(r.stdout, "1 taken back, 0 before, 1 blocked") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if living, _ := d.ledger(); !cmp.Equal(living, []string{"invoice order:O1 22.78"}) {
		t.Errorf("the books hold %v", living)
	}
}

// TestRollbackLeavesWhatZohoRefusesAndGoesOn has an e-invoice among the orders, and one that Zoho does not let be voided, for reasons of its own.
func TestRollbackLeavesWhatZohoRefusesAndGoesOn(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	for i := range 3 {
		id := strconv.Itoa(i + 1)
		d.produce("orders", strings.NewReplacer(`"O1"`, `"O`+id+`"`, `"1001"`, `"100`+id+`"`, `"e1"`, `"e`+id+`"`).Replace(orderJSON))
		d.outcomes(i + 1)
	}
	stop()
	for _, f := range []simulator.Fault{
		{Kind: simulator.FaultPush, BusinessID: "order:O1"},
		// The last one posted is the first one taken back.
		{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/void", Nth: 1, Status: 400, Code: 12006, Message: "no"},
	} {
		if err := d.sim.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	r := d.run(t, "", "rollback", "plan", "--all", "--out", file)
	if r.code != 1 || !strings.Contains(r.stdout, "was registered as an e-invoice and cannot be voided") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	r = d.run(t, "", "rollback", "apply", file, "--apply", "--reason", "test")
	if r.code != 1 || !strings.Contains(r.stdout, "order O3: Zoho Books refuses it: void invoice") || !strings.Contains(r.stdout, "1 taken back, 0 before, 2 blocked") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if living, _ := d.ledger(); !cmp.Equal(living, []string{"invoice order:O1 21.78", "invoice order:O3 21.78"}) {
		t.Errorf("the books hold %v: what stays keeps its key", living)
	}
	r = d.run(t, "", "rollback", "apply", file, "--apply", "--reason", "again")
	if r.code != 1 || !strings.Contains(r.stdout, "1 taken back, 1 before, 1 blocked") {
		t.Errorf("when it is not refused any more: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

// inject asks the simulator for faults.
func (d *desk) inject(faults ...simulator.Fault) {
	d.t.Helper()
	for _, f := range faults {
		if err := d.sim.Inject(f); err != nil {
			d.t.Fatal(err)
		}
	}
}

// cutAtCalls runs a command again and again, cut off two calls later each time, until it ends by itself with success.
func (d *desk) cutAtCalls(atLeast int, args ...string) {
	t := d.t
	t.Helper()
	calls := func() int { return d.sim.Calls("10234695").Total }
	cuts := 0
	for cut := 6; ; cut += 2 { // reading the organisation takes the first ones
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan result, 1)
		until := calls() + cut
		go func() {
			done <- booksyncWith(t, ctx, "", d.environ, args...)
		}()
		ended := false
		var r result
		for !ended && calls() < until {
			select {
			case r = <-done:
				ended = true
			case <-time.After(time.Millisecond):
			}
		}
		cancel()
		if !ended {
			r = <-done
		}
		if ended && r.code == 0 {
			break
		}
		if cuts++; cuts > 60 {
			t.Fatalf("it never ends: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
		}
	}
	if cuts < atLeast {
		t.Errorf("it was cut off %d times only", cuts)
	}
}

// TestRollbackCutOffAnywhereGoesOn ends `apply` at every call in turn, with answers lost on the way, and starts it again: the books and the topic end up the
// same, and no outcome is there twice.
func TestRollbackCutOffAnywhereGoesOn(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	d.produce("orders", orderJSON)
	d.outcomes(1)
	d.produce("payments", paymentJSON)
	d.outcomes(2)
	d.produce("refunds", refundJSON)
	d.outcomes(3)
	stop()
	file := d.plan()

	d.inject(
		simulator.Fault{Kind: simulator.FaultLatency, Delay: 20 * time.Millisecond},
		simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "DELETE", Path: "/customerpayments/*", Nth: 1},
		simulator.Fault{Kind: simulator.FaultErrorAfter, Method: "POST", Path: "/invoices/*/status/void", Nth: 1},
	)
	d.cutAtCalls(5, "rollback", "apply", file, "--apply", "--reason", "cut", "--set", "zoho.timeout=300ms")
	if living, accounts := d.ledger(); len(living) > 0 || len(accounts) > 0 {
		t.Errorf("after the rollback the books hold %v, %v", living, accounts)
	}
	reversed := []string{"POSTED order O1", "POSTED payment P1", "POSTED refund R1", "REVERSED refund R1", "REVERSED payment P1", "REVERSED order O1"}
	d.must("rollback", "apply", file, "--apply", "--reason", "once more")
	if diff := cmp.Diff(reversed, d.outcomes(6)); diff != "" {
		t.Errorf("outcomes: %s", diff)
	}
}

func TestRollbackPublishesOnceWhenTheTransactionFailed(t *testing.T) {
	t.Parallel()
	d := deskOf(t, startServices(t, true).setUp(t)) // on kfake, which can be told to fail
	file := d.planOfOne()
	d.kafka.Fake.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.InvalidProducerEpoch.Code // not done: the transaction stays open
		return resp, nil, true
	})
	if r := d.run(t, "", "rollback", "apply", file, "--apply", "--reason", "first"); r.code != 3 || !strings.Contains(r.stderr, "start it again") {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	d.must("rollback", "apply", file, "--apply", "--reason", "second")
	d.must("rollback", "apply", file, "--apply", "--reason", "third")
	if diff := cmp.Diff([]string{"POSTED order O1", "REVERSED order O1"}, d.outcomes(2)); diff != "" {
		t.Error(diff)
	}
}

func TestRollbackRehearsalEndsWithTheBooksAsTheyWere(t *testing.T) {
	t.Parallel()
	r := booksync(t, "", nil, "rollback", "test", "--orders", "40", "--seed", "3")
	if r.code != 0 || !strings.Contains(r.stdout, "books empty: true") || !strings.Contains(r.stdout, "books as before: true") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}
