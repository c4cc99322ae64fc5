package reconcile_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

func TestAnAcceptedExceptionIsIgnoredUntilSomethingElseDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.serve()
	w.post(w.order("O1"))
	w.inject(simulator.Fault{Kind: simulator.FaultEdit, BusinessID: "order:O1", Amount: dec("2.50")})
	w.stop()
	id := w.exception(w.reconcile(nil), "order:O1").ID
	mark := func(undo bool) {
		e, err := reconcile.IgnoreEntry(w.name, id, "ann", "agreed with the auditor", undo)
		if err != nil {
			t.Fatal(err)
		}
		w.audited(e)
	}
	mark(false)
	res := w.reconcile(nil)
	if res.Failed() || len(res.Accepted) != 1 || res.Accepted[0].IgnoredBy != "ann" || res.Accepted[0].IgnoredWhy != "agreed with the auditor" {
		t.Errorf("%+v", res)
	}
	mark(true)
	w.want(w.reconcile(nil), map[string]reconcile.Status{"order:O1": reconcile.EditedByPerson})
	mark(false)
	w.inject(simulator.Fault{Kind: simulator.FaultEdit, BusinessID: "order:O1", Amount: dec("1")})
	if again := w.exception(w.reconcile(nil), "order:O1"); again.ID == id {
		t.Errorf("another difference has the same id %s", id)
	}
	for _, bad := range []string{"", "order:O1", "order:O1~xyz", "order:~1a2b3c4d", "O1~1a2b3c4d"} {
		if _, err := reconcile.IgnoreEntry(w.name, bad, "ann", "why", false); !errors.Is(err, reconcile.ErrNotAnException) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func (w *world) repairer() *reconcile.Repairer {
	w.Helper()
	admin, err := access.Admin(w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(admin.Close)
	claims, err := redis.NewClaims(w.store.Client, w.cfg.ClaimsConfig())
	if err != nil {
		w.Fatal(err)
	}
	return &reconcile.Repairer{
		Config: w.cfg, Books: w.books, Admin: admin, Client: w.producer, Redis: w.store.Client, Claims: claims, Actor: "ann", Reason: "test",
		Audit: func(_ context.Context, e schemas.AuditEntry) error { w.audited(e); return nil },
	}
}

// repair carries out what is proposed for a transaction.
func (w *world) repair(res *reconcile.Result, key string) (done string, acted bool) {
	w.Helper()
	e := w.exception(res, key)
	if len(e.Repairs) != 1 {
		w.Fatalf("%s: %+v", key, e.Repairs)
	}
	done, acted, err := w.repairer().Do(context.Background(), w.name, e, e.Repairs[0])
	if err != nil {
		w.Fatal(err)
	}
	return done, acted
}

func (w *world) audits() []*schemas.AuditEntry {
	w.Helper()
	var all []*schemas.AuditEntry
	for _, r := range testkit.ReadCommitted(w, w.addrs, w.cfg.Topics.Audit) {
		e, _, err := w.codec.DecodeAudit(context.Background(), r.Value, r.Headers)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestAnUnappliedPaymentIsAppliedUnderTheOrdersLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.oneOrder("O1")
	w.unapply("payment:p-O1")
	res := w.reconcile(nil)
	hold, free := w.lease("O1")
	hold()
	if done, acted := w.repair(res, "payment:p-O1"); acted || !strings.Contains(done, "being worked on") {
		t.Errorf("while the order is held: %q", done)
	}
	free()
	if done, acted := w.repair(res, "payment:p-O1"); !acted {
		t.Fatal(done)
	}
	if inv := w.document("invoice", "order:O1"); !inv.Balance.IsZero() {
		t.Errorf("the invoice owes %s", inv.Balance)
	}
	if done, acted := w.repair(res, "payment:p-O1"); acted || !strings.Contains(done, "by now") {
		t.Errorf("again: %q", done)
	}
	w.want(w.reconcile(nil), nil)
	if all := w.audits(); len(all) != 1 || all[0].Action != reconcile.ActionRepair || all[0].Actor != "ann" || all[0].Counts["apply"] != 1 {
		t.Errorf("audit: %+v", all)
	}
	w.post(w.refund("r1", "O1", "p-O1", "433")) // the job goes on with the order
	w.want(w.reconcile(nil), nil)
}

func TestARepairWhoseAnswerWasLostIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.oneOrder("O1")
	w.unapply("payment:p-O1")
	res := w.reconcile(nil)
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "PUT", Path: "/customerpayments/*", Count: 1, Nth: 1})
	e := w.exception(res, "payment:p-O1")
	if _, acted, err := w.repairer().Do(t.Context(), w.name, e, e.Repairs[0]); err == nil || acted {
		t.Fatal("the answer was lost, and nobody says so")
	}
	if n := len(w.audits()); n != 0 {
		t.Errorf("%d audit entries of what is not known to be done", n)
	}
	if done, acted := w.repair(res, "payment:p-O1"); !acted {
		t.Fatal(done)
	}
	if inv := w.document("invoice", "order:O1"); !inv.Balance.IsZero() || len(w.audits()) != 1 {
		t.Errorf("the invoice owes %s; %d audit entries", inv.Balance, len(w.audits()))
	}
	if puts := w.sim.Calls(orgID).ByResource["PUT /customerpayments/{id}"]; puts != 2 { // the person's, and one
		t.Errorf("%d updates of the payment", puts)
	}
	w.post(w.refund("r1", "O1", "p-O1", "433"))
	w.want(w.reconcile(nil), nil)
}

