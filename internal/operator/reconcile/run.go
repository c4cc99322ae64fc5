package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Defaults of Options.
const (
	DefaultGrace           = 2 * time.Hour
	DefaultMaxTransactions = 1_000_000
	defaultModifiedSlack   = 2 * time.Minute
	// early is how far before the window records are read: an event may be produced before the day it is dated.
	early = 48 * time.Hour
	// maxExceptions and maxNotOurs bound what a result lists; counts and sums are of all.
	maxExceptions = 100_000
	maxNotOurs    = 10_000
)

// Codec decodes what the topics hold.
type Codec interface {
	DecodeOrder(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Order, schemas.Meta, error)
	DecodePayment(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Payment, schemas.Meta, error)
	DecodeRefund(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Refund, schemas.Meta, error)
	DecodeOutcome(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Outcome, schemas.Meta, error)
	DecodeAudit(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.AuditEntry, schemas.Meta, error)
}

// Books are the calls of one organisation; *zohobooks.Client has them.
type Books interface {
	Organization(ctx context.Context) (*zohobooks.Organization, error)
	ListInvoices(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Invoice, error]
	ListPayments(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Payment, error]
	ListCreditNotes(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.CreditNote, error]
	GetInvoice(ctx context.Context, id string) (*zohobooks.Invoice, error)
	GetPayment(ctx context.Context, id string) (*zohobooks.Payment, error)
	GetCreditNote(ctx context.Context, id string) (*zohobooks.CreditNote, error)
	GetContact(ctx context.Context, id string) (*zohobooks.Contact, error)
	FindInvoicesByCustomField(ctx context.Context, apiName, value string) ([]zohobooks.Invoice, error)
}

// Deps are what a reconciliation works with.
type Deps struct {
	Config *config.Config
	Codec  Codec
	Books  Books // its contexts are of the operators' class
	// Budget is what is left of the organisation's calls; nil: not asked.
	Budget func(ctx context.Context, organization string) (redis.BudgetState, error)
}

// Options are what is asked for.
type Options struct {
	Organization string
	// Window is what to compare; empty: Ask says it.
	Window Window
	Ask    Ask
	// Grace is how long a record may be under way until it is missed. Default 2h.
	Grace time.Duration
	// Deep opens every document and contact instead of only the doubtful ones.
	Deep bool
	// MaxCalls is how many calls may be made; 0: as many as the organisation's day has left.
	MaxCalls int
	// MaxTransactions bounds memory, some 1.4 KiB each. Default 1,000,000.
	MaxTransactions int
	// ModifiedSlack is how long after the last outcome a document's time of modification is still booksync's own work.
	// Default 2 min.
	ModifiedSlack time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Progress is told how far a stage is; total is 0 where it is not known. It may be nil.
	Progress func(stage string, done, total int64)
	// Estimated is told of the calls before any is made; an error ends the run. It may be nil.
	Estimated func(Estimate) error
	// Each, if set, is told of every transaction of the window once it is judged, in a fixed order; payments of which money
	// was returned are opened for it.
	Each func(Window, *Item)
	// StartedBy says who runs it, for the result.
	StartedBy string
}

// ErrTooMany is a window with more transactions than Options.MaxTransactions.
var ErrTooMany = errors.New("the window has too many transactions or documents: take it in parts")

// run is one reconciliation.
type run struct {
	deps  Deps
	opts  Options
	org   processor.Organization
	zone  *time.Location
	now   time.Time
	spans topics.Spans
	index *index

	verdicts map[string]bareVerdict // by the coordinates of the record
	// discarded are the refusals of dead letters that an operator discarded, by workflow and event id: their outcomes' source is the dead letter.
	discarded map[string]*refusal
	pages     dayCounts
	later     int // payments dated behind the window
	result    *Result
	calls     *zohobooks.Counter
	limit     int // of calls
	notOurs   map[string]NotOurs
	ignored   map[string]ignoring
	suspects  []suspect
}

// Run reconciles. It blocks for as long as topics and calls take, and ends early with ctx.
func Run(ctx context.Context, deps Deps, opts Options) (*Result, error) {
	r, err := newRun(deps, opts)
	if err != nil {
		return nil, err
	}
	ctx = zohobooks.WithClass(ctx, zohobooks.ClassOperator)
	ctx, r.calls = zohobooks.CountCalls(ctx)
	if err := r.calendar(ctx); err != nil {
		return nil, err
	}
	if err := r.topics(ctx); err != nil {
		return nil, err
	}
	if err := r.estimate(ctx); err != nil {
		return nil, err
	}
	if err := r.list(ctx); err != nil {
		return nil, err
	}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	r.judge()
	r.each()
	r.finish()
	return r.result, nil
}

