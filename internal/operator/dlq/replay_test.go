package dlq

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

func TestReplayKeepsKeyValueAndOrderAndMarksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The second revision failed first into the topic: a replay of the first one came back later.
	ids := w.put(
		sample{order: "O1", revision: 2, partition: 1, offset: 6},
		sample{order: "O1", revision: 1, partition: 1, offset: 5, replays: 1, headers: []kgo.RecordHeader{text("dlq.http.status", "400")}},
	)
	dry, err := w.desk().Replay(t.Context(), request(false), Watch{})
	if err != nil || dry.Count() != 2 || dry.Applied || len(w.replayed()) != 0 || len(w.audits()) != 0 {
		t.Fatalf("a dry run: %+v %v, %d records, %d audits", dry, err, len(w.replayed()), len(w.audits()))
	}
	var said []Report
	res, err := w.desk().Replay(t.Context(), request(true), reports(&said))
	if err != nil || res.Done[FateRetry] != 2 || len(said) != 2 || !said[0].Done {
		t.Fatalf("%+v %v %+v", res, err, said)
	}
	back := w.replayed()
	if got := w.eventIDs(back); !slices.Equal(got, []string{"O1-1", "O1-2"}) {
		t.Fatalf("replayed %v", got)
	}
	first := back[0]
	if first.Partition != 1 || string(first.Key) != "O1" {
		t.Errorf("partition %d, key %s", first.Partition, first.Key)
	}
	got := map[string]string{}
	for _, h := range first.Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"shop": "north", "traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
		"dlq.source.topic": w.source(), "dlq.source.partition": "1", "dlq.source.offset": "5", "dlq.source.timestamp": began.Format(time.RFC3339Nano),
		"dlq.replay.id": res.Action, "dlq.replay.count": "2", "dlq.replay.of": ids[1].String(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := w.desk().Replay(t.Context(), request(true), Watch{})
	if err != nil || again.Chosen != 0 || len(w.replayed()) != 2 {
		t.Errorf("again: %+v %v", again, err)
	}
	audits := w.audits()
	if len(audits) != 1 || audits[0].Action != "replay" || audits[0].Actor != "ann" || audits[0].Reason != "mapped" || audits[0].Counts["replayed"] != 2 ||
		audits[0].Details["offsets"] != "1:0-1" || audits[0].Organization != "acme" {
		t.Errorf("audit: %+v", audits)
	}
	sum, scan, err := w.desk().List(t.Context(), &Filter{}, nil, nil)
	if err != nil || sum.Count != 0 || sum.Handled[StateReplayed] != 2 || scan.Mark(ids[0]).Actor != "ann" {
		t.Errorf("%+v %v", sum, err)
	}
}

// TestACrashAnywhereReplaysEachOnce ends a replay at every step of its transactions and runs it again.
func TestACrashAnywhereReplaysEachOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"begun", "produced", "marked", "committed"} {
		for batch := 1; batch <= 2; batch++ {
			t.Run(fmt.Sprintf("%s in transaction %d", step, batch), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				const n = 60
				w.many(n)
				req := request(true)
				req.Rate = 20 // three transactions
				n2 := 0
				dead := w.desk()
				dead.step = func(at string) error {
					if at == step {
						if n2++; n2 == batch {
							return errCrash
						}
					}
					return nil
				}
				if _, err := dead.Replay(t.Context(), req, Watch{}); !errors.Is(err, errCrash) {
					t.Fatalf("not crashed: %v", err)
				}
				committed := 20 * (batch - 1)
				if step == "committed" {
					committed += 20
				}
				res, err := w.desk().Replay(t.Context(), request(true), Watch{})
				if err != nil || res.Count() != n-committed {
					t.Fatalf("resumed with %d after %d: %v", res.Count(), committed, err)
				}
				w.eachOnce(n)
			})
		}
	}
}

