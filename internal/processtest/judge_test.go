package processtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
)

// judgement compares what is in the topics and in the books with what shop.py says.
type judgement struct {
	t      *testing.T
	want   *expected
	seen   *seen
	ledger simulator.Ledger
	calls  simulator.Calls
	terms  terms

	duplicates, losses, repeated int
}

// verdicts: every record has one outcome and, where it was rejected, one dead letter; nothing else has any. It answers the
// outcomes by the record.
func (j *judgement) verdicts(records int) map[place]outcome {
	t := j.t
	if len(j.seen.Sources) != records {
		t.Fatalf("%d records lie in the topics, %d were produced", len(j.seen.Sources), records)
	}
	ids, at := map[string]int{}, map[place]outcome{}
	for _, o := range j.seen.Outcomes {
		at[o.place] = o
		if ids[o.OutcomeID]++; ids[o.OutcomeID] > 1 {
			j.repeated++
			t.Errorf("the outcome of %v is visible %d times", o.place, ids[o.OutcomeID])
		}
	}
	letters := map[place]int{}
	for _, l := range j.seen.DeadLetters {
		letters[l.place]++
	}
	for _, r := range j.seen.Sources {
		o, ok := at[r.place]
		if !ok {
			j.losses++
			t.Errorf("%v (%s) has no outcome", r.place, r.Key)
			continue
		}
		rejected := 0
		if o.Status == "REJECTED" {
			rejected = 1
		}
		if letters[r.place] != rejected {
			t.Errorf("%v (%s) is %s: %d dead letters, want %d", r.place, r.Key, o.Status, letters[r.place], rejected)
		}
	}
	if len(j.seen.Outcomes) != records {
		t.Errorf("%d outcomes are visible, want one for each of %d records", len(j.seen.Outcomes), records)
	}
	if j.seen.Lag != 0 {
		t.Errorf("%d offsets of the sources are not committed", j.seen.Lag)
	}
	j.deadLetters()
	return at
}

// records: every record that was produced has the verdict that shop.py says.
func (j *judgement) records() {
	t := j.t
	type expectation struct{ topic, status, class string }
	wanted := map[string]expectation{}
	for _, r := range j.want.Records {
		wanted[r.SHA256] = expectation{r.Topic, r.Status, r.Class}
	}
	if len(wanted) != len(j.want.Records) {
		t.Fatalf("%d records were produced, %d of them different", len(j.want.Records), len(wanted))
	}
	outcomes := j.verdicts(len(j.want.Records))
	for _, r := range j.seen.Sources {
		want := wanted[r.SHA256]
		if want.topic != r.Topic {
			t.Errorf("%v holds bytes that were not produced to it", r.place)
			continue
		}
		if o, ok := outcomes[r.place]; ok && (o.Status != want.status || o.Class != want.class) {
			t.Errorf("%v (%s): %s %s %q, want %s %s", r.place, r.Key, o.Status, o.Class, o.Message, want.status, want.class)
		}
	}
}

// deadLetters carry the original key and bytes, in the topic of their source.
func (j *judgement) deadLetters() {
	type content struct{ key, sha256 string }
	sources := map[place]content{}
	for _, r := range j.seen.Sources {
		sources[r.place] = content{r.Key, r.SHA256}
	}
	for _, l := range j.seen.DeadLetters {
		if (content{l.Key, l.SHA256}) != sources[l.place] || l.StoredIn != l.Topic+".dlq" {
			j.t.Errorf("the dead letter of %v in %s does not carry its key and bytes", l.place, l.StoredIn)
		}
	}
}

// books: one document per key and nothing else, amounts and accounts as the events say.
func (j *judgement) books() {
	t := j.t
	byKey := map[string]simulator.LedgerDocument{}
	documents := 0
	for _, docs := range [][]simulator.LedgerDocument{j.ledger.Invoices, j.ledger.Payments, j.ledger.CreditNotes} {
		for _, d := range docs {
			documents++
			if _, twice := byKey[d.BusinessID]; twice || d.BusinessID == "" {
				j.duplicates++
				t.Errorf("%s %s: another document carries the key %q, or none", d.Type, d.ID, d.BusinessID)
			}
			byKey[d.BusinessID] = d
		}
	}
	customers := map[string]bool{}
	for _, c := range j.ledger.Contacts {
		if c.BusinessID == "" || customers[c.BusinessID] {
			j.duplicates++
			t.Errorf("two contacts carry the key %q, or none", c.BusinessID)
		}
		customers[c.BusinessID] = true
	}
	b := j.want.Books
	if want := len(b.Orders) + len(b.Payments) + len(b.Refunds); documents != want {
		t.Errorf("the books hold %d documents, the events ask for %d", documents, want)
	}
	for id, o := range b.Orders {
		inv, ok := byKey["order:"+id]
		j.there(ok, "order:"+id)
		j.same("total of "+id, inv.Total, o.Total)
		j.same("tax of "+id, inv.Tax, o.Tax)
		if o.Void != (inv.Status == "void") {
			t.Errorf("the invoice of %s is %s; cancelled: %v", id, inv.Status, o.Void)
		}
		if !o.Void {
			j.same("balance of "+id, inv.Balance, o.Balance)
		}
	}
	for id, p := range b.Payments {
		doc, ok := byKey["payment:"+id]
		j.there(ok, "payment:"+id)
		j.same("amount of "+id, doc.Total, p.Total)
		j.same("fee of "+id, doc.BankCharges, p.Fee)
		j.account(id, doc, p.Gateway)
	}
	j.refunds(byKey)
	j.accounts()
}

