package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// DefaultMaxBytes is the largest value decoded unless told otherwise: the default of Kafka's message.max.bytes, but for
// the 12 bytes of a batch's overhead.
const DefaultMaxBytes = 1 << 20

// Codec decodes values of all formats and encodes in one: Confluent framing with a registry, else single-object
// encoding. It is safe for concurrent use. Without a registry no call blocks; with one, calls block while a schema not
// yet known is fetched.
type Codec struct {
	maxBytes int
	single   map[uint64]*writer // by fingerprint
	registry *registry          // or nil
}

// Option changes a Codec.
type Option func(*settings)

type settings struct {
	maxBytes int
	schemas  []string
	registry *RegistryConfig
}

// WithRegistry lets the codec fetch writers' schemas, and encode with Confluent framing.
func WithRegistry(cfg RegistryConfig) Option { return func(s *settings) { s.registry = &cfg } }

// WithMaxBytes sets the largest value that is decoded (default [DefaultMaxBytes]). Larger ones are poison.decode. Set
// it to the topics' max.message.bytes if that was raised.
func WithMaxBytes(n int) Option { return func(s *settings) { s.maxBytes = n } }

// WithWriterSchemas makes further schemas known for single-object encoding: those of producers without a registry that
// use an own version. The newest of ours and the older ones kept here are always known. Fingerprints leave out logical
// types, so a schema that differs from a known one in nothing but a decimal's scale is refused.
func WithWriterSchemas(texts ...string) Option {
	return func(s *settings) { s.schemas = append(s.schemas, texts...) }
}

// NewCodec returns a codec. It makes no calls. Close it when it has a registry.
func NewCodec(opts ...Option) (*Codec, error) {
	s := settings{maxBytes: DefaultMaxBytes, schemas: pastSchemas()}
	for _, opt := range opts {
		opt(&s)
	}
	if s.maxBytes <= 0 {
		return nil, fmt.Errorf("the largest value to decode must be positive, not %d", s.maxBytes)
	}
	c := &Codec{maxBytes: s.maxBytes, single: make(map[uint64]*writer)}
	for _, kind := range Kinds() {
		w := ownOf(kind).writer
		c.single[w.fingerprint] = w
	}
	for _, text := range s.schemas {
		w, err := newWriter(text)
		if err != nil {
			return nil, fmt.Errorf("reading a writer's schema: %w", err)
		}
		if known, ok := c.single[w.fingerprint]; !ok {
			c.single[w.fingerprint] = w
		} else if !known.root.sameLogic(w.root) {
			return nil, fmt.Errorf("reading a writer's schema: %s has the fingerprint %s of another schema with other logical types, "+
				"which fingerprints leave out: its records could not be told from the other's; rename a record or a field of it", w.root.full, w.name)
		}
	}
	if s.registry != nil {
		r, err := newRegistry(*s.registry)
		if err != nil {
			return nil, fmt.Errorf("preparing the schema registry: %w", err)
		}
		c.registry = r
	}
	return c, nil
}

// Close ends what the codec has under way with the registry. It does not wait.
func (c *Codec) Close() {
	if c.registry != nil {
		c.registry.close()
	}
}

// DecodeOrder decodes the value of a record of the orders topic. Errors are *Error (the record is poison), or wrap
// ErrRegistryUnavailable (it is not), or, if ctx ended, also its error. Meta says what the bytes named also when there
// is an error.
func (c *Codec) DecodeOrder(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*Order, Meta, error) {
	return decode(ctx, c, KindOrder, value, headers, readOrder)
}

// DecodePayment is DecodeOrder for payments.
func (c *Codec) DecodePayment(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*Payment, Meta, error) {
	return decode(ctx, c, KindPayment, value, headers, readPayment)
}

// DecodeRefund is DecodeOrder for refunds.
func (c *Codec) DecodeRefund(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*Refund, Meta, error) {
	return decode(ctx, c, KindRefund, value, headers, readRefund)
}

// DecodeCustomer is DecodeOrder for customers.
func (c *Codec) DecodeCustomer(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*Customer, Meta, error) {
	return decode(ctx, c, KindCustomer, value, headers, readCustomer)
}

// DecodeOutcome is DecodeOrder for outcomes.
func (c *Codec) DecodeOutcome(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*Outcome, Meta, error) {
	return decode(ctx, c, KindOutcome, value, headers, readOutcome)
}

// DecodeAudit is DecodeOrder for audit entries.
func (c *Codec) DecodeAudit(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*AuditEntry, Meta, error) {
	return decode(ctx, c, KindAudit, value, headers, readAudit)
}

// DecodeReconciliation is DecodeOrder for reconciliations.
func (c *Codec) DecodeReconciliation(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*Reconciliation, Meta, error) {
	return decode(ctx, c, KindReconciliation, value, headers, readReconciliation)
}

func decode[T any](ctx context.Context, c *Codec, kind Kind, value []byte, headers []kgo.RecordHeader, read func(*row) *T) (*T, Meta, error) {
	if len(value) > c.maxBytes {
		return nil, Meta{}, bad("the value has %d bytes, at most %d are decoded", len(value), c.maxBytes)
	}
	ref, payload, refused := frame(value, headers)
	if refused != nil {
		return nil, ref.meta(), refused
	}
	meta := ref.meta()
	w, err := c.writer(ctx, ref)
	if err != nil {
		return nil, meta, about(err, ref)
	}
	meta.Fingerprint = w.name
	v, refused := decodeRecord(kind, w, payload, read)
	if refused != nil {
		return nil, meta, about(refused, ref)
	}
	return v, meta, nil
}

