// Package dlq is what operators do with dead letters: count them, look at one, send them back to their source topic, mend
// one and send that, or discard them with a reason.
//
// Dead letters stay in their topics as they came. What was done with one is a mark: a record of the audit topic that names,
// in its headers, the dead letters it is about (marks.go). The mark goes out in one Kafka transaction with what it says was
// done, the replayed records or the outcomes of a discard (session.go), so a crash anywhere leaves each of them done once or
// not at all. All commands of a group share one transactional id: whoever begins takes the producer id first, which ends the
// open transaction of one that crashed or still runs, and reads the marks after that.
//
// Nothing is kept between two commands: dead letters are streamed, headers only, up to the topics' stable ends of the
// moment, in bounded memory, while `run` goes on. Values are decoded only where a filter or a verdict needs them.
//
//	id.go, letter.go     names and headers of dead letters
//	reader.go            streaming topics, fetching single records
//	marks.go             what was done with which dead letter
//	filter.go, where.go  choosing
//	summary.go           counting
//	event.go, fate.go    the event, and what would become of it now
//	session.go           transactions
//	act.go               the way of a batch: choose, order, judge, do
//	replay.go, edit.go, discard.go, show.go
package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Errors that a caller tells apart; they are wrapped.
var (
	// ErrUnavailable: Kafka did not answer.
	ErrUnavailable = errors.New("kafka is not available")
	// ErrMissing: a topic that is needed does not exist.
	ErrMissing = errors.New("topic does not exist")
	// ErrNotFound: no dead letter has this id.
	ErrNotFound = errors.New("no such dead letter")
	// ErrTakenOver: another command of the group began meanwhile. What this one committed is done; the rest is not.
	ErrTakenOver = errors.New("another dlq command of this group took over")
	// ErrRefused: the request cannot be done as it is; the text says why.
	ErrRefused = errors.New("refused")
)

// Claims reads claims without taking them. *redis.Claims is one.
type Claims interface {
	Lookup(ctx context.Context, organization string, refs ...redis.Ref) ([]redis.Entry, error)
}

// Plan is what the job would do with an event.
type Plan struct {
	Rejected *processor.Rejection // nil: it would be posted
	Text     string               // for people
	Value    any                  // for JSON
}

// Deps are what a desk works with.
type Deps struct {
	// Codec reads events and writes outcomes and audit entries. Required.
	Codec *schemas.Codec
	// Explain says offline what the job would do with an event, given as JSON. Required.
	Explain func(ctx context.Context, workflow string, event []byte) Plan
	// Claims says what was settled already; nil: Redis is away, and nothing is said about it.
	Claims Claims
	// Version is booksync's own, for outcomes and the audit.
	Version string
	// Now is the clock; nil: the wall's.
	Now func() time.Time
}

// Desk works on the dead letters of one group. It is not safe for concurrent use. Close it.
type Desk struct {
	Deps
	cfg   *config.Config
	opts  []kgo.Opt // of every client
	cl    *kgo.Client
	adm   *kadm.Client
	admin *kafka.Admin
	trail *audit.Trail
	// What was found out of topics that are written to.
	sources  map[string]topicInfo
	outcomes int // partitions
	// step, of tests, is called between the steps of a transaction; an error from it ends the command as a crash would.
	step func(step string) error
}

// requestTimeout is how long a broker may not answer before Kafka counts as away.
const requestTimeout = 10 * time.Second

// New makes a desk. It touches no network.
func New(cfg *config.Config, deps Deps) (*Desk, error) {
	kc, err := cfg.KafkaConfig()
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	opts, err := kc.ClientOpts()
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	opts = append(opts, kgo.RetryTimeout(requestTimeout), kgo.UnknownTopicRetries(2))
	d := &Desk{Deps: deps, cfg: cfg, opts: opts, trail: audit.New(deps.Codec, cfg.Topics.Audit, deps.Version)}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.cl, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	d.adm = kadm.NewClient(d.cl)
	if d.admin, err = access.Admin(cfg); err != nil {
		d.cl.Close()
		return nil, err
	}
	return d, nil
}

// Close ends the connections.
func (d *Desk) Close() {
	d.admin.Close()
	d.cl.Close()
}

// Topics are the dead-letter topics of the configuration, in the order of their sources: orders, payments, refunds.
func (d *Desk) Topics() []string {
	var out []string
	for _, source := range d.cfg.Topics.Sources() {
		out = append(out, d.cfg.Topics.DeadLetter(source))
	}
	return out
}

// topicInfo is what is needed to know of a topic that exists.
type topicInfo struct {
	id         string // a topic made anew has another one; "" where brokers have no ids
	partitions int
}

// existing answers those of topics that exist.
func (d *Desk) existing(ctx context.Context, topics ...string) (map[string]topicInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	listed, err := d.adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, unavailable("listing topics", err)
	}
	found := make(map[string]topicInfo)
	for _, t := range listed {
		switch {
		case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
		case t.Err != nil:
			return nil, fmt.Errorf("looking at topic %s: %w", t.Topic, t.Err)
		case slices.Contains(topics, t.Topic):
			info := topicInfo{partitions: len(t.Partitions)}
			if t.ID != (kadm.TopicID{}) {
				info.id = t.ID.String()
			}
			found[t.Topic] = info
		}
	}
	return found, nil
}

// unavailable wraps a broker's silence; what the caller's own context ended stays what it is.
func unavailable(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
