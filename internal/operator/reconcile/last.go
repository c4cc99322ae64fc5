package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/booksync/booksync/connectors/redis"
)

// What the replicas share of an organisation's last reconciliation stands in Redis; the topic has all of them.
const (
	cacheFacts = "facts"
	factLast   = "reconciled"
	keepLast   = 400 * 24 * time.Hour
)

// Last is an organisation's last reconciliation.
type Last struct {
	At         time.Time `json:"at"`  // when it began
	Due        time.Time `json:"due"` // the time of the schedule that it was for; zero: none
	Window     Window    `json:"window"`
	Exceptions int       `json:"exceptions"`
}

// Remember keeps a result as the last one, unless Redis has a later one.
func Remember(ctx context.Context, client *redis.Client, r *Result) error {
	return RememberDue(ctx, client, r, time.Time{})
}

// RememberDue is Remember for a run that a schedule asked for.
func RememberDue(ctx context.Context, client *redis.Client, r *Result, due time.Time) error {
	before, err := LastOf(ctx, client, r.Organization)
	if err != nil {
		return err
	}
	last := Last{At: r.StartedAt, Due: due, Window: r.Window, Exceptions: len(r.Exceptions) + r.LeftOut}
	if before != nil {
		if before.Due.After(last.Due) {
			last.Due = before.Due
		}
		if before.At.After(last.At) {
			last.At = before.At
		}
	}
	text, err := json.Marshal(last)
	if err != nil {
		return fmt.Errorf("keeping the last reconciliation: %w", err)
	}
	if err := client.CacheSet(ctx, r.Organization, cacheFacts, factLast, text, keepLast); err != nil {
		return fmt.Errorf("keeping the last reconciliation: %w", err)
	}
	return nil
}

// LastOf reads it; nil when Redis knows of none.
func LastOf(ctx context.Context, client *redis.Client, organization string) (*Last, error) {
	text, there, err := client.CacheGet(ctx, organization, cacheFacts, factLast)
	if err != nil || !there {
		return nil, err
	}
	var last Last
	if err := json.Unmarshal(text, &last); err != nil {
		return nil, nil //nolint:nilerr // what cannot be read is as good as lost: the next run writes it anew
	}
	return &last, nil
}
