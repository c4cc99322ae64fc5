package reconcile

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// Encoder writes reconciliations.
type Encoder interface {
	EncodeReconciliation(ctx context.Context, topic string, v *schemas.Reconciliation) ([]byte, error)
}

// Publish writes the result to the reconciliation topic, keyed by the organisation, and blocks until all replicas have it.
func (r *Result) Publish(ctx context.Context, enc Encoder, client *kgo.Client, topic string) error {
	value, err := enc.EncodeReconciliation(ctx, topic, r.Record())
	if err != nil {
		return fmt.Errorf("encoding the reconciliation: %w", err)
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(r.Organization), Value: value}).FirstErr(); err != nil {
		return fmt.Errorf("publishing the reconciliation: %w", err)
	}
	return nil
}
