// Package verify shows, after a deploy, that the whole way works: it sends a marked order, its payment and a refund through the real topics to a test
// organisation, waits for the outcomes of the service that runs, reads the documents back from Zoho Books, sends the order once more to see that it is a
// duplicate, and takes everything back.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Options say what to verify.
type Options struct {
	Organization string
	// Order is the canary's order; nil: one is made up from the mapping. Its ids and event fields are replaced.
	Order *schemas.Order
	// Timeout bounds the wait for each outcome.
	Timeout time.Duration
	// Keep leaves the documents in the books.
	Keep    bool
	Version string
	// Leg is told of every leg when it ended.
	Leg func(Leg)
}

// Leg is one part of the way.
type Leg struct {
	Name    string        `json:"name"`
	Took    time.Duration `json:"-"`
	Seconds float64       `json:"seconds"`         //nolint:forbidigo // no money: how long it took
	Result  string        `json:"result"`          // ok or failed
	Why     string        `json:"why,omitempty"`   // of a failed one
	Calls   int64         `json:"calls,omitempty"` // of Zoho Books, by the service
}

// Report is what was found.
type Report struct {
	Organization string `json:"organization"`
	OrderID      string `json:"order_id"`
	Legs         []Leg  `json:"legs"`
	OK           bool   `json:"ok"`
}

// Counts are the legs by result, and the calls of Zoho Books that they took of the service.
func (r *Report) Counts() map[string]int64 {
	counts := make(map[string]int64)
	for _, l := range r.Legs {
		counts["legs."+l.Result]++
		counts["calls"] += l.Calls
	}
	return counts
}

// ErrLive refuses an organisation with real books.
var ErrLive = errors.New("the organisation is live: verify writes test documents, so it wants one with live: false")

// finding is a leg that failed: what the service did is not what it should.
type finding struct{ why string }

func (e *finding) Error() string { return e.why }

func found(format string, args ...any) error { return &finding{fmt.Sprintf(format, args...)} }

// Run verifies. The error is of what kept it from finding anything out; what it found is in the report, which is there in both cases once a canary was sent.
func Run(ctx context.Context, cfg *config.Config, site *rollback.Site, opts Options) (*Report, error) {
	if cfg.Organizations[opts.Organization].Live {
		return nil, fmt.Errorf("%s: %w", opts.Organization, ErrLive)
	}
	books, org, err := site.Books(ctx, opts.Organization)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	if opts.Order == nil {
		if opts.Order, err = makeOrder(org, now); err != nil {
			return nil, err
		}
	}
	c, err := makeCanary(opts.Organization, opts.Order, org, now)
	if err != nil {
		return nil, err
	}
	if e := processor.ExplainOrder(c.order, org); e.Rejected != nil {
		return nil, fmt.Errorf("%w: the canary's order would be rejected: %s", ErrNoCanary, e.Rejected.Message)
	}
	client, err := outcomesFromNow(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	v := &verification{cfg: cfg, site: site, opts: opts, books: books, org: org, canary: c, client: client, report: &Report{Organization: opts.Organization, OrderID: c.order.OrderID, OK: true}}
	err = v.run(ctx)
	if v.sent && !opts.Keep {
		// Also after an interruption: nothing of it shall stay.
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*opts.Timeout)
		defer cancel()
		err = errors.Join(err, v.leg(back, "take back", v.takeBack))
	}
	return v.report, err
}

// outcomesFromNow is a client that reads the outcome topic from its present end and can write.
func outcomesFromNow(ctx context.Context, cfg *config.Config) (*kgo.Client, error) {
	spans, err := topics.Between(ctx, topics.To(cfg), time.Time{}, cfg.Topics.Outcomes)
	if err != nil {
		return nil, err
	}
	ends := make(map[int32]kgo.Offset)
	for p, r := range spans[cfg.Topics.Outcomes] {
		ends[p] = kgo.NewOffset().At(r.To)
	}
	return access.Producer(cfg, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{cfg.Topics.Outcomes: ends}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
}

// verification is one run.
type verification struct {
	cfg    *config.Config
	site   *rollback.Site
	opts   Options
	books  *zohobooks.Client
	org    *processor.Organization
	canary *canary
	client *kgo.Client
	report *Report
	sent   bool
	calls  int64 // of the leg
	// waited is the record whose outcome is not there yet, until when it is waited for; nil when there is none.
	waited *kgo.Record
	until  time.Time

	first, paid, back *schemas.Outcome
}

func (v *verification) run(ctx context.Context) error {
	for _, l := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"order posted", v.sendOrder}, {"payment posted", v.sendPayment}, {"refund posted", v.sendRefund}, {"second sending is a duplicate", v.sendAgain},
		{"documents in the books", v.documents},
	} {
		if err := v.leg(ctx, l.name, l.do); err != nil || !v.report.OK {
			return err
		}
	}
	return nil
}

