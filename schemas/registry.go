package schemas

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// RegistryConfig says how to reach a schema registry that speaks Confluent's protocol.
type RegistryConfig struct {
	URLs     []string      // tried in turn when one cannot be reached; required
	Username string        // HTTP basic authentication; default none
	Password string        // default none
	TLS      *tls.Config   // for https; default the system's roots
	Timeout  time.Duration // of one look-up; default 10 s
	// NotFoundFor is how long an id the registry does not know is remembered before it is asked again; default 30 s.
	NotFoundFor time.Duration
}

// WithDefaults returns the config with defaults in place of zero values.
func (c RegistryConfig) WithDefaults() RegistryConfig {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.NotFoundFor <= 0 {
		c.NotFoundFor = 30 * time.Second
	}
	return c
}

// Validate reports what is missing.
func (c RegistryConfig) Validate() error {
	if len(c.URLs) == 0 {
		return errors.New("a schema registry needs at least one URL")
	}
	return nil
}

// registry fetches schemas and remembers them; ids are never given twice, so what was found is kept for ever.
type registry struct {
	client  *sr.Client
	http    *http.Client
	writers *cache[schemaKey, *writer]
	ids     *cache[subjectKey, int]
}

// schemaKey is an id, or a GUID where the id is 0.
type schemaKey struct {
	id   int
	guid [16]byte
}

type subjectKey struct {
	subject string
	kind    Kind
}

