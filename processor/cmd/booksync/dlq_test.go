package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// letters are services with topics of their own, on the real Kafka where there is one.
type letters struct {
	*services
	t                        *testing.T
	orders, outcomes, audits string
	codec                    *schemas.Codec
}

func startLetters(t *testing.T) *letters {
	t.Helper()
	return startLettersOn(t, testkit.Kafka(t))
}

func startLettersOn(t *testing.T, cluster testkit.Cluster) *letters {
	t.Helper()
	l := withoutTopics(t, cluster)
	testkit.CreateTopics(t, l.kafka.Addrs, 1, nil, l.topics()...)
	return l
}

func withoutTopics(t *testing.T, cluster testkit.Cluster) *letters {
	t.Helper()
	s := startServices(t, false)
	s.kafka = cluster
	id := testkit.Name(t, "shop")
	l := &letters{services: s, t: t, orders: id + ".orders", outcomes: id + ".outcomes", audits: id + ".audit"}
	s.environ = append(s.environ, "BOOKSYNC_KAFKA_BROKERS="+strings.Join(s.kafka.Addrs, ","), "BOOKSYNC_TOPICS_ORDERS="+l.orders,
		"BOOKSYNC_TOPICS_PAYMENTS="+id+".payments", "BOOKSYNC_TOPICS_REFUNDS="+id+".refunds", "BOOKSYNC_TOPICS_OUTCOMES="+l.outcomes, "BOOKSYNC_TOPICS_AUDIT="+l.audits)
	var err error
	if l.codec, err = schemas.NewCodec(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *letters) topics() []string {
	out := []string{l.outcomes, l.audits}
	for _, kind := range []string{"orders", "payments", "refunds"} {
		topic := strings.TrimSuffix(l.orders, "orders") + kind
		out = append(out, topic, topic+".dlq")
	}
	return out
}

// order is orderJSON with another id and tax code.
func order(id, code string) string {
	text := strings.ReplaceAll(orderJSON, `"order_id":"O1","order_number":"1001"`, fmt.Sprintf(`"order_id":%q,"order_number":%q`, id, "N-"+id))
	text = strings.ReplaceAll(text, `"event_id":"e1"`, fmt.Sprintf(`"event_id":"e-%s"`, id))
	return strings.ReplaceAll(text, `"code":"ny-sales-tax"`, fmt.Sprintf(`"code":%q`, code))
}

// put writes dead letters of orders as a run would have: value and headers.
func (l *letters) put(n int, change func(i int, rec *kgo.Record)) {
	l.t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		id := "O" + strconv.Itoa(i)
		records[i] = deadLetter(l.orders, id, l.encoded(id), int64(i))
		if change != nil {
			change(i, records[i])
		}
	}
	testkit.Produce(l.t, l.kafka.Addrs, records...)
}

// encoded is an order as its producer writes it.
func (l *letters) encoded(id string) []byte {
	l.t.Helper()
	o, err := schemas.OrderFromJSON([]byte(order(id, "ny-sales-tax")))
	if err != nil {
		l.t.Fatal(err)
	}
	value, err := l.codec.EncodeOrder(l.t.Context(), l.orders, o)
	if err != nil {
		l.t.Fatal(err)
	}
	return value
}