// leg runs and times one leg. A finding is reported; any other error ends the run.
func (v *verification) leg(ctx context.Context, name string, do func(context.Context) error) error {
	started := time.Now()
	v.calls = 0
	err := do(ctx)
	l := Leg{Name: name, Took: time.Since(started), Result: "ok", Calls: v.calls}
	l.Seconds = float64(l.Took.Milliseconds()) / 1000 //nolint:forbidigo // no money: how long it took
	var f *finding
	if err != nil {
		l.Result, l.Why, v.report.OK = "failed", err.Error(), false
	}
	v.report.Legs = append(v.report.Legs, l)
	v.opts.Leg(l)
	if errors.As(err, &f) {
		return nil
	}
	return err
}

func (v *verification) sendOrder(ctx context.Context) (err error) {
	topic := v.cfg.Topics.Orders[0]
	value, err := v.site.Codec().EncodeOrder(ctx, topic, v.canary.order)
	if err != nil {
		return err
	}
	v.first, err = v.posted(ctx, topic, value, v.canary.order.Totals.Gross)
	return err
}

func (v *verification) sendPayment(ctx context.Context) (err error) {
	topic := v.cfg.Topics.Payments[0]
	value, err := v.site.Codec().EncodePayment(ctx, topic, v.canary.payment)
	if err != nil {
		return err
	}
	v.paid, err = v.posted(ctx, topic, value, v.canary.payment.Amount)
	if err == nil && (v.paid.InvoiceAfter == nil || !v.paid.InvoiceAfter.Balance.IsZero()) {
		return found("the invoice is not paid: %+v", v.paid.InvoiceAfter)
	}
	return err
}

func (v *verification) sendRefund(ctx context.Context) (err error) {
	topic := v.cfg.Topics.Refunds[0]
	value, err := v.site.Codec().EncodeRefund(ctx, topic, v.canary.refund)
	if err != nil {
		return err
	}
	v.back, err = v.posted(ctx, topic, value, v.canary.refund.Amount)
	return err
}

func (v *verification) sendAgain(ctx context.Context) error {
	topic := v.cfg.Topics.Orders[0]
	value, err := v.site.Codec().EncodeOrder(ctx, topic, v.canary.order)
	if err != nil {
		return err
	}
	out, err := v.send(ctx, topic, value)
	if err == nil && out.Status != schemas.StatusDuplicate {
		return found("the order sent a second time is %s", statusOf(out))
	}
	return err
}

// posted sends an event and expects it to be posted with this total.
func (v *verification) posted(ctx context.Context, topic string, value []byte, total decimal.Decimal) (*schemas.Outcome, error) {
	out, err := v.send(ctx, topic, value)
	switch {
	case err != nil:
		return nil, err
	case out.Status != schemas.StatusPosted:
		return nil, found("it is %s", statusOf(out))
	case !out.Posted.Valid || !out.Posted.Decimal.Equal(total):
		return nil, found("Zoho Books has %s, the event says %s", out.Posted.Decimal, total)
	}
	return out, nil
}

func statusOf(o *schemas.Outcome) string {
	if o.Error != nil {
		return string(o.Status) + " (" + o.Error.Class + "): " + o.Error.Message
	}
	return string(o.Status) + " " + o.Reason
}

// send writes a record and waits for its outcome.
func (v *verification) send(ctx context.Context, topic string, value []byte) (*schemas.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.sent = true
	// Whoever interrupts, the record is written or it is not: what is in the topic has to be taken back.
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.opts.Timeout)
	defer cancel()
	rec, err := v.client.ProduceSync(writing, &kgo.Record{Topic: topic, Key: []byte(v.canary.order.OrderID), Value: value}).First()
	if err != nil {
		return nil, fmt.Errorf("writing to %s: %w", topic, err)
	}
	v.waited, v.until = rec, time.Now().Add(v.opts.Timeout)
	return v.await(ctx)
}

