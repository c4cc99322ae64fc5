package rollback

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/app"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Site is what a rollback works with, opened from the configuration. Close it.
type Site struct {
	cfg   *config.Config
	codec *schemas.Codec
	store *access.Store
	desks map[string]*desk
}

// Open connects to Redis; Kafka and Zoho Books are asked when they are needed.
func Open(ctx context.Context, cfg *config.Config, opts access.Options) (*Site, error) {
	s := &Site{cfg: cfg, desks: make(map[string]*desk)}
	var err error
	if s.codec, err = access.Codec(cfg); err != nil {
		return nil, err
	}
	if s.store, err = access.OpenStore(ctx, cfg, opts); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the connections.
func (s *Site) Close() {
	for _, d := range s.desks {
		d.books.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	s.codec.Close()
}

// Switches are the pauses of the group.
func (s *Site) Switches() *redis.Switches {
	return redis.NewSwitches(s.store.Client, s.cfg.Kafka.Group)
}

// Codec is the codec of the topics.
func (s *Site) Codec() *schemas.Codec { return s.codec }

// Books implements [Books]: an organisation's books and mapping, read the first time it is asked for (five to eight calls).
func (s *Site) Books(ctx context.Context, name string) (*zohobooks.Client, *processor.Organization, error) {
	if d := s.desks[name]; d != nil {
		return d.books, d.org, nil
	}
	cfg, ok := s.cfg.Organizations[name]
	if !ok {
		return nil, nil, fmt.Errorf("organisation %q is in the outcomes and not in the configuration: narrow the selection with --organization", name)
	}
	books, err := s.store.Books(name)
	if err != nil {
		return nil, nil, err
	}
	org, err := app.OrganizationOf(ctx, name, cfg, books)
	if err != nil {
		books.Close()
		return nil, nil, err
	}
	s.desks[name] = &desk{books: books, org: org}
	return books, org, nil
}

// Outcomes implements [Outcomes].
func (s *Site) Outcomes(ctx context.Context, each func(*schemas.Outcome) error) error {
	return s.outcomesSince(ctx, time.Time{}, each)
}

func (s *Site) outcomesSince(ctx context.Context, since time.Time, each func(*schemas.Outcome) error) error {
	spans, err := topics.Between(ctx, topics.To(s.cfg), since, s.cfg.Topics.Outcomes)
	if err != nil {
		return err
	}
	return topics.Read(ctx, topics.To(s.cfg), spans, func(r *kgo.Record) error {
		out, _, err := s.codec.DecodeOutcome(ctx, r.Value, r.Headers)
		if err != nil {
			return fmt.Errorf("reading the outcome at %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		return each(out)
	}, nil)
}

// Records implements [ReadRecords]. It reads each partition from the first to the last of its places.
func (s *Site) Records(ctx context.Context, places map[schemas.Source]bool, each func(*kgo.Record) error) error {
	if len(places) == 0 {
		return nil
	}
	spans := topics.Spans{}
	for at := range places {
		if spans[at.Topic] == nil {
			spans[at.Topic] = map[int32]topics.Range{}
		}
		r, ok := spans[at.Topic][at.Partition]
		if !ok {
			r = topics.Range{From: at.Offset, To: at.Offset + 1}
		}
		spans[at.Topic][at.Partition] = topics.Range{From: min(r.From, at.Offset), To: max(r.To, at.Offset+1)}
	}
	there, err := topics.Between(ctx, topics.To(s.cfg), time.Time{}, slices.Collect(maps.Keys(spans))...)
	if err != nil {
		return err
	}
	for topic, parts := range spans {
		for p, r := range parts {
			parts[p] = topics.Range{From: max(r.From, there[topic][p].From), To: min(r.To, there[topic][p].To)}
		}
	}
	return topics.Read(ctx, topics.To(s.cfg), spans, func(r *kgo.Record) error {
		if !places[schemas.Source{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}] {
			return nil
		}
		return each(r)
	}, nil)
}

// Apply applies the plan; again, where a run was cut off. The order's workflows must be paused.
func (s *Site) Apply(ctx context.Context, plan *Plan, version string, done func(GroupResult)) error {
	claims, err := redis.NewClaims(s.store.Client, s.cfg.ClaimsConfig())
	if err != nil {
		return err
	}
	client, err := s.transactional(ctx, plan)
	if err != nil {
		return err
	}
	defer client.Close()
	pub := &Publisher{Client: client, Codec: s.codec, Topic: s.cfg.Topics.Outcomes}
	since := func(ctx context.Context, each func(*schemas.Outcome) error) error {
		return s.outcomesSince(ctx, plan.Created, each)
	}
	if err := pub.Prepare(ctx, plan, since); err != nil {
		return err
	}
	r := &Runner{
		Books: s.Books, Claims: claims, Epoch: s.epoch, Publish: pub.Publish, Version: version, Lease: s.cfg.Claims.Lease, Done: done, Stale: pub.Stale,
	}
	return r.Apply(ctx, plan)
}

// transactional is a client with the plan's transactional id. It has its producer id already: what an earlier run of the plan left open is ended, and one
// that still runs can commit nothing more, so that what is read from now on is all there will be of them.
func (s *Site) transactional(ctx context.Context, plan *Plan) (*kgo.Client, error) {
	client, err := access.Producer(s.cfg, kgo.TransactionalID(s.cfg.Kafka.Group+"-rollback-"+plan.ID), kgo.TransactionTimeout(s.cfg.Engine.TransactionTimeout))
	if err != nil {
		return nil, err
	}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("taking the producer id: %w", err)
	}
	return client, nil
}

func (s *Site) epoch(ctx context.Context, organization string) (string, error) {
	e, there, err := s.store.Client.CurrentEpoch(ctx, organization)
	switch {
	case err != nil:
		return "", err
	case !there:
		return "", fmt.Errorf("redis knows nothing of %s: start `booksync run` once, paused, so that it establishes its epoch", organization)
	}
	return e.ID, nil
}

// Redrive puts the records of what the plan took back into their topics again, with an audit entry, once. Without apply it only counts them.
func (s *Site) Redrive(ctx context.Context, plan *Plan, apply bool, entry func(records, missing int) (*kgo.Record, error)) (records, missing int, err error) {
	var client *kgo.Client
	if apply { // taking the producer id would end an apply of the plan that runs
		if client, err = s.transactional(ctx, plan); err != nil {
			return 0, 0, err
		}
		defer client.Close()
	}
	back, err := s.redriven(ctx, plan)
	if err != nil {
		return 0, 0, err
	}
	since := func(ctx context.Context, each func(*schemas.Outcome) error) error {
		return s.outcomesSince(ctx, plan.Created, each)
	}
	found, missing, err := Redriven(ctx, plan, since, s.Records)
	if err != nil || len(found) == 0 {
		return 0, missing, err
	}
	// A further apply may have taken back more since the last redrive.
	found = slices.DeleteFunc(found, func(r *kgo.Record) bool { return back[topics.Header(r, processor.HeaderReplayID)] })
	if len(found) == 0 {
		return 0, 0, ErrRedriven
	}
	if !apply {
		return len(found), missing, nil
	}
	note, err := entry(len(found), missing)
	if err != nil {
		return 0, 0, err
	}
	return len(found), missing, Redrive(ctx, client, found, note)
}

// ActionRedrive is the audit entry's action; its details name the plan.
const ActionRedrive = "rollback.redrive"

// redriven are the replay ids of the plan's records that are in their topics again. They are younger than the records themselves: retention removes these first.
func (s *Site) redriven(ctx context.Context, plan *Plan) (map[string]bool, error) {
	spans, err := topics.Between(ctx, topics.To(s.cfg), plan.Created, s.cfg.Topics.Sources()...)
	if err != nil {
		return nil, err
	}
	back := make(map[string]bool)
	err = topics.Read(ctx, topics.To(s.cfg), spans, func(r *kgo.Record) error {
		if id := topics.Header(r, processor.HeaderReplayID); strings.HasPrefix(id, replayPrefix(plan.ID)) {
			back[id] = true
		}
		return nil
	}, nil)
	return back, err
}