// refunds: each has a credit note and on it one refund entry, from its gateway's account.
func (j *judgement) refunds(byKey map[string]simulator.LedgerDocument) {
	entries := map[string][]simulator.LedgerDocument{}
	for _, r := range j.ledger.Refunds {
		entries[r.ParentID] = append(entries[r.ParentID], r)
	}
	if got, want := len(j.ledger.Refunds), len(j.want.Books.Refunds); got != want {
		j.t.Errorf("the books hold %d refund entries, the events ask for %d", got, want)
	}
	for id, r := range j.want.Books.Refunds {
		note, ok := byKey["refund:"+id]
		j.there(ok, "refund:"+id)
		j.same("credit note of "+id, note.Total, r.Total)
		j.same("rest of the credit note of "+id, note.Balance, decimal.Zero)
		if n := len(entries[note.ID]); n != 1 {
			j.duplicates += max(n-1, 0)
			j.t.Errorf("refund %s has %d refund entries", id, n)
			continue
		}
		j.same("refund entry of "+id, entries[note.ID][0].Total, r.Total)
		j.account(id, entries[note.ID][0], r.Gateway)
	}
}

var clearing = map[string]string{"stripe": simulator.AccountStripe, "paypal": simulator.AccountPayPal}

// accounts: the trial balance, account by account.
func (j *judgement) accounts() {
	want := j.want.Accounts
	for name, account := range clearing {
		j.same(account, j.ledger.Balance(account), want[name])
	}
	j.same(simulator.AccountReceivable, j.ledger.Balance(simulator.AccountReceivable), want["receivable"])
	j.same(simulator.AccountFees, j.ledger.Balance(simulator.AccountFees), want["fees"])
	sold := decimal.Zero
	for _, account := range []string{simulator.AccountSales, simulator.AccountShipping, simulator.AccountRounding, simulator.AccountTaxPayable} {
		sold = sold.Add(j.ledger.Balance(account))
	}
	j.same("revenue and taxes", sold, want["sold"])
	if !j.ledger.Zero || !j.ledger.Sum.IsZero() {
		j.t.Errorf("the trial balance is not zero: %s %s", j.ledger.Sum, j.ledger.Error)
	}
}

func (j *judgement) there(ok bool, key string) {
	if !ok {
		j.losses++
		j.t.Errorf("no document carries the key %q", key)
	}
}

func (j *judgement) same(what string, got, want decimal.Decimal) {
	if !got.Equal(want) {
		j.t.Errorf("%s: the books say %s, the events %s", what, got, want)
	}
}

func (j *judgement) account(id string, doc simulator.LedgerDocument, gateway string) {
	if doc.Account != clearing[gateway] {
		j.t.Errorf("%s of %s went over %q, want %q", doc.Type, id, doc.Account, clearing[gateway])
	}
}

// limits: never more calls in any 60 s, and never more at the same time, than the organisation may make.
func (j *judgement) limits() {
	c := j.calls
	if c.LargestMinute > j.terms.perMinute || c.LargestInFlight > j.terms.concurrency || c.Refused > 0 {
		j.t.Errorf("%d calls within 60 s of %d allowed, %d in flight of %d, %d refused", c.LargestMinute, j.terms.perMinute, c.LargestInFlight, j.terms.concurrency, c.Refused)
	}
}

// report prints the run's numbers.
func (j *judgement) report(working, whole time.Duration, kills int) {
	status := map[string]int{}
	for _, o := range j.seen.Outcomes {
		status[o.Status]++
	}
	j.t.Logf("%d records, %d kills, %v from the last record produced to the last outcome, %v in all", len(j.seen.Sources), kills, working.Round(time.Second), whole.Round(time.Second))
	j.t.Logf("outcomes %v, dead letters %d; duplicate documents %d, losses %d, repeated outcomes %d", status, len(j.seen.DeadLetters), j.duplicates, j.losses, j.repeated)
	j.t.Logf("calls %d, at most %d in 60 s of %d, at most %d in flight of %d, refused %d: %s", j.calls.Total, j.calls.LargestMinute, j.terms.perMinute, j.calls.LargestInFlight,
		j.terms.concurrency, j.calls.Refused, fmt.Sprint(j.calls.ByResource))
}