// deadLetter is a record of the dead-letter topic.
func deadLetter(source, id string, value []byte, offset int64) *kgo.Record {
	rec := &kgo.Record{Topic: source + ".dlq", Key: []byte(id), Value: value}
	at := strconv.FormatInt(offset, 10)
	for _, h := range [][2]string{
		{"dlq.class", "rejected.tax"}, {"dlq.retryable", "after-fix"}, {"dlq.message", "tax code is not mapped"}, {"dlq.stage", "check"}, {"dlq.workflow", "order"},
		{"dlq.organization", "demo"}, {"dlq.business-id", id}, {"dlq.source.topic", source}, {"dlq.source.partition", "0"}, {"dlq.source.offset", at},
		{"dlq.group", "booksync"}, {"dlq.attempts", "1"}, {"dlq.failed-at", time.Now().UTC().Format(time.RFC3339Nano)},
		{"__connect.errors.topic", source}, {"__connect.errors.partition", "0"}, {"__connect.errors.offset", at},
	} {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return rec
}

// service starts `booksync run`, and answers how to stop it.
func (l *letters) service() (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	done, environ := make(chan result, 1), l.environ
	go func() {
		done <- booksyncWith(l.t, ctx, "", environ, "run",
			"--set", "http.listen=127.0.0.1:0", "--set", "zoho.mark_sent_every=10ms", "--set", "claims.recheck=100ms", "--set", "log.level=error")
	}()
	return func() {
		cancel()
		if r := <-done; r.code != 0 {
			l.t.Errorf("run: exit %d\n%s", r.code, r.stderr)
		}
	}
}

// verdicts waits for n outcomes and answers those of an order, as status and class, in their order.
func (l *letters) verdicts(n int) map[string][]string {
	l.t.Helper()
	out := map[string][]string{}
	seen := map[string]bool{}
	for _, rec := range testkit.AwaitCommitted(l.t, l.kafka.Addrs, l.outcomes, n, 60*time.Second) {
		o, _, err := l.codec.DecodeOutcome(l.t.Context(), rec.Value, rec.Headers)
		if err != nil {
			l.t.Fatal(err)
		}
		if seen[o.OutcomeID] {
			l.t.Errorf("outcome %s of %s was published twice", o.OutcomeID, o.BusinessID)
		}
		seen[o.OutcomeID] = true
		verdict := string(o.Status)
		if o.Error != nil {
			verdict += " " + o.Error.Class
		}
		out[o.BusinessID] = append(out[o.BusinessID], verdict)
	}
	return out
}

func (l *letters) want(got []string, want ...string) {
	l.t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		l.t.Errorf("verdicts %v, want %v", got, want)
	}
}