func newRun(deps Deps, opts Options) (*run, error) {
	if opts.Grace <= 0 {
		opts.Grace = DefaultGrace
	}
	if opts.MaxTransactions <= 0 {
		opts.MaxTransactions = DefaultMaxTransactions
	}
	if opts.ModifiedSlack <= 0 {
		opts.ModifiedSlack = defaultModifiedSlack
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Progress == nil {
		opts.Progress = func(string, int64, int64) {}
	}
	org, err := deps.Config.Mapping(opts.Organization)
	if err != nil {
		return nil, err
	}
	now := opts.Now()
	return &run{
		deps: deps, opts: opts, org: org, now: now, index: newIndex(), verdicts: map[string]bareVerdict{}, discarded: map[string]*refusal{}, pages: dayCounts{},
		notOurs: map[string]NotOurs{}, ignored: map[string]ignoring{},
		result: &Result{
			ID: rand.Text(), Organization: opts.Organization, StartedAt: now.UTC(), StartedBy: opts.StartedBy,
			Counts: map[Status]int{}, Grace: opts.Grace,
		},
	}, nil
}

// calendar learns the organisation's time zone and currency, from Zoho where they are not configured.
func (r *run) calendar(ctx context.Context) error {
	if r.org.TimeZone == nil || r.org.BaseCurrency == "" {
		facts, err := r.deps.Books.Organization(ctx)
		if err != nil {
			return fmt.Errorf("reading the organisation: %w", err)
		}
		if r.org.TimeZone == nil {
			if r.org.TimeZone, err = time.LoadLocation(facts.TimeZone); err != nil {
				return fmt.Errorf("loading Zoho's time zone %q: %w", facts.TimeZone, err)
			}
		}
		r.org.BaseCurrency = facts.CurrencyCode
	}
	r.zone = r.org.TimeZone
	if r.opts.Window == (Window{}) {
		var err error
		if r.opts.Window, err = r.opts.Ask.Window(r.now, r.zone); err != nil {
			return err
		}
	}
	r.result.Window = r.opts.Window
	return nil
}

// topics reads audit, outcomes and events. The events' ends are taken first: what they hold has its outcome in what is read
// of the outcomes, or is under way.
func (r *run) topics(ctx context.Context) error {
	cfg, since := r.deps.Config, r.opts.Window.start(r.zone).Add(-early)
	sources, err := topics.Between(ctx, topics.To(cfg), since, cfg.Topics.Sources()...)
	if err != nil {
		return err
	}
	r.spans = sources
	outcomes, err := topics.Between(ctx, topics.To(cfg), since, cfg.Topics.Outcomes)
	if err != nil {
		return err
	}
	audit, err := topics.Between(ctx, topics.To(cfg), time.Time{}, cfg.Topics.Audit)
	if err != nil {
		return err
	}
	for _, stage := range []struct {
		name  string
		spans topics.Spans
		each  func(context.Context, *kgo.Record) error
	}{{"audit", audit, r.audit}, {"outcomes", outcomes, r.outcome}, {"events", sources, r.read}} {
		total, done := stage.spans.Records(), int64(0)
		err := topics.Read(ctx, topics.To(cfg), stage.spans, func(rec *kgo.Record) error { return stage.each(ctx, rec) }, func(n int64) {
			done += n
			r.opts.Progress(stage.name, done, total)
		})
		if err != nil {
			return fmt.Errorf("reading the %s: %w", stage.name, err)
		}
	}
	return nil
}

// registry lets an outage of the schema registry end the run; a record that cannot be read does not.
func (r *run) registry(err error) error {
	if errors.Is(err, schemas.ErrRegistryUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// unreadable counts a record that no schema reads: of a source topic it is a dead letter already.
func (r *run) unreadable(*kgo.Record, error) { r.result.Unreadable++ }

func (r *run) bounded() error {
	if n := len(r.index.transactions) + len(r.notOurs); n > r.opts.MaxTransactions {
		return fmt.Errorf("%w: more than %d", ErrTooMany, r.opts.MaxTransactions)
	}
	return nil
}

// old says whether what happened at this time should be settled by now.
func (r *run) old(millis int64) bool { return millis < r.now.Add(-r.opts.Grace).UnixMilli() }
