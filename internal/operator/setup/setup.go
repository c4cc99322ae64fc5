// Package setup looks at everything that booksync needs outside itself, says what is wrong and how to mend it, and, when
// asked to, makes what it may make: the topics booksync writes, its schemas, its custom fields in Zoho Books. It never
// changes what is already there.
//
// A [Report] is a list of findings, one for each thing looked at. It also carries a [Snapshot] of the facts that the
// configuration relies on; a later run compares with it, and so notices a tax that was dropped, an account that was made
// inactive, a unique field that is not unique any more, before an event does.
//
// Files: kafka.go, registry.go, books.go (credentials, organisation), mapping.go (taxes, accounts, items, currencies),
// fields.go, snapshot.go, prove.go.
package setup

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/login"
	"github.com/booksync/booksync/schemas"
)

// State is what was found out about one thing.
type State string

// The states.
const (
	OK      State = "ok"
	Created State = "created" // it was missing, and is there now
	Note    State = "note"    // worth knowing
	Warning State = "warning" // works, and may surprise
	Missing State = "missing" // booksync needs it
	Wrong   State = "wrong"   // it is there, and not as booksync needs it
	Changed State = "changed" // not as it was set up before
	Unknown State = "unknown" // it could not be looked at: an outage
)

// Finding is one thing that was looked at.
type Finding struct {
	Area         string `json:"area"` // kafka, registry, redis, credentials, organization, taxes, ...
	Organization string `json:"organization,omitempty"`
	Item         string `json:"item"`
	State        State  `json:"state"`
	Message      string `json:"message,omitempty"`
	Hint         string `json:"hint,omitempty"` // how to mend it
}

// Bad findings keep booksync from working right.
func (f Finding) Bad() bool { return f.State == Missing || f.State == Wrong || f.State == Changed }

// Report is everything that was found.
type Report struct {
	Findings []Finding `json:"findings"`
	Applied  bool      `json:"applied"` // whether missing things were to be made
	Snapshot *Snapshot `json:"-"`
}

// Problems counts bad findings, and those that could not be made.
func (r *Report) Problems() (bad, unknown int) {
	for _, f := range r.Findings {
		switch {
		case f.Bad():
			bad++
		case f.State == Unknown:
			unknown++
		}
	}
	return bad, unknown
}

// Cluster is what setup asks of Kafka. *kafka.Admin is one.
type Cluster interface {
	DescribeTopics(ctx context.Context, names ...string) (map[string]kafka.Topic, error)
	CreateTopics(ctx context.Context, topics ...kafka.Topic) ([]string, error)
}

// Registry is what setup asks of the schema registry. *schemas.Codec is one.
type Registry interface {
	Register(ctx context.Context, topic string, kind schemas.Kind) (int, error)
	EncodeOrder(ctx context.Context, topic string, v *schemas.Order) ([]byte, error)
	EncodePayment(ctx context.Context, topic string, v *schemas.Payment) ([]byte, error)
	EncodeRefund(ctx context.Context, topic string, v *schemas.Refund) ([]byte, error)
	EncodeOutcome(ctx context.Context, topic string, v *schemas.Outcome) ([]byte, error)
	EncodeAudit(ctx context.Context, topic string, v *schemas.AuditEntry) ([]byte, error)
	EncodeReconciliation(ctx context.Context, topic string, v *schemas.Reconciliation) ([]byte, error)
}

// Books is what setup asks of one organisation. *zohobooks.Client is one.
type Books interface {
	login.Books
	ListTaxes(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Tax, error]
	ListCurrencies(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Currency, error]
	ListItems(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Item, error]
	GetItem(ctx context.Context, id string) (*zohobooks.Item, error)
	GetInvoice(ctx context.Context, id string) (*zohobooks.Invoice, error)
	TransactionLocks(ctx context.Context) ([]zohobooks.TransactionLock, error)
	CustomFields(ctx context.Context, entity string) ([]zohobooks.FieldDef, error)
	CreateCustomField(ctx context.Context, def zohobooks.FieldDef) (*zohobooks.FieldDef, error)
}

