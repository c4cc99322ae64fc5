package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reports is what the replicas of one consumer group tell of themselves, for whoever asks how they are. It is safe for concurrent use.
type Reports struct {
	c   *Client
	key string
}

// Report is one replica's.
type Report struct {
	Replica string
	// Age is how long ago it was given, by Redis's clock.
	Age time.Duration
	// Text is the replica's own.
	Text []byte
}

// forgetReports is after how long a replica's silence its last report is removed: long enough to see that it has died.
const forgetReports = time.Hour

// NewReports gives the reports of a consumer group.
func NewReports(c *Client, group string) *Reports {
	return &Reports{c: c, key: "booksync:replicas:" + group}
}

// Put replaces the replica's report.
func (r *Reports) Put(ctx context.Context, replica string, text []byte) error {
	if _, err := r.c.run(ctx, reportScript, []string{r.key}, replica, text, millis(forgetReports)); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	return nil
}

// Remove takes the replica's report back: it has stopped.
func (r *Reports) Remove(ctx context.Context, replica string) error { return r.Put(ctx, replica, nil) }

// All answers the reports by replica, old ones included.
func (r *Reports) All(ctx context.Context) ([]Report, error) {
	pipe := r.c.rdb.Pipeline()
	clock := pipe.Time(ctx)
	raw := pipe.HGetAll(ctx, r.key)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("reading the replicas' reports: %w", err)
	}
	out := make([]Report, 0, len(raw.Val()))
	for replica, value := range raw.Val() {
		at, text, _ := strings.Cut(value, " ")
		out = append(out, Report{Replica: replica, Age: max(clock.Val().Sub(timeOf(at)), 0), Text: []byte(text)})
	}
	slices.SortFunc(out, func(a, b Report) int { return strings.Compare(a.Replica, b.Replica) })
	return out, nil
}
