package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// openPaidDesk opens a desk whose books have one order and its payment; the service has ended.
func openPaidDesk(t *testing.T) *desk {
	t.Helper()
	d := openDesk(t)
	stop := d.start(t)
	d.produce("orders", orderJSON)
	d.outcomes(1)
	d.produce("payments", paymentJSON)
	d.outcomes(2)
	stop()
	return d
}

// reversedOrder is the REVERSED outcome of an order; the topic has n outcomes.
func (d *desk) reversedOrder(n int) *schemas.Outcome {
	d.t.Helper()
	for _, rec := range testkit.AwaitCommitted(d.t, d.kafka.Addrs, d.topic("books.outcomes"), n, 30*time.Second) {
		o, _, err := d.codec.DecodeOutcome(d.t.Context(), rec.Value, rec.Headers)
		if err != nil {
			d.t.Fatal(err)
		}
		if o.Status == schemas.StatusReversed && o.Workflow == "order" {
			return o
		}
	}
	d.t.Fatal("no outcome REVERSED of an order")
	return nil
}

// keptPayment are the balances when the payment of the order stays, its money the customer's: revenue and tax are taken back.
var keptPayment = map[string]string{"Stripe Clearing": "21.78", "Unearned Revenue": "-21.78"}

// credited looks at what the books hold of an invoice that was credited, its credit note with so much of it open: nothing is owed, and
// no account but those expected has a balance.
func (d *desk) credited(open string, wantAccounts map[string]string) {
	d.t.Helper()
	l := d.sim.Ledger("10234695")
	if len(l.CreditNotes) != 1 || len(l.Invoices) == 0 {
		d.t.Fatalf("credit notes %+v of invoices %+v", l.CreditNotes, l.Invoices)
	}
	inv, note := l.Invoices[0], l.CreditNotes[0]
	if !inv.Balance.IsZero() || !note.Total.Equal(inv.Total) || note.Balance.String() != open {
		d.t.Errorf("invoice owes %s; credit note of %s, open %s, want %s", inv.Balance, note.Total, note.Balance, open)
	}
	if _, accounts := d.ledger(); !cmp.Equal(accounts, wantAccounts) {
		d.t.Errorf("accounts: %s", cmp.Diff(wantAccounts, accounts))
	}
}