// Deps are the outside systems. What is nil is reported as not looked at, with the error beside it as the reason.
type Deps struct {
	Cluster  Cluster
	Registry Registry // nil: none configured
	// StoreErr is why Redis cannot be used; without Redis there is no budget, and no call to Zoho.
	StoreErr error
	// Books opens an organisation's books.
	Books func(name string) (Books, error)
	Log   *slog.Logger
}

// Options say what setup may do.
type Options struct {
	// Apply makes what is missing.
	Apply bool
	// Before is what was set up before; nil: nothing to compare with.
	Before *Snapshot
	// Skip leaves areas out: kafka, registry, books.
	Skip []string
}

// Run looks at everything; about 16 calls per organisation. It returns an error only when ctx ends: all else is in the report.
func Run(ctx context.Context, cfg *config.Config, deps Deps, opts Options) (*Report, error) {
	r := &run{cfg: cfg, deps: deps, opts: opts, report: &Report{Applied: opts.Apply, Snapshot: newSnapshot()}}
	if !slices.Contains(opts.Skip, "kafka") {
		r.kafka(ctx)
	}
	if !slices.Contains(opts.Skip, "registry") {
		r.registry(ctx)
	}
	if !slices.Contains(opts.Skip, "books") {
		r.redis()
		for _, name := range cfg.OrganizationNames() {
			if deps.StoreErr != nil {
				r.add("credentials", name, "organisation", Unknown, "not looked at: without Redis there is no budget, and no call is made", "")
				continue
			}
			r.organization(ctx, name)
		}
	}
	if opts.Before != nil {
		r.compare(opts.Before)
	}
	if err := ctx.Err(); err != nil {
		return r.report, fmt.Errorf("looking at what is set up: %w", err)
	}
	return r.report, nil
}

// run is one run.
type run struct {
	cfg    *config.Config
	deps   Deps
	opts   Options
	report *Report
}

func (r *run) add(area, organization, item string, state State, message, hint string) {
	r.report.Findings = append(r.report.Findings, Finding{Area: area, Organization: organization, Item: item, State: state, Message: message, Hint: hint})
}

func (r *run) redis() {
	if err := r.deps.StoreErr; err != nil {
		r.add("redis", "", strings.Join(r.cfg.Redis.Addresses, ","), Unknown, err.Error(), "start Redis, or correct redis.addresses, username and password")
		return
	}
	r.add("redis", "", strings.Join(r.cfg.Redis.Addresses, ","), OK, "answers, and evicts nothing", "")
}

// WriteText writes the report for people. Findings that are fine are one line; the others also say what to do.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	area := ""
	for _, f := range r.Findings {
		head := f.Area
		if f.Organization != "" {
			head = f.Organization + " / " + f.Area
		}
		if head != area {
			if area != "" {
				b.WriteByte('\n')
			}
			area = head
			fmt.Fprintln(&b, head)
		}
		fmt.Fprintf(&b, "  %-8s %s", f.State, f.Item)
		if f.Message != "" {
			fmt.Fprintf(&b, ": %s", f.Message)
		}
		b.WriteByte('\n')
		if f.Hint != "" && f.State != OK {
			fmt.Fprintf(&b, "           -> %s\n", f.Hint)
		}
	}
	bad, unknown := r.Problems()
	fmt.Fprintf(&b, "\n%s\n", summary(bad, unknown, r.Applied))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func summary(bad, unknown int, applied bool) string {
	s := "everything is set up"
	switch {
	case bad > 0 && unknown > 0:
		s = fmt.Sprintf("%s, and %d could not be looked at", count(bad, "problem"), unknown)
	case bad > 0:
		s = count(bad, "problem")
	case unknown > 0:
		s = count(unknown, "thing") + " could not be looked at"
	}
	if !applied {
		s += "; nothing was changed"
	}
	return s
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
