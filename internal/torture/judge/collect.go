package judge

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// Collector reads the evidence that lies in Kafka: outcomes and commits while the run goes on, the rest when it is over.
type Collector struct {
	Connect topics.Connect
	Topics  config.Topics
	Group   string
	Codec   *schemas.Codec
	// Note, if set, is told of every outcome that was seen, and of what cannot be read.
	Note func(format string, args ...any)

	mu       sync.Mutex
	outcomes map[tale.Place][]Outcome
	commits  []Commit
	last     map[Partition]Commit
	cancel   context.CancelFunc
	done     sync.WaitGroup
	admin    *kadm.Client
}

// Start begins to read the outcomes as they become visible to a read_committed reader. Stop ends it.
func (c *Collector) Start() error {
	cl, err := c.Connect(kgo.ConsumeTopics(c.Topics.Outcomes), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second))
	if err != nil {
		return fmt.Errorf("building the reader of outcomes: %w", err)
	}
	adm, err := c.Connect()
	if err != nil {
		cl.Close()
		return fmt.Errorf("building the reader of commits: %w", err)
	}
	c.outcomes, c.last, c.admin = map[tale.Place][]Outcome{}, map[Partition]Commit{}, kadm.NewClient(adm)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.done.Go(func() {
		defer cl.Close()
		for ctx.Err() == nil {
			for _, r := range cl.PollFetches(ctx).Records() {
				c.take(r)
			}
		}
	})
	return nil
}

// Stop ends the reading.
func (c *Collector) Stop() {
	c.cancel()
	c.done.Wait()
	c.admin.Close()
}

func (c *Collector) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(format, args...)
	}
}

func (c *Collector) take(r *kgo.Record) {
	out, _, err := c.Codec.DecodeOutcome(context.Background(), r.Value, r.Headers)
	if err != nil {
		c.note("an outcome cannot be decoded: %v", err)
		return
	}
	at := tale.Place{Topic: out.Source.Topic, Partition: out.Source.Partition, Offset: out.Source.Offset}
	c.note("outcome of %s: %s %s %s %s", at, out.Workflow, out.BusinessID, out.Status, message(out))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[at] = append(c.outcomes[at], Outcome{out, r.Timestamp, time.Now()})
}

// Settled says whether a record's outcome was seen.
func (c *Collector) Settled(at tale.Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.outcomes[at]) > 0
}

// Outcome is a record's first one, and whether it was seen.
func (c *Collector) Outcome(at tale.Place) (Outcome, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if outs := c.outcomes[at]; len(outs) > 0 {
		return outs[0], true
	}
	return Outcome{}, false
}

// Look takes note of what the group has committed now. It reads what is committed, not what a transaction under way may commit.
func (c *Collector) Look(ctx context.Context) error {
	got, err := c.admin.FetchOffsets(ctx, c.Group)
	if err != nil {
		return fmt.Errorf("reading the group's commits: %w", err)
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	got.Each(func(o kadm.OffsetResponse) {
		if o.Err != nil || o.At < 0 {
			return
		}
		commit := Commit{Partition{o.Topic, o.Partition}, o.At, o.Metadata, now}
		if last, ok := c.last[commit.Partition]; ok && last.Position == commit.Position && last.Metadata == commit.Metadata {
			return
		}
		c.last[commit.Partition] = commit
		c.commits = append(c.commits, commit)
	})
	return nil
}

// Evidence is what lies in Kafka: outcomes and commits that were seen, dead letters, the last commits and the ends. The
// caller adds the tale and the books. It reads the topics up to their present ends.
func (c *Collector) Evidence(ctx context.Context) (*Evidence, error) {
	if err := c.Look(ctx); err != nil {
		return nil, err
	}
	e := &Evidence{Group: c.Group, DeadLetters: map[tale.Place][]DeadLetter{}, Committed: map[Partition]int64{}, Ends: map[Partition]int64{}}
	c.mu.Lock()
	e.Outcomes, e.Commits = maps.Clone(c.outcomes), append([]Commit{}, c.commits...)
	for p, last := range c.last {
		e.Committed[p] = last.Position
	}
	c.mu.Unlock()
	ends, err := c.admin.ListEndOffsets(ctx, c.Topics.Sources()...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the topics' ends: %w", err)
	}
	ends.Each(func(o kadm.ListedOffset) { e.Ends[Partition{o.Topic, o.Partition}] = o.Offset })
	for _, source := range c.Topics.Sources() {
		records, err := topics.All(ctx, c.Connect, c.Topics.DeadLetter(source))
		if err != nil {
			return nil, fmt.Errorf("reading dead letters: %w", err)
		}
		for _, r := range records {
			at, letter := deadLetter(source, r)
			e.DeadLetters[at] = append(e.DeadLetters[at], letter)
		}
	}
	return e, nil
}

func deadLetter(source string, r *kgo.Record) (tale.Place, DeadLetter) {
	at, d := tale.Place{Topic: source, Offset: -1}, DeadLetter{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		switch h.Key {
		case "dlq.source.partition":
			if n, err := strconv.ParseInt(string(h.Value), 10, 32); err == nil {
				at.Partition = int32(n)
			}
		case "dlq.source.offset":
			if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				at.Offset = n
			}
		case "dlq.class":
			d.Class = string(h.Value)
		case "dlq.failed-at":
			d.FailedAt = string(h.Value)
		}
	}
	return at, d
}