// lease takes and gives back an order's lease, as an attempt of the job would.
func (w *world) lease(order string) (hold, free func()) {
	w.Helper()
	claims, err := redis.NewClaims(w.store.Client, w.cfg.ClaimsConfig())
	if err != nil {
		w.Fatal(err)
	}
	ctx := context.Background()
	epoch, _, err := w.store.Client.CurrentEpoch(ctx, w.name)
	if err != nil {
		w.Fatal(err)
	}
	ref := redis.Ref{Role: redis.RoleRefund, ID: "holder"}
	return func() {
			ans, err := claims.Claim(ctx, redis.ClaimRequest{Organization: w.name, Ref: ref, Token: "held", Coordinates: "x/0/0", Orders: []string{order}, Lease: time.Minute, EpochID: epoch.ID})
			if err != nil || ans.State != redis.Claimed {
				w.Fatal(ans.State, err)
			}
		}, func() {
			if err := claims.Release(ctx, redis.Handle{Organization: w.name, Ref: ref, Token: "held", EpochID: epoch.ID, Orders: []string{order}}); err != nil {
				w.Fatal(err)
			}
		}
}

func TestARecordThatWasLeftOutIsDrivenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	left := w.send(w.order("O1"))[0]
	res := w.reconcile(nil)
	if done, acted := w.repair(res, "order:O1"); acted || !strings.Contains(done, "has not settled") {
		t.Errorf("before the group came to it: %q", done)
	}
	w.skip(left) // as somebody does who resets the group's offsets
	w.serve()
	w.sent = 0
	if done, acted := w.repair(w.reconcile(nil), "order:O1"); !acted {
		t.Fatal(done)
	}
	testkit.Until(t, patience, "the outcome of the record", func() bool { return w.settled.Load() >= 1 })
	w.want(w.reconcile(nil), nil)
	if all := w.audits(); len(all) != 1 || all[0].Counts["redrive"] != 1 || all[0].Details["business_id"] != "O1" {
		t.Errorf("audit: %+v", all)
	}
}

func TestTheResultIsWrittenForPeopleAndPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.serve()
	evil := w.order("<script>alert(1)</script>")
	evil.OrderNumber = "=cmd|'/C calc'!A1"
	w.post(evil, w.order("O2"))
	w.inject(simulator.Fault{Kind: simulator.FaultEdit, BusinessID: "order:" + evil.OrderID, Amount: dec("2.50")})
	w.write("", evil.OrderNumber, "10")
	w.stop()
	res := w.reconcile(nil)
	var table, page, sheet bytes.Buffer
	for _, err := range []error{res.WriteTable(&table), res.WriteHTML(&page), res.WriteCSV(&sheet)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"edited_by_person", "events 433.00, outcomes 433.00, books 435.50", "2026-03-02  order", "not booksync's: invoice", "same reference as order:"} {
		if !strings.Contains(table.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, table.String())
		}
	}
	if strings.Contains(page.String(), "<script>") || !strings.Contains(page.String(), "&lt;script&gt;") || strings.Contains(page.String(), "http://") {
		t.Errorf("the page is not escaped, or needs something else:\n%s", page.String())
	}
	rows, err := csv.NewReader(&sheet).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "edited_by_person" || rows[1][7] != "433" || rows[1][9] != "435.5" {
		t.Errorf("%v %v", rows, err)
	}
	text, err := json.Marshal(res)
	if err != nil || !strings.Contains(string(text), `"status":"edited_by_person"`) {
		t.Errorf("%s %v", text, err)
	}
	if err := res.Publish(t.Context(), w.codec, w.producer, w.cfg.Topics.Reconciliations); err != nil {
		t.Fatal(err)
	}
	r := testkit.ReadCommitted(t, w.addrs, w.cfg.Topics.Reconciliations)
	rec, _, err := w.codec.DecodeReconciliation(t.Context(), r[0].Value, r[0].Headers)
	if err != nil || rec.Counts["edited_by_person"] != 1 || rec.Counts["matched"] != 1 || len(rec.Exceptions) != 1 || rec.NotOurs != 1 ||
		rec.Exceptions[0].Books.Decimal.String() != "435.5" || len(rec.Sums) != 1 {
		t.Errorf("%+v %v", rec, err)
	}
}

func TestCallsAreToldAndKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.sample()
	w.stop()
	w.sim.ResetCalls(orgID)
	told := reconcile.Estimate{}
	opts := w.options()
	opts.MaxCalls, opts.Deep = 5, true
	opts.Estimated = func(e reconcile.Estimate) error { told = e; return nil }
	_, err := reconcile.Run(t.Context(), w.deps(), opts)
	if !errors.Is(err, reconcile.ErrTooExpensive) || told.ListCalls != 4 || told.OpenCalls != 17 || told.Limit != 5 {
		t.Errorf("%v, told %+v", err, told)
	}
	refuse := errors.New("no")
	opts.Estimated = func(reconcile.Estimate) error { return refuse }
	if _, err := reconcile.Run(t.Context(), w.deps(), opts); !errors.Is(err, refuse) {
		t.Error(err)
	}
	if calls := w.sim.Calls(orgID); calls.Total != 0 { // of the books; the calendar is asked elsewhere
		t.Errorf("%d calls were made", calls.Total)
	}
	w.inject(simulator.Fault{Kind: simulator.FaultDelete, BusinessID: "order:plain"})
	opts = w.options()
	opts.MaxCalls = 4
	res, err := reconcile.Run(t.Context(), w.deps(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if e := w.exception(res, "order:plain"); res.Calls != 4 || res.NotOpened == 0 || e.Status != reconcile.MissingInBooks || !strings.Contains(e.Message(), "calls were spent") {
		t.Errorf("%d calls, %d not opened: %s", res.Calls, res.NotOpened, e.Message())
	}
	opts.MaxCalls = 3
	if _, err := reconcile.Run(t.Context(), w.deps(), opts); !errors.Is(err, reconcile.ErrTooExpensive) {
		t.Errorf("one call too few: %v", err)
	}
	opts.MaxCalls = 0
	opts.MaxTransactions = 3
	if _, err := reconcile.Run(t.Context(), w.deps(), opts); !errors.Is(err, reconcile.ErrTooMany) {
		t.Error(err)
	}
}
