package torture

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// The promises that the checker holds a history against.
const (
	waits       = "whoever cannot go on waits"
	oneVerdict  = "one verdict per record"
	oneDocument = "one document per business id"
	money       = "the money is that of the events"
	inOrder     = "effects in order"
	limits      = "calls within the limits"
	noLies      = "no outcome contradicts the books"
	commits     = "no commit passes an unsettled record"
	outage      = "an outage dead-letters nothing"
	accounts    = "the journal's accounts are those of the events"
)

// checker compares the history of a simulation (what Kafka and the books hold in the end) with the events, by arithmetic of
// its own.
type checker struct {
	*Result
	x      *run
	ledger simulator.Ledger
	byKey  map[string][]simulator.LedgerDocument
	base   map[string]decimal.Decimal // what the accounts must hold, debits positive
}

func (x *run) check(res *Result) {
	c := &checker{Result: res, x: x, ledger: x.w.sim.Ledger(zohoID), byKey: map[string][]simulator.LedgerDocument{}, base: map[string]decimal.Decimal{}}
	for _, docs := range [][]simulator.LedgerDocument{c.ledger.Invoices, c.ledger.Payments, c.ledger.CreditNotes} {
		for _, d := range docs {
			c.byKey[d.BusinessID] = append(c.byKey[d.BusinessID], d)
		}
	}
	c.Calls, c.Verdict = len(x.calls), map[string]int{}
	c.verdicts()
	c.deadLetters()
	c.committed()
	c.documents()
	c.order()
	c.limits()
	if x.spins.Found != "" {
		c.problem(waits, "within one second these operations left: %s", x.spins.Found)
	}
	for _, st := range x.tale.stories {
		c.story(st)
	}
	c.accounts()
}

// verdicts: each record that was not aborted has one outcome, and one of those that are right for it; of the records of one
// business event exactly one is posted.
func (c *checker) verdicts() {
	known := map[place]*emission{}
	ids := map[string]place{}
	postedOnes := map[string]int{}
	for _, e := range c.x.tale.emissions {
		if e.aborted {
			if e.sent {
				known[e.where] = e
			}
			continue
		}
		c.Events++
		outs := c.x.outcomes[e.where]
		if !e.sent || len(outs) == 0 {
			c.Losses++
			c.problem(oneVerdict, "%s (%s of %s) has no outcome", e.where, e.workflow, e.story.id)
			continue
		}
		known[e.where] = e
		out := outs[0]
		c.Verdict[string(out.Status)]++
		if other, twice := ids[out.OutcomeID]; twice {
			c.problem(oneVerdict, "%s and %s have the same outcome id %s", e.where, other, out.OutcomeID)
		}
		ids[out.OutcomeID] = e.where
		got := verdictOf(out.Outcome)
		if len(e.want) > 0 && !slices.Contains(e.want, got) {
			c.problem(c.blame(got), "%s (%s of %s): %s %s %s, want one of %v", e.where, e.workflow, e.story.id, got.status, got.class, message(out.Outcome), e.want)
		}
		if got == posted && !e.story.victim {
			postedOnes[effectOf(e)]++
		}
	}
	for at, outs := range c.x.outcomes {
		e := known[at]
		switch {
		case e == nil:
			c.problem(oneVerdict, "%s has an outcome and is no record", at)
		case e.aborted:
			c.problem(oneVerdict, "%s has an outcome (%s), its transaction was aborted", at, outs[0].Status)
		case len(outs) > 1:
			c.Repeated += len(outs) - 1
			c.problem(oneVerdict, "%s has %d outcomes: %s", at, len(outs), describe(outs))
		}
	}
	for _, e := range c.x.tale.emissions {
		if n := postedOnes[effectOf(e)]; slices.Contains(e.want, posted) && n != 1 {
			c.problem(oneVerdict, "%s of %s was posted %d times", e.workflow, effectOf(e), n)
		}
	}
}

func describe(outs []*outcome) string {
	s := ""
	for _, o := range outs {
		s += fmt.Sprintf(" %s at %s", o.Status, o.at.UTC().Format("15:04:05.000"))
	}
	return s
}

// blame is the promise that a wrong verdict breaks.
func (c *checker) blame(got verdict) string {
	switch got.class {
	case "exhausted", "rejected.books":
		return outage
	case "dependency.missing":
		return inOrder
	}
	return oneVerdict
}

func verdictOf(o *schemas.Outcome) verdict {
	v := verdict{status: o.Status}
	if o.Error != nil {
		v.class = o.Error.Class
	}
	return v
}

func message(o *schemas.Outcome) string {
	if o.Error != nil {
		return o.Error.Message
	}
	return o.Reason
}

// effectOf names the business event whose effect an emission has.
func effectOf(e *emission) string {
	switch {
	case e.order != nil && e.order.Kind == schemas.OrderCancelled:
		return "cancel:" + e.order.OrderID
	case e.order != nil:
		return "order:" + e.order.OrderID
	case e.payment != nil:
		return "payment:" + e.payment.PaymentID
	case e.refund != nil:
		return "refund:" + e.refund.RefundID
	}
	return ""
}