func TestRollbackCreditsAnInvoiceThatCannotBeVoided(t *testing.T) {
	t.Parallel()
	d := openPaidDesk(t)
	if err := d.sim.Inject(simulator.Fault{
		Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/void", Nth: 1, Count: 1000, Status: 400, Code: 12006, Message: "no",
	}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	d.must("rollback", "plan", "--all", "--credit-refused", "--out", file)
	if out := d.must("rollback", "apply", file, "--apply", "--reason", "test"); !strings.Contains(out, "credited by credit note CN-") {
		t.Errorf("apply says\n%s", out)
	}
	d.credited("0", map[string]string{})
	o := d.reversedOrder(4)
	if len(o.Documents) != 2 || o.Documents[0].Status != "credited" || o.Documents[1].Type != "credit_note" || o.Documents[1].Status != "closed" {
		t.Errorf("the outcome names %+v", o.Documents)
	}
	before := d.sim.Calls("10234695").Total
	if out := d.must("rollback", "apply", file, "--apply", "--reason", "again", "--json"); !strings.Contains(out, `"was reversed": 1`) {
		t.Errorf("applied again:\n%s", out)
	}
	if now := d.sim.Calls("10234695").Total; now != before {
		t.Errorf("applied again: %d calls", now-before)
	}
	d.credited("0", map[string]string{})

	// What was mended posts again, and the books are as they were.
	d.must("resume", "--all", "--force")
	stop := d.start(t)
	defer func() { stop() }()
	d.must("rollback", "redrive", file, "--apply", "--reason", "mended")
	if diff := cmp.Diff([]string{"POSTED order O1", "POSTED payment P1"}, d.outcomes(6)[4:]); diff != "" {
		t.Errorf("posted anew: %s", diff)
	}
	if r := d.run(t, "", "reconcile", "--since", "2026-02-01", "--until", "2026-12-31"); r.code != 0 {
		t.Errorf("reconcile: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestRollbackCreditsInALockedPeriodAndLeavesItsPayments(t *testing.T) {
	t.Parallel()
	d := openPaidDesk(t)
	d.sim.SetLock("10234695", "2026-03-31")
	dir := t.TempDir()
	if r := d.run(t, "", "rollback", "plan", "--all", "--out", filepath.Join(dir, "voids.json")); r.code != 1 || !strings.Contains(r.stdout, "locked until 2026-03-31") {
		t.Errorf("without the policy: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	file := filepath.Join(dir, "plan.json")
	if out := d.must("rollback", "plan", "--all", "--credit-refused", "--out", file); !strings.Contains(out, "1  credit invoice\n") ||
		!strings.Contains(out, "1  of workflow payment cannot be deleted and stay\n") {
		t.Errorf("the plan says\n%s", out)
	}
	if out := d.must("rollback", "apply", file, "--apply", "--reason", "test"); !strings.Contains(out, "cannot be deleted and stays") {
		t.Errorf("apply says\n%s", out)
	}
	d.credited("21.78", keptPayment)
	if diff := cmp.Diff([]string{"POSTED order O1", "POSTED payment P1", "REVERSED order O1"}, d.outcomes(3)); diff != "" {
		t.Errorf("outcomes: %s", diff)
	}
}

// TestRollbackOfAnEInvoiceWhoseKeyStays has a portal that lets nothing of the invoice be changed.
func TestRollbackOfAnEInvoiceWhoseKeyStays(t *testing.T) {
	t.Parallel()
	d := openPaidDesk(t)
	d.inject(
		simulator.Fault{Kind: simulator.FaultPush, BusinessID: "order:O1"},
		simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "PUT", Path: "/invoices/*", Nth: 1, Count: 1000, Status: 400, Code: 12006, Message: "no"},
		simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "PUT", Path: "/invoice/*", Nth: 1, Count: 1000, Status: 400, Code: 12006, Message: "no"},
		simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "DELETE", Path: "/customerpayments/*", Nth: 1, Count: 1000, Status: 400, Code: 24064, Message: "no"},
	)
	file := filepath.Join(t.TempDir(), "plan.json")
	d.must("rollback", "plan", "--all", "--credit-refused", "--out", file)
	out := d.must("rollback", "apply", file, "--apply", "--reason", "test")
	if !strings.Contains(out, "keeps its key") || !strings.Contains(out, "cannot be deleted and stays (delete payment") {
		t.Errorf("apply says\n%s", out)
	}
	d.credited("21.78", keptPayment)
	if diff := cmp.Diff([]string{"POSTED order O1", "POSTED payment P1", "REVERSED order O1"}, d.outcomes(3)); diff != "" {
		t.Errorf("outcomes: %s", diff)
	}
}

// TestRollbackThatCreditsCutOffAnywhereGoesOn ends `apply` at every call in turn, with the credit note's and its application's answers lost.
func TestRollbackThatCreditsCutOffAnywhereGoesOn(t *testing.T) {
	t.Parallel()
	d := openPaidDesk(t)
	file := filepath.Join(t.TempDir(), "plan.json")
	d.must("rollback", "plan", "--all", "--credit-refused", "--out", file)
	d.inject(
		simulator.Fault{Kind: simulator.FaultLatency, Delay: 20 * time.Millisecond},
		simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/void", Nth: 1, Count: 1000, Status: 400, Code: 12006, Message: "no"},
		simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/creditnotes", Nth: 1},
		simulator.Fault{Kind: simulator.FaultErrorAfter, Method: "POST", Path: "/creditnotes/*/invoices", Nth: 1},
	)
	d.cutAtCalls(5, "rollback", "apply", file, "--apply", "--reason", "cut", "--set", "zoho.timeout=300ms")
	d.credited("0", map[string]string{})
	d.must("rollback", "apply", file, "--apply", "--reason", "once more")
	want := []string{"POSTED order O1", "POSTED payment P1", "REVERSED payment P1", "REVERSED order O1"}
	if diff := cmp.Diff(want, d.outcomes(4)); diff != "" {
		t.Errorf("outcomes: %s", diff)
	}
}