// decodeRecord decodes a record of a known schema.
func decodeRecord[T any](kind Kind, w *writer, payload []byte, read func(*row) *T) (v *T, refused *Error) {
	record, refused := w.plan(kind)
	if refused != nil {
		return nil, refused
	}
	refused = values(w.root, payload, func(f fields) *Error {
		v, refused = readRow(row{values: f, record: record}, read)
		return refused
	})
	return v, refused
}

// readRow maps a record's values.
func readRow[T any](r row, read func(*row) *T) (*T, *Error) {
	d := reader{path: make([]step, 0, maxPath)}
	r.d = &d
	v := read(&r)
	if d.err != nil {
		return nil, d.err
	}
	return v, nil
}

// maxPath is how deep our schemas go.
const maxPath = 8

// writer finds the schema the bytes named.
func (c *Codec) writer(ctx context.Context, ref reference) (*writer, error) {
	if ref.format == FormatSingleObject {
		if w, ok := c.single[ref.fingerprint]; ok {
			return w, nil
		}
		return nil, &Error{Class: ClassSchema, Reason: "unknown schema fingerprint " + formatFingerprint(ref.fingerprint)}
	}
	if c.registry == nil {
		return nil, &Error{Class: ClassSchema, Reason: "the value names a schema of a registry and none is configured"}
	}
	return c.registry.writer(ctx, ref)
}

// about names the schema's id in an error. The error may be shared, so it is copied.
func about(err error, ref reference) error {
	var e *Error
	if ref.id == 0 || !errors.As(err, &e) {
		return err
	}
	named := *e
	named.SchemaID = ref.id
	return &named
}

// EncodeOrder encodes an order for the topic. Nothing is rounded: a decimal that does not fit the schema, an instant out
// of range (they are cut to milliseconds), an empty id, an unknown kind or invalid UTF-8 is an *Error of class encode
// that names the field. With a registry the first call for a topic asks it for the schema's id; the error then wraps
// ErrRegistryUnavailable or ErrNotRegistered.
func (c *Codec) EncodeOrder(ctx context.Context, topic string, v *Order) ([]byte, error) {
	return encode(ctx, c, topic, KindOrder, v, (*encoder).order)
}

// EncodePayment is EncodeOrder for payments.
func (c *Codec) EncodePayment(ctx context.Context, topic string, v *Payment) ([]byte, error) {
	return encode(ctx, c, topic, KindPayment, v, (*encoder).payment)
}

// EncodeRefund is EncodeOrder for refunds.
func (c *Codec) EncodeRefund(ctx context.Context, topic string, v *Refund) ([]byte, error) {
	return encode(ctx, c, topic, KindRefund, v, (*encoder).refund)
}

// EncodeCustomer is EncodeOrder for customers.
func (c *Codec) EncodeCustomer(ctx context.Context, topic string, v *Customer) ([]byte, error) {
	return encode(ctx, c, topic, KindCustomer, v, (*encoder).customer)
}

// EncodeOutcome is EncodeOrder for outcomes. A timestamp of the source that cannot be becomes null, and a reason or
// message that is not UTF-8 is mended: they come from elsewhere, and the outcome must be told.
func (c *Codec) EncodeOutcome(ctx context.Context, topic string, v *Outcome) ([]byte, error) {
	return encode(ctx, c, topic, KindOutcome, v, (*encoder).outcome)
}

// EncodeAudit is EncodeOrder for audit entries.
func (c *Codec) EncodeAudit(ctx context.Context, topic string, v *AuditEntry) ([]byte, error) {
	return encode(ctx, c, topic, KindAudit, v, (*encoder).audit)
}

// EncodeReconciliation is EncodeOrder for reconciliations.
func (c *Codec) EncodeReconciliation(ctx context.Context, topic string, v *Reconciliation) ([]byte, error) {
	return encode(ctx, c, topic, KindReconciliation, v, (*encoder).reconciliation)
}

func encode[T any](ctx context.Context, c *Codec, topic string, kind Kind, v *T, write func(*encoder, *T) map[string]any) ([]byte, error) {
	o := ownOf(kind)
	e := borrowEncoder(o)
	defer e.giveBack()
	native, refused := toNative(e, v, write)
	if refused != nil {
		return nil, refused
	}
	buf := make([]byte, 0, 1024)
	if c.registry == nil {
		buf = append(buf, singleObjectMagic[:]...)
		buf = binary.LittleEndian.AppendUint64(buf, o.writer.fingerprint)
	} else {
		id, err := c.registry.subjectID(ctx, topicSubject(topic), kind)
		if err != nil {
			return nil, err
		}
		buf = append(buf, magicID)
		buf = binary.BigEndian.AppendUint32(buf, uint32(id)) //nolint:gosec // ids were checked when they came
	}
	return binaryFrom(o.codec, buf, native)
}

// toNative is valid until the encoder is given back.
func toNative[T any](e *encoder, v *T, write func(*encoder, *T) map[string]any) (map[string]any, *Error) {
	if v == nil {
		return nil, &Error{Class: ClassEncode, Reason: "the " + string(e.own.kind) + " is nil"}
	}
	native := write(e, v)
	if e.err != nil {
		return nil, e.err
	}
	return native, nil
}

// binaryFrom is goavro's encoding behind a recover: it panics on some values it does not expect.
func binaryFrom(codec *goavro.Codec, buf []byte, native any) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, &Error{Class: ClassEncode, Reason: "encoding", Err: fmt.Errorf("goavro panicked: %v", r)}
		}
	}()
	out, err = codec.BinaryFromNative(buf, native)
	if err != nil {
		return nil, &Error{Class: ClassEncode, Reason: "encoding", Err: err}
	}
	return out, nil
}
