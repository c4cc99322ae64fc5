package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// inFlight is how many records the minimal loop works on at a time.
const inFlight = 64

// lingerAhead is how long records that nobody waits for wait for others to go with.
const lingerAhead = 5 * time.Millisecond

// singleObjectHeader is how many bytes stand before the Avro record: two of magic, eight of fingerprint.
const singleObjectHeader = 10

// minimalLoop is the least that an at-least-once processor does with a record: goavro decodes it, SET NX claims it, one
// POST delivers it, one record tells of it; positions are committed behind what is done. A record is in flight until what
// tells of it is acknowledged or, ahead, until that is handed to the client, however many are not acknowledged yet. It
// returns the time from the first POST to the last acknowledged record of n.
func (w *world) minimalLoop(t testing.TB, books *fastBooks, n int, ahead bool) time.Duration {
	t.Helper()
	codec, err := goavro.NewCodec(schemas.Schema(schemas.KindOrder))
	if err != nil {
		t.Fatalf("building goavro's codec: %v", err)
	}
	name := testkit.Name(t, "loop")
	l := &loop{
		t: t, w: w, name: name, ahead: ahead, codec: codec, left: n, done: make(chan struct{}), open: map[int32]*openOffsets{},
		rdb: redis.NewClient(&redis.Options{
			Addr: w.Redis, PoolSize: inFlight, DisableIdentity: true,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}},
		cl: testkit.Client(t, w.Brokers, kgo.ConsumerGroup(name), kgo.ConsumeTopics(w.cfg.Topics.Orders...),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.ProducerLinger(lingerAhead)),
	}
	defer l.http.CloseIdleConnections()
	defer l.rdb.Close()
	defer l.cl.Close()
	return l.run(books)
}

type loop struct {
	t     testing.TB
	w     *world
	name  string
	ahead bool
	cl    *kgo.Client
	rdb   *redis.Client
	http  *http.Client
	codec *goavro.Codec

	mu   sync.Mutex
	left int
	open map[int32]*openOffsets
	done chan struct{}
	once sync.Once
}

// openOffsets are a partition's: everything below next is done.
type openOffsets struct {
	next  int64
	after map[int64]struct{}
}

func (l *loop) run(books *fastBooks) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	records := make(chan *kgo.Record, 4*inFlight)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	for range inFlight {
		workers.Go(func() {
			for r := range records {
				l.handle(ctx, r)
			}
		})
	}
	workers.Go(func() { l.commit(ctx) })
	workers.Go(func() {
		defer close(records)
		for {
			fetches := l.cl.PollFetches(ctx)
			if ctx.Err() != nil {
				return
			}
			if err := fetches.Err(); err != nil {
				l.fail("polling: %v", err)
			}
			for it := fetches.RecordIter(); !it.Done(); {
				select {
				case records <- it.Next():
				case <-ctx.Done():
					return
				}
			}
		}
	})
	<-l.done
	return time.Since(time.Unix(0, books.first.Load()))
}

func (l *loop) handle(ctx context.Context, r *kgo.Record) {
	native, _, err := l.codec.NativeFromBinary(r.Value[singleObjectHeader:])
	if err != nil {
		l.fail("decoding: %v", err)
		return
	}
	order := native.(map[string]any)
	id := order["order_id"].(string)
	if _, err := l.rdb.SetNX(ctx, l.name+":"+id, "1", time.Hour).Result(); err != nil {
		l.fail("claiming: %v", err)
		return
	}
	lines := order["lines"].([]any)
	body := map[string]any{"reference_number": id, "line_items": make([]map[string]any, len(lines))}
	for i, line := range lines {
		from := line.(map[string]any)
		body["line_items"].([]map[string]any)[i] = map[string]any{"name": from["name"], "line_id": from["line_id"]}
	}
	text, err := json.Marshal(body)
	if err != nil {
		l.fail("encoding: %v", err)
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.w.URL+"/books/v3/invoices?organization_id="+zohoID, bytes.NewReader(text))
	if err != nil {
		l.fail("building the request: %v", err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.http.Do(req)
	if err != nil {
		l.fail("posting: %v", err)
		return
	}
	answer, err := io.ReadAll(resp.Body)
	if _ = resp.Body.Close(); err != nil || resp.StatusCode != http.StatusCreated {
		l.fail("posting: %d, %v", resp.StatusCode, err)
		return
	}
	value := append([]byte("posted "), answer[len(`{"code":0,"message":`):100]...)
	told := func(_ *kgo.Record, err error) {
		if err != nil && ctx.Err() == nil {
			l.fail("producing: %v", err)
		}
		l.finished(r)
	}
	outcome := &kgo.Record{Topic: l.w.cfg.Topics.Outcomes, Key: r.Key, Value: value}
	if l.ahead {
		l.cl.Produce(ctx, outcome, told)
		return
	}
	told(l.cl.ProduceSync(ctx, outcome).First()) // it does not linger
}

// fail notes the first error; the measurement is over.
func (l *loop) fail(format string, args ...any) {
	l.once.Do(func() {
		l.t.Errorf(format, args...)
		close(l.done)
	})
}

func (l *loop) finished(r *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.open[r.Partition]
	if o == nil {
		o = &openOffsets{after: map[int64]struct{}{}}
		l.open[r.Partition] = o
	}
	o.after[r.Offset] = struct{}{}
	for {
		if _, ok := o.after[o.next]; !ok {
			break
		}
		delete(o.after, o.next)
		o.next++
	}
	if l.left--; l.left == 0 {
		l.once.Do(func() { close(l.done) })
	}
}

// commit stores the positions ten times a second, as often as the service does.
func (l *loop) commit(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := map[int32]int64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		offsets := map[int32]kgo.EpochOffset{}
		l.mu.Lock()
		for p, o := range l.open {
			offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: o.next}
		}
		l.mu.Unlock()
		now := map[int32]int64{}
		for p, o := range offsets {
			now[p] = o.Offset
		}
		if len(offsets) > 0 && !maps.Equal(now, last) {
			l.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{l.w.cfg.Topics.Orders[0]: offsets}, nil)
			last = now
		}
	}
}
