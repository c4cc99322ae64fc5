package app

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

var allShadow = config.Workflows{Order: "shadow", Payment: "shadow", Refund: "shadow"}

// worked changes how the workflows are worked, for replicas that start afterwards.
func (w *world) worked(by config.Workflows, change func(*config.Organization)) {
	o := w.cfg.Organizations[w.name]
	o.Workflows = by
	if change != nil {
		change(&o)
	}
	w.cfg.Organizations = map[string]config.Organization{w.name: o}
}

func (w *world) shadow(r *kgo.Record) *schemas.Outcome {
	w.Helper()
	out := w.await(r)
	if out.Status != schemas.StatusShadow || out.Shadow == nil {
		w.Fatalf("%s of %s: %s, %+v, want a shadow", out.Workflow, out.OrderID, out.Status, out.Error)
	}
	if len(out.Documents) > 0 {
		w.Errorf("%s of %s: a shadow names documents as its own: %+v", out.Workflow, out.OrderID, out.Documents)
	}
	return out
}

// rewind puts the stopped group back to the topics' starts, as an operator does with kafka-consumer-groups.
func (w *world) rewind() {
	w.Helper()
	adm := kadm.NewClient(w.producer)
	starts, err := adm.ListStartOffsets(context.Background(), w.cfg.Topics.Sources()...)
	if err != nil {
		w.Fatal(err)
	}
	testkit.Until(w, patience, "the group to be empty", func() bool {
		return adm.CommitAllOffsets(context.Background(), w.cfg.Kafka.Group, starts.Offsets()) == nil
	})
}

// TestShadowWritesNothingAndCanBePostedLater: the whole way of a new company, from shadow to on.
func TestShadowWritesNothingAndCanBePostedLater(t *testing.T) {
	t.Parallel()
	books := &slowBooks{}
	w := newWorld(t, simulator.Switches{}, behind(t, books))
	w.unsettled = true // a second verdict comes when it's on
	w.worked(allShadow, nil)
	r := w.start()
	wrong := w.order("O2")
	wrong.Totals.Gross = dec("999")
	order, pay, refund, rejected := w.one(w.order("O1")), w.one(w.payment("P1", "O1", "433")), w.one(w.refund("R1", "O1", "P1", "433")), w.one(wrong)

	out := w.shadow(order)
	var plan []processor.Request
	if err := json.Unmarshal([]byte(out.Shadow.Plan), &plan); err != nil || len(plan) != 3 || plan[1].Call != "POST /invoices" {
		t.Errorf("plan: %v, %s", err, out.Shadow.Plan)
	}
	if diff := cmp.Diff([]schemas.ShadowDifference{{Field: "invoice", Planned: "one", Found: "none"}}, out.Shadow.Differences); diff != "" {
		t.Error(diff)
	}
	if !out.Expected.Decimal.Equal(dec("433")) || out.Posted.Valid || out.ConfigHash == "" || out.Calls == 0 {
		t.Errorf("%+v", out)
	}
	if p := w.shadow(pay); !strings.Contains(p.Shadow.Plan, "/customerpayments") || !strings.Contains(p.Reason, "order O1 is not in the books") {
		t.Errorf("payment: %+v %s", p.Shadow, p.Reason)
	}
	if p := w.shadow(refund); !strings.Contains(p.Reason, "the credit note is not planned") {
		t.Errorf("refund: %+v %s", p.Shadow, p.Reason)
	}
	if p := w.shadow(rejected); p.Error == nil || p.Error.Class != "rejected.totals" || p.Shadow.Plan != "" {
		t.Errorf("what would be rejected: %+v", p)
	}
	if letters := testkit.ReadCommitted(t, w.addrs, w.cfg.Topics.DeadLetter(w.cfg.Topics.Orders[0])); len(letters) > 0 {
		t.Errorf("%d dead letters", len(letters))
	}
	r.stop()
	if n, _ := books.since(time.Time{}); n > 0 {
		t.Fatalf("%d writes were made in shadow", n)
	}

	w.rewind()
	w.worked(config.DefaultOrganization().Workflows, nil)
	w.start()
	for _, rec := range []*kgo.Record{order, pay, refund} {
		until(w, "the record to be posted", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			outs := w.outcomes[coordinates(rec.Topic, rec.Partition, rec.Offset)]
			return len(outs) == 2 && outs[1].Status == schemas.StatusPosted && outs[1].OutcomeID != outs[0].OutcomeID
		})
	}
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountStripe: "0", simulator.AccountSales: "0"})
	w.mu.Lock()
	w.outcomes = map[string][]*schemas.Outcome{}
	w.sent = nil
	w.mu.Unlock()
}

func TestShadowComparesWithWhatTheBooksHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	r := w.start()
	w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "100"))...)
	r.stop()

	// The same mapping: nothing differs but the money that a second refund would return.
	w.worked(allShadow, nil)
	r = w.start()
	again := w.one(w.again(w.order("O1")))
	out := w.shadow(again)
	if len(out.Shadow.Differences) > 0 || len(out.Shadow.Found) != 1 || out.Shadow.Found[0].Type != "invoice" || !out.Difference.Decimal.IsZero() || !out.Posted.Valid {
		t.Errorf("the same order: %+v", out)
	}
	if out.Calls != 2 { // found by its key, and opened
		t.Errorf("the same order took %d calls", out.Calls)
	}
	pay := w.payment("P1", "O1", "433")
	if p := w.shadow(w.one(pay)); len(p.Shadow.Differences) > 0 || len(p.Shadow.Found) != 1 || p.Error != nil {
		t.Errorf("the same payment: %+v %+v", p.Shadow, p.Error)
	}
	if p := w.shadow(w.one(w.refund("R1", "O1", "P1", "100"))); len(p.Shadow.Differences) > 0 || len(p.Shadow.Found) != 1 || p.Error != nil {
		t.Errorf("the same refund: %+v %+v", p.Shadow, p.Error)
	}
	r.stop()

	// Another mapping: what it would change is named.
	w.worked(allShadow, func(o *config.Organization) {
		o.LineTargets = map[string]config.LineTarget{"GOODS": {AccountID: w.org.AccountID(simulator.AccountFees)}}
		o.Clearing = map[string]string{"stripe/" + w.org.Currency: w.org.AccountID(simulator.AccountFees)}
	})
	w.start()
	out = w.shadow(w.one(w.again(w.order("O1"))))
	want := []schemas.ShadowDifference{{
		Field: "invoice.lines[1].account_id", Planned: w.org.AccountID(simulator.AccountFees), Found: w.org.AccountID(simulator.AccountSales),
	}}
	if diff := cmp.Diff(want, out.Shadow.Differences); diff != "" {
		t.Error(diff)
	}
	changed := w.payment("P1", "O1", "433")
	changed.Amount = dec("400")
	p := w.shadow(w.one(changed))
	fields := map[string]string{}
	for _, d := range p.Shadow.Differences {
		fields[d.Field] = d.Planned + " / " + d.Found
	}
	if fields["payment.amount"] != "400 / 433" || fields["payment.account_id"] != w.org.AccountID(simulator.AccountFees)+" / "+w.org.AccountID(simulator.AccountStripe) || len(fields) != 2 {
		t.Errorf("%v", fields)
	}
	if cancel := w.shadow(w.one(w.cancelled(w.order("O1")))); !strings.Contains(cancel.Shadow.Plan, "/creditnotes") {
		t.Errorf("a cancellation: %+v %s", cancel.Shadow, cancel.Reason)
	}
}

func TestRecordsOfAWorkflowThatIsOffWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.worked(config.Workflows{Order: "off", Payment: "on", Refund: "on"}, nil)
	r := w.start()
	order := w.one(w.order("O1"))
	r.parked("off", 1)
	pay := w.one(w.payment("P1", "O1", "433"))
	r.parked("dependency", 1)
	begun := time.Now()
	until(w, "several deadlines to pass", func() bool { return time.Since(begun) > 3*deadline })
	if w.outcome(order) != nil || w.outcome(pay) != nil {
		t.Error("a record was settled")
	}
	r.stop()
	w.worked(config.DefaultOrganization().Workflows, nil)
	w.start()
	w.posted(order, pay)
}
