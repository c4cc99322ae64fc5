// Package processor is the job: it turns order, payment and refund events into documents in Zoho Books, once each, and
// says of every record what became of it.
//
// [Processor.Process] runs one attempt of one record and is the only function that knows the order of the steps. Each
// step is a file and a method of [attempt] that answers nil to go on, or an ending that says why the way stops here:
//
//	decode   bytes to event, or poison                               decode.go
//	check    the event's own arithmetic and mapping                  check.go
//	claim    first, done, busy, waiting or in doubt                  claim.go
//	plan     event + mapping to Zoho requests, pure                  plan_*.go
//	apply    makes the calls; looks first where a write is in doubt  apply_*.go
//	settle   the verdict: finishes the claim, then hands over        settle.go
//
// The package does no I/O of its own: what it needs is in ports.go, and records are plain data to it.
package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// Config are the job's settings.
type Config struct {
	// Group is the consumer group's name; a part of every outcome_id.
	Group string
	// Version is the program's version, named in every outcome.
	Version string
	// Topics are the topics' names.
	Topics Topics
	// Lease is how long a claim is held without renewal; must be longer than the HTTP timeout. Default 60 s.
	Lease time.Duration
	// WriteHorizon is how long after its request left a write may still take effect at Zoho. Default 5 min.
	WriteHorizon time.Duration
	// SettleDelay is how long after a lost answer a look-up that finds nothing is not yet believed. Default 5 s.
	SettleDelay time.Duration
	// MaxAttempts is how many counted failures of one record end in `exhausted`. Default 8.
	MaxAttempts int
	// BackOff is the base of the back-off after a failed call; it doubles up to BackOffLimit. Defaults 1 s and 60 s.
	BackOff, BackOffLimit time.Duration
	// Recheck is how often a waiting record asks Redis again; wake-ups are hints only. Default 30 s.
	Recheck time.Duration
	// MarkSentBatch and MarkSentWait bound the bulk mark-sent call. Defaults 25 invoices and 2 s.
	MarkSentBatch int
	MarkSentWait  time.Duration
	// Retention is how long settled claims are kept: the topics' retention plus the replay window. Default 35 days.
	Retention time.Duration
}

// Topics are the names of the topics.
type Topics struct {
	// Orders, Payments and Refunds are the source topics; more than one where organisations must never wait for each other.
	Orders, Payments, Refunds []string
	Outcomes                  string
	// DeadLetterSuffix is appended to a source topic's name. Default ".dlq".
	DeadLetterSuffix string
}

