package dlq

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 2

// Records older than a week would be removed by a real broker's retention.
var (
	began = time.Now().Add(-50 * time.Hour).UTC().Truncate(time.Second)
	now   = began.Add(48 * time.Hour)
)

// world is a Kafka with the topics of one booksync, and claims.
type world struct {
	testing.TB
	cfg     *config.Config
	cluster testkit.Cluster
	codec   *schemas.Codec
	claims  fakeClaims
	// unmapped tax codes are rejected, as a mapping that lacks them does.
	unmapped map[string]bool
}

// fakeClaims are claims by role:id.
type fakeClaims map[string]redis.Entry

func (c fakeClaims) Lookup(_ context.Context, _ string, refs ...redis.Ref) ([]redis.Entry, error) {
	out := make([]redis.Entry, len(refs))
	for i, r := range refs {
		out[i] = c[r.Role+":"+r.ID]
	}
	return out, nil
}

func newWorld(t testing.TB, opts ...kfake.Opt) *world {
	t.Helper()
	w := newEmptyWorld(t, opts...)
	testkit.CreateTopics(t, w.cluster.Addrs, partitions, nil, append(w.cfg.Topics.Sources(), w.cfg.Topics.Produced()...)...)
	return w
}

// newEmptyWorld has no topics.
func newEmptyWorld(t testing.TB, opts ...kfake.Opt) *world {
	t.Helper()
	w := &world{TB: t, cluster: testkit.FakeKafka(t, opts...), claims: fakeClaims{}, unmapped: map[string]bool{}}
	id := testkit.Name(t, "dlq")
	w.cfg = config.Default()
	w.cfg.Kafka.Brokers, w.cfg.Kafka.Group = w.cluster.Addrs, id
	w.cfg.Topics.Orders, w.cfg.Topics.Payments, w.cfg.Topics.Refunds = []string{id + ".orders"}, []string{id + ".payments"}, []string{id + ".refunds"}
	w.cfg.Topics.Outcomes, w.cfg.Topics.Audit, w.cfg.Topics.Reconciliations = id+".outcomes", id+".audit", id+".reconciliations"
	w.cfg.Organizations = map[string]config.Organization{"acme": config.DefaultOrganization()}
	var err error
	if w.codec, err = schemas.NewCodec(); err != nil {
		t.Fatal(err)
	}
	return w
}

// desk is one command's.
func (w *world) desk() *Desk {
	w.Helper()
	d, err := New(w.cfg, Deps{Codec: w.codec, Explain: w.explain, Claims: w.claims, Version: "1", Now: func() time.Time { return now }})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(d.Close)
	return d
}

// explain stands for the job's checks.
func (w *world) explain(_ context.Context, workflow string, event []byte) Plan {
	if workflow != "order" {
		return Plan{}
	}
	o, err := schemas.OrderFromJSON(event)
	if err != nil {
		return Plan{Rejected: &processor.Rejection{Class: schemas.ClassDecode, Message: err.Error()}}
	}
	for _, l := range o.Lines {
		for _, tax := range l.Taxes {
			if w.unmapped[tax.Code] {
				return Plan{Rejected: &processor.Rejection{Class: "rejected.tax", Message: "tax code " + tax.Code + " is not mapped"}}
			}
		}
	}
	return Plan{Text: "posts " + o.OrderID}
}

func (w *world) source() string { return w.cfg.Topics.Orders[0] }

// order is an event.
func (w *world) order(id string, revision int) *schemas.Order {
	w.Helper()
	o, err := schemas.OrderFromJSON(fmt.Appendf(nil, `{"event_id":"e-%s-%d","occurred_at":"2026-03-01T10:00:00Z","source":"shop","organization":"acme",`+
		`"kind":"CREATED","revision":%d,"order_id":"%s","order_number":"1","currency":"EUR","prices_include_tax":false,`+
		`"customer":{"id":"C1","name":"Ann","email":"ann@example.com","billing_address":{"country":"DE"}},`+
		`"lines":[{"line_id":"1","kind":"GOODS","name":"Mug","quantity":"1","unit_price":"100","discount":"0",`+
		`"taxes":[{"code":"vat19","rate":"19","amount":"19","collected_by":"SELLER"}]}],"discounts":[],`+
		`"totals":{"net":"100","tax":"19","gross":"119"},"placed_at":"2026-03-01T10:00:00Z"}`, id, revision, revision, id))
	if err != nil {
		w.Fatal(err)
	}
	return o
}