// eachOnce checks that n dead letters of many were replayed once each, the revisions of an order in order.
func (w *world) eachOnce(n int) {
	w.Helper()
	ids := w.eventIDs(w.replayed())
	seen := map[string]int{}
	for i, id := range ids {
		if seen[id]++; seen[id] > 1 {
			w.Errorf("%s was replayed %d times", id, seen[id])
		}
		if order, ok := strings.CutSuffix(id, "-2"); ok && !slices.Contains(ids[:i], order+"-1") {
			w.Errorf("%s came before its first revision", id)
		}
	}
	if len(seen) != n {
		w.Errorf("%d of %d were replayed", len(seen), n)
	}
	marked := int64(0)
	for _, a := range w.audits() {
		marked += a.Counts["replayed"]
	}
	if marked != int64(n) {
		w.Errorf("the audit says %d of %d", marked, n)
	}
}

func TestASecondCommandTakesOverAndNothingIsReplayedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 60
	w.many(n)
	slow := w.desk()
	batches := 0
	slow.step = func(at string) error {
		if at != "marked" {
			return nil
		}
		if batches++; batches == 2 { // the other one begins and ends while this one has a transaction open
			if res, err := w.desk().Replay(t.Context(), request(true), Watch{}); err != nil || res.Count() != n-20 {
				t.Errorf("the other: %+v %v", res, err)
			}
		}
		return nil
	}
	req := request(true)
	req.Rate = 20
	if _, err := slow.Replay(t.Context(), req, Watch{}); !errors.Is(err, ErrTakenOver) {
		t.Errorf("the first one was told: %v", err)
	}
	w.eachOnce(n)
}

func TestWhatIsLeftOutAndWhatForceDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := func(id string) []byte {
		value, err := w.codec.EncodeOrder(t.Context(), w.source(), w.order(id, 1))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	other := w.order("O-rejected", 1)
	other.Lines[0].Taxes[0].Code = "moon"
	rejected, err := w.codec.EncodeOrder(t.Context(), w.source(), other)
	if err != nil {
		t.Fatal(err)
	}
	w.unmapped["moon"] = true
	done := w.order("O-done", 1)
	w.claims["order:O-done"] = redis.Entry{State: redis.StateDone, Settled: redis.StateDone, Coordinates: "x/0/1", Revision: 1, Fingerprint: event{order: done}.identity().Fingerprint}
	w.claims["order:O-other"] = redis.Entry{State: redis.StateDone, Settled: redis.StateDone, Coordinates: "x/0/2", Revision: 1, Fingerprint: "other"}
	w.claims["order:O-steps"] = redis.Entry{State: redis.StateRejected, Settled: redis.StateRejected, Steps: []byte(`{"done":["create"]}`)}

	// What is left of the source topic: a whole record for one of the truncated ones.
	whole := &kgo.Record{Topic: w.source(), Partition: 0, Key: []byte("O-whole"), Value: order("O-whole"), Headers: []kgo.RecordHeader{text("shop", "south")}}
	testkit.Produce(t, w.cluster.Addrs, whole)
	truncated := func(value []byte) []kgo.RecordHeader {
		return []kgo.RecordHeader{text(headerTruncated, "value of 9 bytes left out, sha256 "+hashOf(value))}
	}
	w.put(
		sample{order: "O-plain", offset: 100},
		sample{order: "O-done", offset: 101},
		sample{order: "O-other", offset: 102},
		sample{order: "O-steps", offset: 103},
		sample{order: "O-rejected", offset: 104, value: rejected},
		sample{order: "O-poison", offset: 105, class: "poison.decode", value: []byte{0, 1, 2}},
		sample{order: "O-back", offset: 106, replays: 3},
		sample{order: "O-whole", offset: whole.Offset, value: []byte{}, headers: truncated(whole.Value)},
		sample{order: "O-lost", offset: 999, value: []byte{}, headers: truncated([]byte("gone"))},
		sample{order: "O-changed", offset: whole.Offset, value: []byte{}, headers: truncated([]byte("another"))},
		sample{order: "O-foreign", offset: 107, without: []string{"dlq.source.topic", "__connect.errors.topic"}},
	)
	fates := func(force bool) map[string]string {
		var said []Report
		req := request(false)
		req.Force = force
		if _, err := w.desk().Replay(t.Context(), req, reports(&said)); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, r := range said {
			out[r.Key] = fmt.Sprintf("%s %t", r.Kind, r.Act)
		}
		return out
	}
	want := map[string]string{
		"O-plain": "retry true", "O-done": "duplicate true", "O-other": "rejected false", "O-steps": "retry true", "O-rejected": "rejected false",
		"O-poison": "poison false", "O-back": "quarantined false", "O-whole": "retry true", "O-lost": "truncated false", "O-changed": "truncated false",
		"O-foreign": "no-source false",
	}
	if diff := cmp.Diff(want, fates(false)); diff != "" {
		t.Error(diff)
	}
	for _, key := range []string{"O-other", "O-rejected", "O-poison"} {
		want[key] = strings.Replace(want[key], "false", "true", 1)
	}
	want["O-back"] = "retry true"
	if diff := cmp.Diff(want, fates(true)); diff != "" {
		t.Errorf("forced: %s", diff)
	}
	req := request(true)
	req.Filter.Keys = []string{"O-whole", "O-steps"}
	if _, err := w.desk().Replay(t.Context(), req, Watch{}); err != nil {
		t.Fatal(err)
	}
	back := w.replayed()
	if got := w.eventIDs(back); !slices.Equal(got, []string{"O-whole-1", "O-whole-1", "O-steps-1"}) {
		t.Fatalf("replayed %v", got)
	}
	if headerOf(back[1], "shop") != "south" || headerOf(back[1], headerTruncated) != "" || headerOf(back[1], "dlq.source.topic") != w.source() {
		t.Errorf("the restored one has the headers %v", back[1].Headers)
	}
}