func newRegistry(cfg RegistryConfig) (*registry, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http documents the type
	if cfg.TLS != nil {
		transport.TLSClientConfig = cfg.TLS.Clone()
	}
	r := &registry{http: boundedClient(transport, cfg.Timeout)}
	opts := []sr.ClientOpt{sr.URLs(cfg.URLs...), sr.HTTPClient(r.http), sr.UserAgent("booksync"), sr.LogLevel(sr.LogLevelNone)}
	if cfg.Username != "" {
		opts = append(opts, sr.BasicAuth(cfg.Username, cfg.Password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	r.client = client
	r.writers = newCache(cfg.Timeout, r.fetchWriter, keepErrors(cfg.NotFoundFor))
	r.ids = newCache(cfg.Timeout, r.fetchID, keepErrors(cfg.NotFoundFor))
	return r, nil
}

func (r *registry) close() {
	r.writers.close()
	r.ids.close()
	r.http.CloseIdleConnections()
}

func (r *registry) writer(ctx context.Context, ref reference) (*writer, error) {
	return r.writers.get(ctx, schemaKey{id: ref.id, guid: ref.guid})
}

func (r *registry) subjectID(ctx context.Context, subject string, kind Kind) (int, error) {
	return r.ids.get(ctx, subjectKey{subject: subject, kind: kind})
}

// errNotFound marks answers that are about the schema: the registry works and does not have it.
var errNotFound = errors.New("the registry does not know it")

// keepErrors says how long an error of a look-up is an answer to the next: an outage not at all, absence shortly (it may
// be registered, or reach this registry's replica, a moment later), a schema that cannot be used for ever.
func keepErrors(notFound time.Duration) func(error) time.Duration {
	return func(err error) time.Duration {
		switch {
		case errors.Is(err, ErrRegistryUnavailable):
			return 0
		case errors.Is(err, errNotFound):
			return notFound
		default:
			return math.MaxInt64
		}
	}
}

// answer sorts the client's errors: only the registry's own "not found" is about the schema. A 404 without its code is
// another server at a wrong address; that, refused credentials, 5xx and transport errors are outages.
func answer(err error) error {
	var re *sr.ResponseError
	if errors.As(err, &re) && re.StatusCode == http.StatusNotFound {
		switch re.ErrorCode {
		case sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code, sr.ErrSchemaNotFound.Code:
			return fmt.Errorf("%w: %w", errNotFound, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrRegistryUnavailable, err)
}

func (r *registry) fetchWriter(ctx context.Context, key schemaKey) (*writer, error) {
	var (
		schema sr.Schema
		err    error
	)
	if key.id != 0 {
		schema, err = r.client.SchemaByID(ctx, key.id)
	} else {
		var found sr.SubjectSchema
		found, err = r.client.SchemaByGUID(ctx, formatGUID(key.guid))
		schema = found.Schema
	}
	if err != nil {
		return nil, r.refused(answer(err), "unknown to the schema registry")
	}
	if schema.Type != sr.TypeAvro {
		return nil, &Error{Class: ClassSchema, Reason: "the schema is not Avro but " + schema.Type.String()}
	}
	references, err := r.references(ctx, schema.References)
	if err != nil {
		return nil, err
	}
	return newWriter(schema.Schema, references...)
}

// refused makes poison of absence; outages stay as they are.
func (r *registry) refused(err error, reason string) error {
	if errors.Is(err, errNotFound) {
		return &Error{Class: ClassSchema, Reason: reason, Err: err}
	}
	return err
}

// maxReferences bounds the schemas one schema may refer to, directly or not.
const maxReferences = 32

// references fetches what a schema refers to, in dependency order.
func (r *registry) references(ctx context.Context, refs []sr.SchemaReference) ([]string, error) {
	var texts []string
	seen := make(map[sr.SchemaReference]bool)
	var visit func([]sr.SchemaReference) error
	visit = func(refs []sr.SchemaReference) error {
		for _, ref := range refs {
			ref.Name = ""
			if seen[ref] {
				continue
			}
			seen[ref] = true
			if len(seen) > maxReferences {
				return &Error{Class: ClassSchema, Reason: fmt.Sprintf("the schema refers to more than %d others", maxReferences)}
			}
			found, err := r.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
			if err != nil {
				return r.refused(answer(err), fmt.Sprintf("refers to %s version %d, unknown to the schema registry", quote(ref.Subject), ref.Version))
			}
			if err := visit(found.References); err != nil {
				return err
			}
			texts = append(texts, found.Schema.Schema)
		}
		return nil
	}
	return texts, visit(refs)
}

// registered is the form a schema of ours is registered in and looked up by.
func registered(kind Kind) sr.Schema {
	var text bytes.Buffer
	if err := json.Compact(&text, []byte(Schema(kind))); err != nil {
		panic(fmt.Sprintf("schemas: %s.avsc: %v", kind, err)) // caught by any test
	}
	return sr.Schema{Schema: text.String(), Type: sr.TypeAvro}
}

func (r *registry) fetchID(ctx context.Context, key subjectKey) (int, error) {
	found, err := r.client.LookupSchema(ctx, key.subject, registered(key.kind))
	if err != nil {
		err = answer(err)
		if errors.Is(err, errNotFound) {
			return 0, fmt.Errorf("finding the %s schema under %s: %w: %w", key.kind, key.subject, ErrNotRegistered, err)
		}
		return 0, fmt.Errorf("finding the %s schema under %s: %w", key.kind, key.subject, err)
	}
	if found.ID <= 0 || found.ID > math.MaxInt32 {
		return 0, fmt.Errorf("finding the %s schema under %s: %w: it answered with id %d", key.kind, key.subject, ErrRegistryUnavailable, found.ID)
	}
	return found.ID, nil
}

// Register makes the kind's newest schema known as that of the topic's values and returns its id. It blocks for up to
// four requests; registering what is registered changes nothing. The newest schema already there is compared first, by
// us and whatever compatibility the registry is set to: if its records could not be read with ours, nothing is
// registered and the error wraps ErrIncompatible.
func (c *Codec) Register(ctx context.Context, topic string, kind Kind) (int, error) {
	if c.registry == nil {
		return 0, errors.New("registering a schema: no schema registry is configured")
	}
	if !kind.known() {
		return 0, fmt.Errorf("registering a schema: unknown kind %q", kind)
	}
	id, err := c.registry.register(ctx, topicSubject(topic), kind)
	if err != nil {
		return 0, fmt.Errorf("registering the %s schema for %s: %w", kind, topic, err)
	}
	return id, nil
}

func (r *registry) register(ctx context.Context, subject string, kind Kind) (int, error) {
	latest, err := r.client.SchemaByVersion(ctx, subject, -1)
	if err != nil {
		if err := answer(err); !errors.Is(err, errNotFound) {
			return 0, err
		}
	} else if err := r.compatible(ctx, latest.Schema, kind); err != nil {
		return 0, err
	}
	id, err := r.client.RegisterSchema(ctx, subject, registered(kind), -1, -1)
	if err != nil {
		var re *sr.ResponseError
		if errors.As(err, &re) && re.StatusCode == http.StatusConflict {
			return 0, fmt.Errorf("%w: %w", ErrIncompatible, err)
		}
		return 0, answer(err)
	}
	r.ids.forget(subjectKey{subject: subject, kind: kind})
	return id, nil
}

// compatible checks that records of the schema can be read with ours (BACKWARD).
func (r *registry) compatible(ctx context.Context, latest sr.Schema, kind Kind) error {
	if latest.Type != sr.TypeAvro {
		return fmt.Errorf("%w: it is not Avro but %s", ErrIncompatible, latest.Type)
	}
	references, err := r.references(ctx, latest.References)
	if err != nil {
		return err
	}
	w, err := newWriter(latest.Schema, references...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	}
	if err := avro.CheckCompatibility(w.schema, ownOf(kind).writer.schema); err != nil {
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	}
	return nil
}