// sample is a dead letter of an order to put into its topic.
type sample struct {
	order     string
	revision  int
	class     string
	partition int32
	offset    int64 // of its source
	replays   int
	failed    time.Duration // after began
	value     []byte        // instead of the order's
	headers   []kgo.RecordHeader
	without   []string // headers it has not
}

// put writes dead letters and answers their ids, in their order.
func (w *world) put(samples ...sample) []ID {
	w.Helper()
	records := make([]*kgo.Record, len(samples))
	for i, s := range samples {
		records[i] = w.record(s)
	}
	testkit.Produce(w, w.cluster.Addrs, records...)
	ids := make([]ID, len(records))
	for i, r := range records {
		ids[i] = idOf(r)
	}
	return ids
}

func (w *world) record(s sample) *kgo.Record {
	w.Helper()
	if s.class == "" {
		s.class = "rejected.tax"
	}
	value := s.value
	if value == nil {
		var err error
		if value, err = w.codec.EncodeOrder(w.Context(), w.source(), w.order(s.order, max(s.revision, 1))); err != nil {
			w.Fatal(err)
		}
	}
	failed := began.Add(s.failed)
	rec := &kgo.Record{Topic: w.source() + ".dlq", Partition: s.partition, Key: []byte(s.order), Value: value, Timestamp: failed}
	at, offset := strconv.Itoa(int(s.partition)), strconv.FormatInt(s.offset, 10)
	for _, h := range [][2]string{
		{"shop", "north"}, {"dlq.class", s.class}, {"dlq.retryable", "after-fix"}, {"dlq.message", "no such tax"}, {"dlq.stage", "check"}, {"dlq.workflow", "order"},
		{"dlq.organization", "acme"}, {"dlq.business-id", s.order}, {"dlq.source.topic", w.source()}, {"dlq.source.partition", at}, {"dlq.source.offset", offset},
		{"dlq.source.timestamp", failed.Format(time.RFC3339Nano)}, {"dlq.group", w.cfg.Kafka.Group}, {"dlq.attempts", "1"}, {"dlq.first-failed-at", failed.Format(time.RFC3339Nano)},
		{"dlq.failed-at", failed.Format(time.RFC3339Nano)}, {"__connect.errors.topic", w.source()}, {"__connect.errors.partition", at}, {"__connect.errors.offset", offset},
		{"__connect.errors.exception.message", "no such tax"}, {"traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"},
	} {
		if !slices.Contains(s.without, h[0]) {
			rec.Headers = append(rec.Headers, text(h[0], h[1]))
		}
	}
	if s.replays > 0 {
		rec.Headers = append(rec.Headers, count(processor.HeaderReplayCount, s.replays), text(processor.HeaderReplayID, "before"))
	}
	rec.Headers = append(rec.Headers, s.headers...)
	return rec
}

// many are n dead letters of orders O0..., each third of them a second revision's of the order before.
func (w *world) many(n int) []ID {
	w.Helper()
	samples := make([]sample, n)
	next := make(map[int32]int64)
	for i := range samples {
		order, revision := i, 1
		if i%3 == 2 {
			order, revision = i-1, 2
		}
		p := int32(order % partitions)
		samples[i] = sample{order: "O" + strconv.Itoa(order), revision: revision, partition: p, offset: next[p], failed: time.Duration(i) * time.Second}
		next[p]++
	}
	return w.put(samples...)
}

// replayed are the committed records of the source topic.
func (w *world) replayed() []*kgo.Record {
	w.Helper()
	return testkit.ReadCommitted(w, w.cluster.Addrs, w.source())
}

// eventIDs are those of records, in their order.
func (w *world) eventIDs(records []*kgo.Record) []string {
	w.Helper()
	var out []string
	for _, r := range records {
		o, _, err := w.codec.DecodeOrder(w.Context(), r.Value, r.Headers)
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, strings.TrimPrefix(o.EventID, "e-"))
	}
	return out
}

func (w *world) audits() []*schemas.AuditEntry {
	w.Helper()
	var out []*schemas.AuditEntry
	for _, r := range testkit.ReadCommitted(w, w.cluster.Addrs, w.cfg.Topics.Audit) {
		e, _, err := w.codec.DecodeAudit(w.Context(), r.Value, r.Headers)
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func request(apply bool) *Request {
	return &Request{Actor: "ann", Reason: "mapped", Selector: "--all", Apply: apply}
}

// reports collects what an action says.
func reports(into *[]Report) Watch {
	return Watch{Each: func(r *Report) error { *into = append(*into, *r); return nil }}
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
