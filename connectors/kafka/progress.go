package kafka

import (
	"context"
	"fmt"
	"time"
)

// passedFor is how long Passed believes what it has read.
const passedFor = time.Second

// passedCache keeps the group's positions for a moment: many parked records ask at once. Who has the turn may ask the brokers;
// the others wait for it no longer than their contexts.
type passedCache struct {
	turn      chan struct{}
	at        time.Time
	positions map[string]map[int32]Position
	starts    map[string]passedStarts
}

type passedStarts struct {
	at     time.Time
	starts map[int32]int64
}

// Ends answers the log ends of a topic now, by partition: last stable offsets.
func (e *Engine) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	admin, err := e.Admin()
	if err != nil {
		return nil, err
	}
	ends, err := admin.Ends(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(ends[topic]) == 0 {
		return nil, fmt.Errorf("listing the ends of %q: %w", topic, ErrTopic)
	}
	return ends[topic], nil
}

// AllEnds answers the log ends of all consumed topics.
func (e *Engine) AllEnds(ctx context.Context) (map[string]map[int32]int64, error) {
	admin, err := e.Admin()
	if err != nil {
		return nil, err
	}
	return admin.Ends(ctx, e.cfg.Topics...)
}

// HasCommits reports whether the group ever committed.
func (e *Engine) HasCommits(ctx context.Context) (bool, error) {
	admin, err := e.Admin()
	if err != nil {
		return false, err
	}
	return admin.HasCommits(ctx)
}

// Passed reports whether the group's committed position of every partition in ends has reached them: everything below is settled, by whichever member.
// The positions are at most a second old. A partition without a commit has passed an end that is its log's start.
func (e *Engine) Passed(ctx context.Context, topic string, ends map[int32]int64) (bool, error) {
	admin, err := e.Admin()
	if err != nil {
		return false, err
	}
	c := &e.passed
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-c.turn }()
	if now := time.Now(); c.positions == nil || now.Sub(c.at) > passedFor {
		positions, err := admin.Positions(ctx)
		if err != nil {
			return false, err
		}
		c.at, c.positions = now, positions
	}
	for n, end := range ends {
		if at, ok := c.positions[topic][n]; ok && at.Offset >= end || end == 0 {
			continue
		} else if ok {
			return false, nil
		}
		starts, err := c.startsOf(ctx, admin, topic)
		if err != nil {
			return false, err
		}
		if start, ok := starts[n]; !ok || start < end {
			return false, nil
		}
	}
	return true, nil
}

func (c *passedCache) startsOf(ctx context.Context, admin *Admin, topic string) (map[int32]int64, error) {
	if s, ok := c.starts[topic]; ok && time.Since(s.at) <= passedFor {
		return s.starts, nil
	}
	now := time.Now()
	starts, err := admin.Starts(ctx, topic)
	if err != nil {
		return nil, err
	}
	if c.starts == nil {
		c.starts = make(map[string]passedStarts)
	}
	c.starts[topic] = passedStarts{at: now, starts: starts[topic]}
	return starts[topic], nil
}