func TestMaxTakesTheOldestAndTheNextCallTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(9)
	req := request(true)
	req.Max = 4
	res, err := w.desk().Replay(t.Context(), req, Watch{})
	if err != nil || res.Count() != 4 || res.Waiting != 5 {
		t.Fatalf("%+v %v", res, err)
	}
	req.Max = 0
	if res, err = w.desk().Replay(t.Context(), req, Watch{}); err != nil || res.Count() != 5 {
		t.Fatalf("%+v %v", res, err)
	}
	w.eachOnce(9)
}

func TestAReplayThatItsTopicRefusesIsLeftOutAndTheRestGoes(t *testing.T) {
	t.Parallel()
	w := newEmptyWorld(t)
	topics := append(w.cfg.Topics.Sources(), w.cfg.Topics.Produced()...)
	testkit.CreateTopics(t, w.cluster.Addrs, partitions, map[string]string{"max.message.bytes": "2000"}, w.source())
	testkit.CreateTopics(t, w.cluster.Addrs, partitions, nil, slices.DeleteFunc(topics, func(s string) bool { return s == w.source() })...)
	big := w.order("O-big", 1)
	big.Notes = strings.Repeat("x", 3000)
	value, err := w.codec.EncodeOrder(t.Context(), w.source(), big)
	if err != nil {
		t.Fatal(err)
	}
	w.put(sample{order: "O1"}, sample{order: "O-big", offset: 1, value: value}, sample{order: "O2", offset: 2})
	res, err := w.desk().Replay(t.Context(), request(true), Watch{})
	if err != nil || res.Done[FateRetry] != 2 || res.LeftOut[FateTooLarge] != 1 {
		t.Fatalf("%+v %v", res, err)
	}
	if got := w.eventIDs(w.replayed()); !slices.Equal(got, []string{"O1-1", "O2-1"}) {
		t.Errorf("replayed %v", got)
	}
	if sum, _, err := w.desk().List(t.Context(), &Filter{}, nil, nil); err != nil || sum.Count != 1 {
		t.Errorf("%+v %v", sum, err)
	}
}