// await is the outcome of the record that is waited for.
func (v *verification) await(ctx context.Context) (*schemas.Outcome, error) {
	rec := v.waited
	waiting, cancel := context.WithDeadline(ctx, v.until)
	defer cancel()
	for {
		fetches := v.client.PollFetches(waiting)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case waiting.Err() != nil:
			return nil, found("no outcome for %s/%d/%d within %s: does `booksync run` run, and is the workflow neither off nor paused (booksync status)? "+
				"Should it be posted later, take it back: booksync rollback plan --ids %s", rec.Topic, rec.Partition, rec.Offset, v.opts.Timeout, v.canary.order.OrderID)
		}
		var match *schemas.Outcome
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			out, _, err := v.site.Codec().DecodeOutcome(ctx, r.Value, r.Headers)
			if err != nil {
				bad = fmt.Errorf("reading an outcome: %w", err)
				return
			}
			if s := out.Source; s.Topic == rec.Topic && s.Partition == rec.Partition && s.Offset == rec.Offset {
				match = out
			}
		})
		if match != nil {
			v.calls += match.Calls
			v.waited = nil
			return match, nil
		}
		if bad != nil {
			return nil, bad
		}
	}
}

// documents reads back what the books hold.
func (v *verification) documents(ctx context.Context) error {
	o := v.canary.order
	key := processor.ClaimRef{Role: processor.RoleOrder, ID: o.OrderID}.Key()
	rows, err := v.books.FindInvoicesByCustomField(ctx, v.org.Fields.Invoice.Key, key)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return found("%d invoices have the key %s", len(rows), key)
	}
	inv, err := v.books.GetInvoice(ctx, rows[0].InvoiceID)
	if err != nil {
		return err
	}
	if !inv.Total.Equal(o.Totals.Gross) || !inv.TaxTotal.Equal(o.Totals.Tax) {
		return found("invoice %s has total %s and tax %s, the event says %s and %s", inv.InvoiceNumber, inv.Total, inv.TaxTotal, o.Totals.Gross, o.Totals.Tax)
	}
	payment, ok := documentOf(v.paid, "customer_payment")
	if !ok {
		return found("the payment's outcome names no customer payment")
	}
	p, err := v.books.GetPayment(ctx, payment.ID)
	if err != nil {
		return err
	}
	if !p.Amount.Equal(v.canary.payment.Amount) {
		return found("payment %s is %s, the event says %s", p.PaymentNumber, p.Amount, v.canary.payment.Amount)
	}
	note, ok := documentOf(v.back, "credit_note")
	if !ok {
		return found("the refund's outcome names no credit note")
	}
	n, err := v.books.GetCreditNote(ctx, note.ID)
	if err != nil {
		return err
	}
	refunds, err := v.books.ListCreditNoteRefunds(ctx, note.ID)
	if err != nil {
		return err
	}
	if !n.Total.Equal(v.canary.refund.Amount) || len(refunds) != 1 || !refunds[0].Value().Equal(v.canary.refund.Amount) {
		return found("credit note %s is %s with %d refund entries, the event says %s and one", n.CreditNoteNumber, n.Total, len(refunds), v.canary.refund.Amount)
	}
	return nil
}

func documentOf(o *schemas.Outcome, kind string) (schemas.Document, bool) {
	for _, d := range o.Documents {
		if d.Type == kind {
			return d, true
		}
	}
	return schemas.Document{}, false
}

// takeBack takes the canary's documents back and publishes that. What was sent before an interruption is waited for first: else it would be posted afterwards
// and stay.
func (v *verification) takeBack(ctx context.Context) error {
	var late error
	if v.waited != nil {
		_, late = v.await(ctx)
	}
	if err := v.undo(ctx); err != nil {
		return err
	}
	return late
}

func (v *verification) undo(ctx context.Context) error {
	plan, err := rollback.Build(ctx, v.site.Outcomes, v.site.Books, rollback.Selector{Organization: v.opts.Organization, IDs: []string{v.canary.order.OrderID}},
		false, v.opts.Version, func(int, int) {})
	if err != nil || len(plan.Groups) == 0 {
		return err
	}
	var result rollback.GroupResult
	if err := v.site.Apply(ctx, plan, v.opts.Version, func(r rollback.GroupResult) { result = r }); err != nil {
		return err
	}
	if result.Result != rollback.ResultReversed {
		return found("%s: %s", result.Result, result.Why)
	}
	return nil
}
