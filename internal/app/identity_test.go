package app

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

func TestTheSameEventTwiceIsOneDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o, p, r := w.order("O1"), w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "100")
	w.posted(w.send(o, p, r)...)
	calls := w.sim.Calls(orgID).Total
	for _, again := range []any{w.again(o), p, r} {
		w.duplicate(w.one(again), "same")
	}
	if spent := w.sim.Calls(orgID).Total - calls; spent != 0 {
		t.Errorf("three duplicates cost %d calls, want 0", spent)
	}
	other := *p
	other.Amount = dec("400")
	w.rejected(w.one(&other), "rejected.conflict")
	changed := w.again(o)
	changed.Notes = "changed without a revision"
	w.rejected(w.one(changed), "rejected.conflict")
	changed.Revision = 2
	w.posted(w.one(changed))
	w.duplicate(w.one(w.again(o)), "stale")
}

func TestADuplicateStaysOneThoughTheMappingIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	first := w.start()
	o := w.order("O1")
	w.posted(w.one(o))
	first.stop()
	mapped(func(m *config.Organization) { m.Taxes = nil })(w)
	w.start()
	w.duplicate(w.one(w.again(o)), "same")
	w.rejected(w.one(w.order("O2")), "rejected.tax")
}

func TestDuplicatesInParallelAreOneDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.keyless = true
	o := w.order("O1")
	var records []*kgo.Record
	for range 8 {
		records = append(records, w.one(w.again(o)))
	}
	w.start()
	w.start()
	statuses := make(map[schemas.Status]int)
	for _, r := range records {
		statuses[w.await(r).Status]++
	}
	if want := (map[schemas.Status]int{schemas.StatusPosted: 1, schemas.StatusDuplicate: 7}); !cmp.Equal(statuses, want) {
		t.Errorf("verdicts %v, want %v", statuses, want)
	}
}

func TestWhatIsNotAnEventOfThisCompanyIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	unknown, test, totals, later := w.order("O1"), w.order("O2"), w.order("O3"), w.order("O4")
	unknown.Organization = "nobody"
	test.Test = true
	totals.Totals.Gross = dec("434")
	later.Kind, later.Revision = schemas.OrderUpdated, 3
	calls := w.sim.Calls(orgID).Total
	w.rejected(w.one(unknown), "rejected.organization")
	w.rejected(w.one(test), "rejected.test")
	w.rejected(w.one(totals), "rejected.totals")
	w.rejected(w.one(rawOrder{"O5", []byte{7, 1, 2, 3}}), "poison.decode")
	w.rejected(w.one(rawOrder{"O5", nil}), "poison.decode")
	dispute := w.payment("P1", "O4", "433")
	dispute.Kind = schemas.PaymentDisputed
	w.rejected(w.one(dispute), "rejected.account")
	if spent := w.sim.Calls(orgID).Total - calls; spent > 8 { // of the start, perhaps
		t.Errorf("rejections cost %d calls", spent)
	}
	w.posted(w.one(later)) // an update of an order that nobody has seen creates it
}

func TestDeadLettersSayEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.order("O1")
	o.Totals.Gross = dec("434")
	r := w.one(o, kgo.RecordHeader{Key: "shop", Value: []byte("eu\xff")}, kgo.RecordHeader{Key: "dlq.class", Value: []byte("of an earlier life")})
	out := w.rejected(r, "rejected.totals")
	letter := w.deadLetter(r)
	if string(letter.Key) != "O1" || !cmp.Equal(letter.Value, r.Value) {
		t.Error("key or value changed")
	}
	got := make(map[string]string)
	for _, h := range letter.Headers {
		if _, twice := got[h.Key]; twice {
			t.Errorf("header %s is there twice", h.Key)
		}
		got[h.Key] = string(h.Value)
	}
	times := []string{"dlq.first-failed-at", "dlq.failed-at", "dlq.source.timestamp"}
	for _, key := range times {
		if _, err := time.Parse(time.RFC3339Nano, got[key]); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		delete(got, key)
	}
	partition, offset := got["__connect.errors.partition"], got["__connect.errors.offset"]
	delete(got, "traceparent")
	want := map[string]string{
		"shop": "eu\xff", "dlq.class": "rejected.totals", "dlq.retryable": "after-fix", "dlq.message": out.Error.Message, "dlq.stage": "check",
		"dlq.workflow": "order", "dlq.organization": w.name, "dlq.business-id": "O1", "dlq.source.topic": r.Topic,
		"dlq.source.partition": partition, "dlq.source.offset": offset, "dlq.group": w.cfg.Kafka.Group, "dlq.attempts": "1",
		"__connect.errors.topic": r.Topic, "__connect.errors.partition": partition, "__connect.errors.offset": offset,
		"__connect.errors.exception.message": out.Error.Message,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestZohosRefusalIsInTheDeadLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/customerpayments", Status: 400, Code: 108004, Message: "no such account", Nth: 1})
	w.start()
	w.posted(w.one(w.order("O1")))
	r := w.one(w.payment("P1", "O1", "433"))
	if out := w.rejected(r, "rejected.books"); out.Error.Code != "108004" || out.Calls != 1 {
		t.Errorf("code %s after %d calls, want 108004 after 1", out.Error.Code, out.Calls)
	}
	letter := w.deadLetter(r)
	if header(letter, "dlq.http.status") != "400" || header(letter, "dlq.api.code") != "108004" || header(letter, "dlq.stage") != "apply" {
		t.Errorf("status %q, code %q, stage %q", header(letter, "dlq.http.status"), header(letter, "dlq.api.code"), header(letter, "dlq.stage"))
	}
	w.posted(w.replay(letter, nil))
}