// deadLetters: one for each rejected record, with its bytes; none for others.
func (c *checker) deadLetters() {
	letters := map[place]int{}
	for _, source := range c.x.w.cfg.Topics.Sources() {
		records, err := c.x.readAll(c.x.w.cfg.Topics.DeadLetter(source))
		if err != nil {
			c.problem(oneVerdict, "%v", err)
			return
		}
		for _, r := range records {
			at := place{topic: source}
			for _, h := range r.Headers {
				switch h.Key {
				case "dlq.source.partition":
					_, _ = fmt.Sscan(string(h.Value), &at.partition)
				case "dlq.source.offset":
					_, _ = fmt.Sscan(string(h.Value), &at.offset)
				}
			}
			letters[at]++
		}
	}
	for at, outs := range c.x.outcomes {
		want := 0
		if outs[0].Status == schemas.StatusRejected {
			want = 1
		}
		if letters[at] != want {
			c.problem(oneVerdict, "%s is %s and has %d dead letters", at, outs[0].Status, letters[at])
		}
		delete(letters, at)
	}
	for at := range letters {
		c.problem(oneVerdict, "%s has a dead letter and no outcome", at)
	}
}

// committed: in the end every partition is committed up to its end.
func (c *checker) committed() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cl, err := c.x.w.client()
	if err != nil {
		c.problem(commits, "%v", err)
		return
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	at, err := adm.FetchOffsets(ctx, c.x.w.cfg.Kafka.Group)
	if err != nil {
		c.problem(commits, "reading the group's commits: %v", err)
		return
	}
	ends, err := adm.ListEndOffsets(ctx, c.x.w.cfg.Topics.Sources()...)
	if err != nil {
		c.problem(commits, "reading the topics' ends: %v", err)
		return
	}
	ends.Each(func(end kadm.ListedOffset) {
		if got, ok := at.Lookup(end.Topic, end.Partition); end.Offset > 0 && (!ok || got.At != end.Offset) {
			c.problem(commits, "%s/%d is committed up to %d and ends at %d", end.Topic, end.Partition, got.At, end.Offset)
		}
	})
}

// documents: no key twice, nobody twice, no refund entry that no event asked for; no outcome names what is not there.
func (c *checker) documents() {
	victims := map[string]bool{}
	for _, st := range c.x.tale.victims {
		victims[st.id] = true
	}
	for _, key := range sorted(c.byKey) {
		if docs := c.byKey[key]; key == "" || len(docs) > 1 {
			c.Duplicates += len(docs) - 1
			c.problem(oneDocument, "%d documents carry the key %q", len(docs), key)
		}
	}
	people := map[string]int{}
	for _, n := range c.ledger.Contacts {
		if people[n.BusinessID]++; people[n.BusinessID] > 1 || n.BusinessID == "" {
			c.Duplicates++
			c.problem(oneDocument, "another contact carries the key %q", n.BusinessID)
		}
	}
	ids := map[string]bool{}
	for _, docs := range [][]simulator.LedgerDocument{c.ledger.Invoices, c.ledger.Payments, c.ledger.CreditNotes, c.ledger.Refunds} {
		for _, d := range docs {
			ids[d.ID] = true
		}
	}
	for at, outs := range c.x.outcomes {
		out := outs[0]
		if out.Status != schemas.StatusPosted || victims[out.OrderID] {
			continue
		}
		for _, d := range out.Documents {
			if !ids[d.ID] {
				c.problem(noLies, "%s names the %s %s, which is not in the books", at, d.Type, d.ID)
			}
		}
		// Partial credits may leave a unit or a few of a tax, which the last one names.
		stays := strings.Contains(out.Reason, "tax that no credit note took back") && out.Difference.Decimal.Abs().LessThan(decimal.New(1, -1))
		if out.Difference.Valid && !out.Difference.Decimal.IsZero() && !stays {
			c.problem(money, "%s was posted with a difference of %s", at, out.Difference.Decimal)
		}
	}
}

// order: a payment's outcome is not seen before that of its invoice, nor a refund's before that of its payment; a
// cancellation's not before what it takes back.
func (c *checker) order() {
	first := map[string]time.Time{}
	for _, e := range c.x.tale.emissions {
		outs := c.x.outcomes[e.where]
		if e.aborted || !e.sent || len(outs) == 0 || outs[0].Status != schemas.StatusPosted {
			continue
		}
		if at := outs[0].at; first[effectOf(e)].IsZero() || at.Before(first[effectOf(e)]) {
			first[effectOf(e)] = outs[0].SettledAt
		}
	}
	for _, e := range c.x.tale.emissions {
		at := first[effectOf(e)]
		if at.IsZero() || e.story.victim {
			continue
		}
		var before string
		switch {
		case e.payment != nil:
			before = "order:" + e.payment.OrderID
		case e.refund != nil:
			before = "payment:" + e.refund.PaymentID
		default:
			continue
		}
		if b := first[before]; b.IsZero() || b.After(at.Add(2*maxSkew)) {
			c.problem(inOrder, "%s took effect at %s, %s at %s", effectOf(e), at, before, b)
		}
	}
}

// maxSkew is how much a replica's clock is wrong at most.
const maxSkew = 1500 * time.Millisecond

// limits: the calls that left in any 60 s, and those in flight at Zoho.
func (c *checker) limits() {
	calls := slices.Clone(c.x.calls)
	sort.Slice(calls, func(i, j int) bool { return calls[i].Before(calls[j]) })
	for i, from := 0, 0; i < len(calls); i++ {
		for calls[i].Sub(calls[from]) >= time.Minute {
			from++
		}
		if n := i - from + 1; n > perMinute {
			c.problem(limits, "%d calls left within 60 s, until %s", n, calls[i].UTC().Format("15:04:05.000"))
			break
		}
	}
	held := slices.ContainsFunc(c.x.plan.wire, func(f *wireFault) bool { return f.done && (f.action == freeze || f.action == slow) })
	if n := c.x.w.sim.Calls(zohoID).LargestInFlight; n > concurrency && !held {
		c.problem(limits, "%d calls were in flight", n)
	}
}

// readAll reads a topic up to its present end, as a read_committed reader.
func (x *run) readAll(topic string) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return topics.All(ctx, x.w.client, topic)
}
