// Package audit writes what operators do to the audit topic: who, when, what, why, and what became of it. Whoever reads the
// topic can tell from it alone how the books and the topics came to differ from what the events say.
package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// ErrIncomplete is an entry that does not say who or what.
var ErrIncomplete = errors.New("an audit entry needs an actor and an action")

// Trail writes entries to one topic.
type Trail struct {
	codec   *schemas.Codec
	topic   string
	version string // of booksync
	now     func() time.Time
}

// New builds a trail; version is booksync's own.
func New(codec *schemas.Codec, topic, version string) *Trail {
	return &Trail{codec: codec, topic: topic, version: version, now: time.Now}
}

// Record is the entry as a record of the audit topic, for a caller that writes it in its own transaction. An id, the time
// and the version are filled in where they are missing. The key is the organisation.
func (t *Trail) Record(ctx context.Context, e schemas.AuditEntry) (*kgo.Record, error) {
	if e.Actor == "" || e.Action == "" {
		return nil, ErrIncomplete
	}
	if e.AuditID == "" {
		e.AuditID = rand.Text()
	}
	if e.At.IsZero() {
		e.At = t.now().UTC()
	}
	if e.Version == "" {
		e.Version = t.version
	}
	value, err := t.codec.EncodeAudit(ctx, t.topic, &e)
	if err != nil {
		return nil, fmt.Errorf("encoding the audit entry: %w", err)
	}
	return &kgo.Record{Topic: t.topic, Key: []byte(e.Organization), Value: value}, nil
}

// Write publishes the entry and blocks until all replicas have it or ctx ends.
func (t *Trail) Write(ctx context.Context, client *kgo.Client, e schemas.AuditEntry) error {
	r, err := t.Record(ctx, e)
	if err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("writing the audit entry: %w", err)
	}
	return nil
}