func TestADeadLetterThatIsTooLargeGoesWithoutItsValue(t *testing.T) {
	t.Parallel()
	// The topic for dead letters takes less than the source.
	w := newWorld(t, simulator.Switches{}, func(w *world) { w.letters = map[string]string{"max.message.bytes": "20000"} })
	w.start()
	value := append([]byte{7}, []byte(strings.Repeat("x", 50_000))...)
	r := w.one(rawOrder{"O1", value})
	w.rejected(r, "poison.decode")
	letter := w.deadLetter(r)
	sum := sha256.Sum256(value)
	if note := header(letter, "dlq.truncated"); len(letter.Value) != 0 || !strings.Contains(note, hex.EncodeToString(sum[:])) {
		t.Errorf("value of %d bytes, dlq.truncated %q", len(letter.Value), note)
	}
	if header(letter, "dlq.source.offset") == "" || header(letter, "dlq.class") != "poison.decode" {
		t.Error("coordinates or class are missing")
	}
	w.posted(w.one(w.order("O2")))
}

func TestAReplayGoesOnFromTheStepsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/creditnotes/*/refunds", Status: 400, Code: 108004, Message: "no such account", Nth: 1})
	first := w.start()
	w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "433"))...)
	r := w.one(w.refund("R1", "O1", "P1", "108.25"))
	if out := w.rejected(r, "rejected.books"); len(out.Documents) != 1 || out.Documents[0].Type != "credit_note" {
		t.Errorf("documents of the rejected refund: %+v", out.Documents)
	}
	letter := w.deadLetter(r)
	// The credit note is there, the money was not returned: another refund may return the rest, no more.
	w.posted(w.one(w.refund("R2", "O1", "P1", "324.75")))
	first.stop()
	// The account was the fault; the mapping is mended.
	mapped(func(m *config.Organization) { m.Clearing["stripe/USD"] = w.org.AccountID(simulator.AccountPayPal) })(w)
	w.start()
	again := w.replay(letter, nil)
	w.posted(again)
	if out := w.await(again); len(out.Documents) != 2 || out.Calls != 1 {
		t.Errorf("the replay made %d calls and names %+v, want 1 call, credit note and refund", out.Calls, out.Documents)
	}
	if refund := w.find("refund", "refund:R1"); refund.Account != simulator.AccountPayPal {
		t.Errorf("refunded from %s", refund.Account)
	}
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountUnearned: "0", simulator.AccountSales: "0"})
}

func TestAReplayOfAReplayKeepsItsOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	r := w.one(w.payment("P1", "O1", "433"))
	w.rejected(r, "dependency.missing")
	first := w.deadLetter(r)
	second := w.replay(first, nil)
	w.rejected(second, "dependency.missing")
	letter := w.deadLetter(second)
	for _, key := range []string{"dlq.source.topic", "dlq.source.partition", "dlq.source.offset", "dlq.source.timestamp"} {
		if header(letter, key) != header(first, key) {
			t.Errorf("%s is %q, want %q", key, header(letter, key), header(first, key))
		}
	}
	if header(letter, "dlq.replay.id") == "" {
		t.Error("the replay's id is lost")
	}
	w.posted(w.one(w.order("O1")), w.replay(letter, nil))
}

func TestAnEditedReplayIsPlannedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/customerpayments", Status: 400, Code: 108004, Nth: 1})
	w.start()
	w.posted(w.one(w.order("O1")))
	r := w.one(w.payment("P1", "O1", "343"))
	w.rejected(r, "rejected.books")
	edited := w.payment("P1", "O1", "433")
	value, err := w.codec.EncodePayment(t.Context(), r.Topic, edited)
	if err != nil {
		t.Fatal(err)
	}
	w.posted(w.replay(w.deadLetter(r), value))
	if p := w.find("payment", "payment:P1"); !p.Total.Equal(dec("433")) {
		t.Errorf("posted %s, want 433", p.Total)
	}
}

func TestTheDeadLetterNamesTheRejectedOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.order("O1")
	o.Totals.Gross = dec("434")
	order := w.one(o)
	w.rejected(order, "rejected.totals")
	out := w.rejected(w.one(w.payment("P1", "O1", "433")), "dependency.missing")
	if want := coordinates(order.Topic, order.Partition, order.Offset); !strings.Contains(out.Error.Message, want) {
		t.Errorf("%q does not name %s", out.Error.Message, want)
	}
}
