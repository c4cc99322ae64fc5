package main

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// start runs the service until the test ends or the returned function is called.
func (s *services) start(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() {
		done <- booksyncWith(t, ctx, "", s.environ, append([]string{"run", "--set", "http.listen=", "--set", "zoho.mark_sent_every=10ms",
			"--set", "claims.recheck=100ms", "--set", "kafka.transactional_id=" + testkit.Name(t, "replica")}, args...)...)
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if r := <-done; r.code != 0 {
			t.Errorf("run: exit %d\n%s", r.code, r.stderr)
		}
	}
	t.Cleanup(stop)
	return stop
}

// topic is the name that a topic has in this test.
func (s *services) topic(name string) string { return s.prefix + name }

// prepared starts the services with everything set up and the source topics there; on a real Kafka and Redis where the environment names them.
func prepared(t *testing.T) *services {
	t.Helper()
	return startServices(t, true).prepare(t)
}

// prepare lets them use the real Kafka where there is one, and sets everything up.
func (s *services) prepare(t *testing.T) *services {
	t.Helper()
	if os.Getenv(testkit.EnvKafka) != "" {
		s.kafka, s.prefix = testkit.Kafka(t), testkit.Name(t, "cmd")+"."
		s.environ = append(s.environ, "BOOKSYNC_KAFKA_BROKERS="+strings.Join(s.kafka.Addrs, ","))
		for setting, topic := range map[string]string{
			"ORDERS": "commerce.orders", "PAYMENTS": "commerce.payments", "REFUNDS": "commerce.refunds", "OUTCOMES": "books.outcomes", "AUDIT": "books.audit",
			"RECONCILIATIONS": "books.reconciliations",
		} {
			s.environ = append(s.environ, "BOOKSYNC_TOPICS_"+setting+"="+s.topic(topic))
		}
	}
	return s.setUp(t)
}

// setUp creates the source topics, and lets `setup` make the rest.
func (s *services) setUp(t *testing.T) *services {
	t.Helper()
	testkit.CreateTopics(t, s.kafka.Addrs, 1, nil, s.topic("commerce.orders"), s.topic("commerce.payments"), s.topic("commerce.refunds"))
	if r := s.run(t, "", "setup", "--apply"); r.code != 0 {
		t.Fatalf("setup: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	return s
}

func (s *services) produce(t *testing.T, kind, event string) {
	t.Helper()
	if r := s.run(t, event, "produce", kind, "-"); r.code != 0 {
		t.Fatalf("produce: %+v", r)
	}
}

// outcomes waits for so many outcomes and answers them all.
func (s *services) outcomes(t *testing.T, n int) []*schemas.Outcome {
	t.Helper()
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	var out []*schemas.Outcome
	for _, rec := range testkit.AwaitCommitted(t, s.kafka.Addrs, s.topic("books.outcomes"), n, 30*time.Second) {
		o, _, err := codec.DecodeOutcome(t.Context(), rec.Value, rec.Headers)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

// audited are the entries of the audit topic.
func (s *services) audited(t *testing.T) []*schemas.AuditEntry {
	t.Helper()
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	var out []*schemas.AuditEntry
	for _, rec := range testkit.ReadCommitted(t, s.kafka.Addrs, s.topic("books.audit")) {
		e, _, err := codec.DecodeAudit(t.Context(), rec.Value, rec.Headers)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

var timestamps = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// TestPauseAndResume goes the whole way by commands: what is paused before the service starts waits, and goes on when resumed.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	r := s.run(t, "", "pause", "--workflow", "order", "--reason", "wrong tax mapping", "--actor", "ann")
	if want := "paused   workflow order since TIME: wrong tax mapping\n"; r.code != 0 || timestamps.ReplaceAllString(r.stdout, "TIME") != want {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	s.start(t)
	s.produce(t, "orders", orderJSON)

	if r := s.run(t, "", "resume", "--organization", "demo"); r.code != 1 || !strings.Contains(r.stdout, "paused   workflow order since ") || !strings.Contains(r.stderr, "some of it is still paused") {
		t.Errorf("another scope: %+v", r)
	}
	r = s.run(t, "", "resume", "--workflow", "order", "--json", "--actor", "ben")
	var got control.Resumed
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 0 || len(got.Lifted) != 1 || got.Lifted[0].Actor != "ann" || len(got.Remaining) != 0 {
		t.Fatalf("resume: %v %+v", err, r)
	}
	if o := s.outcomes(t, 1)[0]; o.Status != schemas.StatusPosted {
		t.Errorf("%+v", o)
	}
	entries := s.audited(t)
	if len(entries) != 2 || entries[0].Action != "pause" || entries[0].Actor != "ann" || entries[0].Workflow != "order" || entries[0].Reason != "wrong tax mapping" ||
		entries[1].Action != "resume" || entries[1].Actor != "ben" || !strings.Contains(entries[1].Details["lifted.1"], "paused by ann (people)") {
		t.Errorf("audit: %+v", entries)
	}
	if r := s.run(t, "", "resume", "--all"); r.code != 0 || r.stdout != "nothing to resume: everything is not paused\n" {
		t.Errorf("nothing paused: %+v", r)
	}
}

func TestAnothersPauseIsLiftedByForceOnly(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	if r := s.run(t, "", "pause", "--all", "--reason", "rolling back", "--owner", "rollback:7QX2"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if r := s.run(t, "", "resume", "--all"); r.code != 1 || !strings.Contains(r.stderr, "paused by another owner rollback:7QX2") {
		t.Errorf("without force: %+v", r)
	}
	if r := s.run(t, "", "resume", "--all", "--force"); r.code != 0 || !strings.HasPrefix(r.stdout, "resumed  everything, paused since ") {
		t.Errorf("with force: %+v", r)
	}
}

func TestAPauseStandsAlthoughTheAuditTopicIsAway(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	r := s.run(t, "", "pause", "--all", "--reason", "Kafka is down, too", "--set", "kafka.brokers=127.0.0.1:1")
	if r.code != 3 || !strings.Contains(r.stdout, "paused   everything") || !strings.Contains(r.stderr, "pause: it stands, but books.audit lacks its entry") {
		t.Errorf("%+v", r)
	}
	if r := s.run(t, "", "pause", "--all", "--reason", "x", "--set", "redis.addresses=127.0.0.1:1"); r.code != 3 {
		t.Errorf("Redis away: %+v", r)
	}
}

func TestPauseRefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no scope":             {[]string{"pause", "--reason", "x"}, "say what"},
		"everything and one":   {[]string{"pause", "--all", "--workflow", "order", "--reason", "x"}, "say what"},
		"no reason":            {[]string{"pause", "--all"}, "--reason is needed"},
		"unknown workflow":     {[]string{"pause", "--workflow", "orders", "--reason", "x"}, `no workflow "orders": there are order, payment, refund`},
		"unknown organisation": {[]string{"resume", "--organization", "acme"}, `no organisation "acme"`},
	} {
		if r := booksync(t, "", nil, test.args...); r.code != 2 || !strings.Contains(r.stderr, test.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