// ok runs a command that must succeed.
func (l *letters) ok(stdin string, args ...string) string {
	l.t.Helper()
	r := l.run(l.t, stdin, args...)
	if r.code != 0 {
		l.t.Fatalf("%v: exit %d\n%s\n%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// idOf is the id of an order's dead letter.
func (l *letters) idOf(order string) string {
	l.t.Helper()
	id, _, _ := strings.Cut(l.ok("", "dlq", "ls", "--rows", "--business-id", order), " ")
	return id
}

func mustHold(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

// TestDeadLettersAreFoundMendedReplayedAndDiscarded is an operator's night, with the service running.
func TestDeadLettersAreFoundMendedReplayedAndDiscarded(t *testing.T) {
	t.Parallel()
	l := startLetters(t)
	stop := l.service()
	l.ok(order("good", "ny-sales-tax")+"\n"+order("typo", "ny-sale-tax")+"\n"+order("later", "new-tax")+"\n"+order("sandbox", "nonsense"), "produce", "orders", "-")
	l.verdicts(4)

	ls := l.ok("", "dlq", "ls", "--rows")
	mustHold(t, ls, "3 dead letters, the oldest ", "rejected.tax", l.orders+".dlq/0/0  open", "order typo", "##############################")
	// Which of three orders fails first is nobody's promise.
	typo, sandbox := l.idOf("typo"), l.idOf("sandbox")
	shown := l.ok("", "dlq", "show", typo)
	mustHold(t, shown, "class          rejected.tax", "ny-sale-tax", "claim order typo: rejected", `"status": "REJECTED"`, `"order_id": "typo"`,
		"if it were replayed now: rejected: rejected.tax", "REJECTED rejected.tax")
	if raw := l.ok("", "dlq", "show", typo, "--raw"); !strings.HasPrefix(raw, "\xc3\x01") {
		t.Errorf("raw: %q", raw)
	}
	var v struct {
		Event struct {
			OrderID string `json:"order_id"`
		} `json:"event"`
		Plan struct {
			Rejected struct {
				Class string `json:"class"`
			} `json:"rejected"`
		} `json:"plan"`
	}
	if err := json.Unmarshal([]byte(l.ok("", "dlq", "show", typo, "--json")), &v); err != nil || v.Event.OrderID != "typo" || v.Plan.Rejected.Class != "rejected.tax" {
		t.Errorf("%+v %v", v, err)
	}

	// Nothing is mended yet: a replay would be in vain.
	r := l.run(t, "", "dlq", "replay", "--all", "--apply", "--reason", "hope")
	if r.code != 1 {
		t.Fatalf("%+v", r)
	}
	mustHold(t, r.stdout, "replay: 3 chosen, 0 done; left out (3 rejected)")

	// The producer's misspelling is mended in the event.
	patch := `[{"op":"replace","path":"/lines/0/taxes/0/code","value":"ny-sales-tax"}]`
	mustHold(t, l.ok(patch, "dlq", "edit", typo, "--patch", "-"), `/lines/0/taxes/0/code: "ny-sale-tax" -> "ny-sales-tax"`, "POST /invoices", "nothing was changed: --apply acts")
	mustHold(t, l.ok(patch, "dlq", "edit", typo, "--patch", "-", "--apply", "--reason", "misspelt"), "sent to "+l.orders+" with key typo: retry")
	l.want(l.verdicts(5)["typo"], "REJECTED rejected.tax", "POSTED")

	// The missing tax code is mapped: the service starts with another configuration, and the rest is chosen by one person and sent by another.
	stop()
	text, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	var mapped strings.Builder
	for line := range strings.Lines(string(text)) {
		mapped.WriteString(line)
		if name, rest, ok := strings.Cut(line, "ny-sales-tax"); ok {
			mapped.WriteString(name + "new-tax" + rest)
		}
	}
	file := filepath.Join(t.TempDir(), "booksync.yaml")
	if err := os.WriteFile(file, []byte(mapped.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.environ = append([]string{"BOOKSYNC_CONFIG=" + file}, l.environ...) // the first one counts
	stop = l.service()
	defer func() { stop() }()
	chosen := filepath.Join(t.TempDir(), "chosen.txt")
	mustHold(t, l.ok("", "dlq", "ls", "--where", `event.lines.exists(x, x.taxes.exists(tax, tax.code == "new-tax"))`, "--ids-out", chosen), "1 dead letter,")
	mustHold(t, l.ok("", "dlq", "replay", "--ids", chosen), "retry", "1 chosen, 1 would be done (1 retry)", "nothing was changed")
	mustHold(t, l.ok("", "dlq", "replay", "--ids", chosen, "--apply", "--reason", "mapped", "--actor", "bob"), "1 chosen, 1 done (1 retry)")
	l.want(l.verdicts(6)["later"], "REJECTED rejected.tax", "POSTED")

	mustHold(t, l.ok("", "dlq", "discard", sandbox, "--apply", "--reason", "not ours"), "1 chosen, 1 done (1 discard)")
	l.want(l.verdicts(7)["sandbox"], "REJECTED rejected.tax", "REJECTED discarded")
	mustHold(t, l.ok("", "dlq", "ls"), "no dead letters (done with: 1 replayed, 1 edited, 1 discarded)")
	mustHold(t, l.ok("", "dlq", "ls", "--state", "replayed", "--rows"), "replayed ", "order later")
	if r := l.run(t, "", "dlq", "replay", "--ids", chosen, "--apply", "--reason", "again"); r.code != 0 || !strings.Contains(r.stdout, "0 chosen, 0 done") {
		t.Errorf("%+v", r)
	}
	// A dead letter of something that was posted meanwhile.
	who := map[string]string{}
	for _, rec := range testkit.ReadCommitted(t, l.kafka.Addrs, l.audits) {
		e, _, err := l.codec.DecodeAudit(t.Context(), rec.Value, rec.Headers)
		if err != nil {
			t.Fatal(err)
		}
		who[e.Action] = e.Actor + ": " + e.Reason + " " + e.Selector
	}
	if who["replay"] != "bob: mapped --ids "+strconv.Quote(chosen) || len(who) != 3 {
		t.Errorf("audit: %v", who)
	}
}

// TestAReplayInterruptedInTheMiddleGoesOnWithTheRest cuts the command off while the brokers have its second transaction.
func TestAReplayInterruptedInTheMiddleGoesOnWithTheRest(t *testing.T) {
	t.Parallel()
	l := startLetters(t)
	l.put(60, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	args := []string{"dlq", "replay", "--all", "--apply", "--reason", "mapped", "--rate", "20"}
	var r result
	if l.kafka.Fake != nil {
		ends := 0
		l.kafka.Fake.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
			l.kafka.Fake.KeepControl()
			if ends++; ends != 2 {
				return nil, nil, false
			}
			cancel()
			return nil, errors.New("the connection breaks before the transaction ends"), true
		})
		r = booksyncWith(t, ctx, "", l.environ, args...)
	} else {
		done := make(chan result, 1)
		go func() { done <- booksyncWith(t, ctx, "", l.environ, args...) }()
		testkit.AwaitCommitted(t, l.kafka.Addrs, l.orders, 20, 60*time.Second)
		cancel()
		r = <-done
	}
	if r.code != codeInterrupted {
		t.Fatalf("%+v", r)
	}
	again := l.ok("", "dlq", "replay", "--all", "--apply", "--reason", "mapped")
	mustHold(t, again, "40 chosen, 40 done (40 retry)")
	l.replayedOnce(60)
}

func TestQuarantinedPoisonAndTruncatedAreLeftOutAndSaid(t *testing.T) {
	t.Parallel()
	l := startLetters(t)
	l.put(4, func(i int, rec *kgo.Record) {
		switch i {
		case 1:
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: "dlq.replay.count", Value: []byte("3")})
		case 2:
			rec.Value = []byte("not an event")
		case 3:
			rec.Value, rec.Headers = nil, append(rec.Headers, kgo.RecordHeader{Key: "dlq.truncated", Value: []byte("value of 2000000 bytes left out, sha256 00")})
		}
	})
	r := l.run(t, "", "dlq", "replay", "--all", "--json")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var sums struct {
		Chosen  int            `json:"chosen"`
		Done    map[string]int `json:"done"`
		LeftOut map[string]int `json:"left_out"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sums); err != nil || r.code != 1 || len(lines) != 5 {
		t.Fatalf("%v %+v", err, r)
	}
	if sums.Chosen != 4 || sums.Done["retry"] != 1 || sums.LeftOut["quarantined"] != 1 || sums.LeftOut["poison"] != 1 || sums.LeftOut["truncated"] != 1 {
		t.Errorf("%+v", sums)
	}
	mustHold(t, r.stdout, `came back from 3 replays`, l.orders+"/0/3 it came from is gone")
	mustHold(t, l.ok("", "dlq", "ls"), "4 dead letters", "1 quarantined, 1 without value")
	mustHold(t, l.ok("", "dlq", "show", "orders/0/2"), "cannot be shown: ", "if it were replayed now: poison")
	mustHold(t, l.ok("", "dlq", "show", "orders/0/3"), "value of 2000000 bytes left out", "if it were replayed now: truncated")
	mustHold(t, l.ok(order("O2", "ny-sales-tax"), "dlq", "edit", "orders/0/2", "--event", "-", "--apply", "--reason", "broken bytes"), "the whole event", "with key O2: retry")
}

func TestTopicsThatAreMissingOrEmpty(t *testing.T) {
	t.Parallel()
	l := withoutTopics(t, testkit.Kafka(t))
	if r := l.run(t, "", "dlq", "ls"); r.code != 1 || !strings.Contains(r.stderr, "booksync setup --apply") {
		t.Errorf("%+v", r)
	}
	if r := l.run(t, "", "dlq", "show", "orders/0/0"); r.code != 1 || !strings.Contains(r.stderr, "does not exist") {
		t.Errorf("%+v", r)
	}
	if r := l.run(t, "", "dlq", "replay", "--all", "--apply", "--reason", "x"); r.code != 1 || !strings.Contains(r.stderr, l.audits) {
		t.Errorf("%+v", r)
	}
	testkit.CreateTopics(t, l.kafka.Addrs, 1, nil, l.topics()...)
	mustHold(t, l.ok("", "dlq", "ls"), "no dead letters\n")
	mustHold(t, l.ok("", "dlq", "replay", "--all", "--apply", "--reason", "x"), "0 chosen, 0 done")
	if r := l.run(t, "", "dlq", "show", "orders/0/0"); r.code != 1 || !strings.Contains(r.stderr, "no such dead letter") {
		t.Errorf("%+v", r)
	}
	if r := l.run(t, "", "dlq", "ls", "--set", "kafka.brokers=127.0.0.1:1"); r.code != 3 {
		t.Errorf("Kafka away: %+v", r)
	}
}

func TestWithoutTheSchemaRegistryDeadLettersAreCountedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	l := startLetters(t)
	l.put(2, func(_ int, rec *kgo.Record) { rec.Value = append([]byte{0, 0, 0, 0, 7}, rec.Value[10:]...) })
	l.environ = append(l.environ, "BOOKSYNC_SCHEMA_REGISTRY_URLS=http://127.0.0.1:1")
	mustHold(t, l.ok("", "dlq", "ls"), "2 dead letters", "rejected.tax")
	mustHold(t, l.ok("", "dlq", "show", "orders/0/1"), "tax code is not mapped", "cannot be shown: ", "if it were replayed now: unknown")
	for _, args := range [][]string{
		{"replay", "--all"}, {"replay", "--all", "--apply", "--reason", "x"}, {"discard", "--all", "--apply", "--reason", "x"},
		{"ls", "--where", `event.order_id == "O1"`},
	} {
		if r := l.run(t, "", append([]string{"dlq"}, args...)...); r.code != 3 {
			t.Errorf("%v: exit %d\n%s\n%s", args, r.code, r.stdout, r.stderr)
		}
	}
	if n := len(testkit.ReadCommitted(t, l.kafka.Addrs, l.orders)); n != 0 {
		t.Errorf("%d records were sent", n)
	}
}

func TestRedisAwayIsSaidAndNotNeeded(t *testing.T) {
	t.Parallel()
	l := startLetters(t)
	l.put(1, nil)
	r := l.run(t, "", "dlq", "replay", "--all", "--apply", "--reason", "x", "--set", "redis.addresses=127.0.0.1:1")
	if r.code != 0 || !strings.Contains(r.stderr, "the claims are not looked at") || !strings.Contains(r.stdout, "1 done (1 retry)") {
		t.Errorf("%+v", r)
	}
}

func TestWrongDeadLetterCommandsExitWith2(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing chosen":      {[]string{"replay"}, "choose: ids, a filter, or --all"},
		"no reason":           {[]string{"replay", "--all", "--apply"}, "--apply needs --reason"},
		"a discard's reason":  {[]string{"discard", "orders/0/1"}, "needs --reason"},
		"an id":               {[]string{"show", "42"}, "is no id of a dead letter"},
		"a state":             {[]string{"ls", "--state", "gone"}, "want open, quarantined"},
		"an expression":       {[]string{"ls", "--where", "klass == 'x'"}, "undeclared reference"},
		"a time":              {[]string{"ls", "--since", "soon"}, "want a time such as"},
		"a range":             {[]string{"ls", "--offsets", "orders/0/9-1"}, "want topic/partition/from-to"},
		"a file":              {[]string{"replay", "--ids", "nowhere.txt"}, "nowhere.txt"},
		"patch and event":     {[]string{"edit", "orders/0/1"}, "one of --patch and --event"},
		"raw and JSON":        {[]string{"show", "orders/0/1", "--raw", "--json"}, "choose one"},
		"a negative max":      {[]string{"replay", "--all", "--max", "-1"}, "must not be negative"},
		"until before since":  {[]string{"ls", "--since", "1h", "--until", "2h"}, "until is before since"},
		"an unknown topic":    {[]string{"show", "customers/0/1"}, "none, or several"},
		"no such subcommand":  {[]string{"redrive"}, "unknown command"},
		"an unknown workflow": {[]string{"ls", "--class", "[x"}, "is no pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := booksync(t, "", nil, append([]string{"dlq"}, test.args...)...)
			if r.code != 2 || !strings.Contains(r.stderr, test.want) {
				t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}