func TestWithoutTheAuditTopicNothingIsDone(t *testing.T) {
	t.Parallel()
	w := newEmptyWorld(t)
	testkit.CreateTopics(t, w.cluster.Addrs, partitions, nil, w.source(), w.source()+".dlq")
	w.put(sample{order: "O1"})
	if _, err := w.desk().Replay(t.Context(), request(true), Watch{}); !errors.Is(err, ErrMissing) {
		t.Errorf("replay: %v", err)
	}
	sum, scan, err := w.desk().List(t.Context(), &Filter{}, nil, nil)
	if err != nil || sum.Count != 1 || !scan.NoAudit || len(scan.Missing) != 2 {
		t.Errorf("%+v %+v %v", sum, scan, err)
	}
}

func TestMarksOfATopicMadeAnewAreNotItsOwn(t *testing.T) {
	t.Parallel()
	topics := map[string]topicInfo{"o.dlq": {id: "new"}}
	m := make(marks)
	for i, id := range []string{"old", "new"} {
		rec := &kgo.Record{Headers: []kgo.RecordHeader{
			text(markState, "replayed"), text(markTopic, "o.dlq"), text(markTopicID, id), text(markOffsets, "0:"+strconv.Itoa(i)),
		}}
		if err := m.add(rec, topics); err != nil {
			t.Fatal(err)
		}
	}
	if m.of(ID{"o.dlq", 0, 0}) != nil || m.of(ID{"o.dlq", 0, 1}) == nil {
		t.Errorf("%v", m)
	}
	broken := &kgo.Record{Headers: []kgo.RecordHeader{text(markState, "replayed"), text(markTopic, "o.dlq"), text(markTopicID, "new"), text(markOffsets, "0:x")}}
	if err := m.add(broken, topics); err == nil {
		t.Error("a mark that cannot be read was passed over")
	}
}

func TestDiscardIsAVerdictOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.put(sample{order: "O1", failed: time.Hour}, sample{order: "O2", offset: 1, value: []byte{9}, class: "poison.decode"})
	if _, err := w.desk().Discard(t.Context(), &Request{Actor: "ann", Apply: true}, Watch{}); !errors.Is(err, ErrRefused) {
		t.Errorf("without a reason: %v", err)
	}
	for range 2 {
		if _, err := w.desk().Discard(t.Context(), &Request{Actor: "ann", Reason: "sandbox", Apply: true}, Watch{}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]*schemas.Outcome{}
	for _, r := range testkit.ReadCommitted(t, w.cluster.Addrs, w.cfg.Topics.Outcomes) {
		o, _, err := w.codec.DecodeOutcome(t.Context(), r.Value, r.Headers)
		if err != nil || got[o.OutcomeID] != nil {
			t.Fatalf("%+v %v", o, err)
		}
		got[o.OutcomeID] = o
		if at := (ID{o.Source.Topic, o.Source.Partition, o.Source.Offset}); !slices.Contains(ids, at) || o.Status != schemas.StatusRejected ||
			o.Error.Class != ClassDiscarded || !strings.Contains(o.Error.Message, "ann: sandbox") || o.TraceID != "0123456789abcdef0123456789abcdef" {
			t.Errorf("%+v %+v", o, o.Error)
		}
		if o.BusinessID == "O1" && (o.Currency != "EUR" || o.Expected.Decimal.String() != "119" || string(r.Key) != "O1") {
			t.Errorf("%+v", o)
		}
	}
	if len(got) != 2 || len(w.replayed()) != 0 {
		t.Errorf("%d outcomes", len(got))
	}
	if a := w.audits(); len(a) != 1 || a[0].Action != "discard" || a[0].Counts["discarded"] != 2 {
		t.Errorf("%+v", a)
	}
}