// WithDefaults fills what is zero.
func (c Config) WithDefaults() Config {
	setDefault(&c.Lease, 60*time.Second)
	setDefault(&c.WriteHorizon, 5*time.Minute)
	setDefault(&c.SettleDelay, 5*time.Second)
	setDefault(&c.MaxAttempts, 8)
	setDefault(&c.BackOff, time.Second)
	setDefault(&c.BackOffLimit, time.Minute)
	setDefault(&c.Recheck, 30*time.Second)
	setDefault(&c.MarkSentBatch, 25)
	setDefault(&c.MarkSentWait, 2*time.Second)
	setDefault(&c.Retention, 35*24*time.Hour)
	setDefaultTopics(&c.Topics.Orders, "commerce.orders")
	setDefaultTopics(&c.Topics.Payments, "commerce.payments")
	setDefaultTopics(&c.Topics.Refunds, "commerce.refunds")
	setDefault(&c.Topics.Outcomes, "books.outcomes")
	setDefault(&c.Topics.DeadLetterSuffix, ".dlq")
	return c
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func setDefaultTopics(v *[]string, topic string) {
	if len(*v) == 0 {
		*v = []string{topic}
	}
}

// Deps are what the job works with. Codec, Claims, Progress and Clock are required.
type Deps struct {
	Codec    Codec
	Claims   Claims
	Progress Progress
	Clock    Clock
	Log      *slog.Logger
	// Switches tell what operators have paused.
	Switches Switches
	// Wake makes lanes of this replica that wait for the keys due at once; a hint.
	Wake func(keys ...string)
	// InDoubt is told what looking for a write in doubt found: found or absent.
	InDoubt func(workflow Workflow, organization, result string)
	// Compared is told how Zoho's answer to a payment compared with its event: match, amount, currency or status.
	Compared func(organization, result string)
}

// Tenant is one organisation with its books.
type Tenant struct {
	// Name is the organisation's; needed only where Organization is nil.
	Name string
	// Organization is nil for one that is not usable yet: its records wait until [Processor.Replace] brings it.
	Organization *Organization
	Books        Books
}

func (t Tenant) name() string {
	if t.Organization != nil {
		return t.Organization.Name
	}
	return t.Name
}

// Processor is the job. Process may be called from any number of goroutines.
type Processor struct {
	cfg      Config
	codec    Codec
	claims   Claims
	progress Progress
	clock    Clock
	switches Switches // nil: nothing is ever paused
	log      *slog.Logger
	wake     func(keys ...string)
	compared func(organization, result string)
	looked   func(workflow Workflow, organization, result string)
	tenants  map[string]*tenant

	life   context.Context // of what runs beside the records: probes and mark-sent batches
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// tenant is a Tenant with what the job keeps for it.
type tenant struct {
	name     string
	mapping  atomic.Pointer[Organization] // nil: not usable yet
	books    Books
	gate     *gate
	sent     *sentBatcher
	contacts *contactCache
}

// New builds the job.
func New(cfg Config, deps Deps, tenants ...Tenant) (*Processor, error) {
	if deps.Codec == nil || deps.Claims == nil || deps.Progress == nil || deps.Clock == nil {
		return nil, errors.New("processor: codec, claims, progress and clock are required")
	}
	p := &Processor{
		cfg: cfg.WithDefaults(), codec: deps.Codec, claims: deps.Claims, progress: deps.Progress, clock: deps.Clock,
		switches: deps.Switches, log: deps.Log, wake: deps.Wake, compared: deps.Compared, looked: deps.InDoubt, tenants: make(map[string]*tenant, len(tenants)),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.wake == nil {
		p.wake = func(...string) {}
	}
	if p.compared == nil {
		p.compared = func(string, string) {}
	}
	if p.looked == nil {
		p.looked = func(Workflow, string, string) {}
	}
	p.life, p.cancel = context.WithCancel(context.Background())
	for _, t := range tenants {
		if t.name() == "" || t.Books == nil {
			return nil, errors.New("processor: a tenant needs an organisation and its books")
		}
		if p.tenants[t.name()] != nil {
			return nil, fmt.Errorf("processor: organisation %q is there twice", t.name())
		}
		p.tenants[t.name()] = newTenant(p, t)
	}
	return p, nil
}

func newTenant(p *Processor, t Tenant) *tenant {
	made := &tenant{
		name: t.name(), books: t.Books, contacts: newContactCache(p.clock),
		gate: &gate{
			books: t.Books, clock: p.clock, key: t.name() + "/circuit", wake: p.wake,
			background: p.background, delay: p.cfg.BackOff, recheck: p.cfg.Recheck,
		},
	}
	made.sent = &sentBatcher{
		books: t.Books, guard: func(ctx context.Context) error { return p.mayWrite(ctx, t.name(), WorkflowOrder) },
		answered: func() { made.gate.answered(true) }, most: p.cfg.MarkSentBatch, wait: p.cfg.MarkSentWait, background: p.background,
	}
	made.mapping.Store(t.Organization)
	return made
}

// org is the organisation as it's mapped now. Behind [attempt.held] it is never nil.
func (t *tenant) org() *Organization { return t.mapping.Load() }

// Replace puts another version of an organisation in force, such as one with a later transaction lock: attempts that begin
// afterwards see it. Records that waited for an organisation to be usable go on. False when no tenant has its name.
func (p *Processor) Replace(org *Organization) bool {
	t := p.tenants[org.Name]
	if t != nil && t.mapping.Swap(org) == nil {
		p.wake(usableKey(org.Name))
	}
	return t != nil
}

// usableKey wakes records of an organisation that became usable.
func usableKey(organization string) string { return organization + "/usable" }

// background runs f beside the records until it returns; its context ends with Close.
func (p *Processor) background(f func(context.Context)) {
	p.tasks.Go(func() { f(p.life) })
}

// Close ends what runs beside the records, and waits for it. Call it when no Process is running any more.
func (p *Processor) Close() {
	p.cancel()
	p.tasks.Wait()
}

// Process runs one attempt of one record through the steps. It blocks until there's a verdict: for as long as the calls
// and the budget take, but never for another record; what has to wait is parked. ctx ends only when the drain time is
// over; d.Leaving closes before that.
func (p *Processor) Process(ctx context.Context, d *Delivery) Verdict {
	a := p.begin(ctx, d)
	defer a.stopRenewing()
	defer a.dropAdvance()

	end := a.heldUnread()
	if end == nil {
		end = a.decode()
	}
	if end == nil {
		end = a.held()
	}
	if end == nil {
		a.check()
		if a.inShadow() {
			return a.settle(a.shadow())
		}
		end = a.claim()
	}
	if end == nil {
		end = a.apply()
	}
	return a.settle(end)
}

// ending says why a record's way stops: exactly one field is set.
type ending struct {
	reject    *Rejection
	duplicate string // the reason: same or stale
	posted    bool   // the books hold what this very record wrote: a.result says what
	stored    []byte // the verdict is in the claim already: publish it again
	park      *Park
	lost      bool // the claim was taken by somebody else: back to the claim step
	released  bool // the partition is leaving
	shadow    *shadowed
}

// Work is what one attempt of a delivery leaves to the next.
type Work struct {
	event     *event
	firstSeen time.Time
	// attempts are the counted failures, tries all runs; failedAt is the first failure.
	attempts int
	tries    int
	busy     int // answers that somebody else holds the claim
	failures int // calls that failed, counted or not, since one went through; for the back-off
	failedAt time.Time
	// writesSeen is the organisation's count of successful writes at the last failure: a failure counts as an attempt
	// only if another write succeeded since.
	writesSeen int64
	wait       wait
	// pending are the payments of the order that were announced and unfinished when a refund was first seen.
	pending     []string
	pendingSeen bool
	// adopted are orders found in the books because Redis has no claim of theirs.
	adopted map[string]*OrderState
	// paid are the keys of payments, and disputes of them, that this record needs and that were found in the books.
	paid []string
	// looked says that the books were searched for what this record waits for, lookedLast that this was done when its
	// time was over.
	looked, lookedLast bool
	// advance: the order did not come, and the policy books its money without it.
	advance bool
	// refusal of a write of which nothing was found in the books; it's looked for once more.
	refusal *refusal
	// invoice is the one that this delivery has created or found last, invoiceKey its key: of the order's first, or of a further one.
	invoice    *zohobooks.Invoice
	invoiceKey string
	// contactRevision lets a contact that is gone be made anew.
	contactRevision int64
	// calls and the waits are sums over the earlier attempts.
	calls           int
	waitedForBudget time.Duration
	called          time.Duration
}

// made is the invoice of this key if this delivery has created or found it; nil otherwise.
func (w *Work) made(key string) *zohobooks.Invoice {
	if w.invoiceKey != key {
		return nil
	}
	return w.invoice
}

// attempt is one run of a record.
type attempt struct {
	*event
	p      *Processor
	d      *Delivery
	w      *Work
	ctx    context.Context // for calls; outlives leaving
	intake context.Context // for waits; ends when the partition leaves
	start  time.Time

	counter *zohobooks.Counter
	reads   zohobooks.Class // of look-ups
	refused *Rejection      // the check's; kept until the claim is known
	sheet   *sheet          // the order as the check laid it out; nil for what has none
	advance *advance
	handle  *ClaimHandle
	renewal *renewal
	epoch   *Epoch
	entry   ClaimEntry
	known   map[string]ClaimEntry // the claims of the event's orders
	prog    progress
	states  map[string]*OrderState // of the event's orders
	inDoubt doubt
	// base is the order's state with an earlier revision finished by this attempt: the claim does not hold it yet.
	base *OrderState
	// older are the steps of an earlier revision that this attempt finished, until a mark carries base.
	older *progress
	// intended: an intent of this attempt stands in the orders' states.
	intended bool
	// rebuilt: an order's state was rebuilt from the books, or completed from them, because Redis had none or an old one.
	rebuilt bool
	// invoiceMet: the order's invoice was there before this attempt.
	invoiceMet bool
	// taken: the books hold a document of other content under this event's key.
	taken bool
	// found is what another record has written under this event's key.
	found *inBooks
	// wrote: this attempt marked a write of its own.
	wrote bool
	// answered: how the last write ended is known, and the steps tell it where it was done, so its mark in the claim says
	// too much.
	answered bool

	result result
}

// begin makes the attempt.
func (p *Processor) begin(ctx context.Context, d *Delivery) *attempt {
	now := p.clock.Now()
	if d.Work == nil {
		d.Work = &Work{firstSeen: now}
	}
	a := &attempt{p: p, d: d, w: d.Work, start: now, event: d.Work.event, reads: zohobooks.ClassLookUp}
	a.w.tries++
	a.ctx, a.counter = zohobooks.CountCalls(zohobooks.WithGuard(ctx, a.mayWrite))
	a.intake = intakeContext{Context: a.ctx, leaving: d.Leaving}
	return a
}

// check compares the event with itself and with the mapping. What it refuses is settled once the claim is known: the
// record may be a repetition of one that was posted.
func (a *attempt) check() {
	org := a.tenant.org()
	switch a.workflow {
	case WorkflowOrder:
		var sums *arithmetic
		sums, a.refused = checkOrder(a.order, org)
		a.sheet = sums.sheet
	case WorkflowPayment:
		_, a.refused = checkPayment(a.payment, org)
	case WorkflowRefund:
		_, a.refused = checkRefund(a.refund, org)
	}
}

// leaving says whether the partition was revoked or the service stops.
func (a *attempt) leaving() bool { return a.intake.Err() != nil }

// intakeContext ends when the partition leaves, which is always before the context for calls ends.
type intakeContext struct {
	context.Context
	leaving <-chan struct{}
}

func (c intakeContext) Done() <-chan struct{} { return c.leaving }

func (c intakeContext) Err() error {
	select {
	case <-c.leaving:
		return context.Canceled
	default:
		return c.Context.Err()
	}
}
