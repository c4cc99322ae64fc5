package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// aclTables reads the tables of rules from the page on security, in their order.
func aclTables(t *testing.T) [][]kfake.ACL {
	t.Helper()
	text, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	resources := map[string]kmsg.ACLResourceType{"topic": kmsg.ACLResourceTypeTopic, "group": kmsg.ACLResourceTypeGroup, "transactional id": kmsg.ACLResourceTypeTransactionalId}
	operations := map[string]kmsg.ACLOperation{"READ": kmsg.ACLOperationRead, "WRITE": kmsg.ACLOperationWrite, "DESCRIBE": kmsg.ACLOperationDescribe, "DESCRIBE_CONFIGS": kmsg.ACLOperationDescribeConfigs}
	var tables [][]kfake.ACL
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| resource | name | operations |") {
			tables = append(tables, nil)
		}
		cells := strings.Split(line, "|")
		resource, ok := resources[strings.TrimSpace(cells[min(1, len(cells)-1)])]
		if !ok || len(tables) == 0 {
			continue
		}
		for _, name := range regexp.MustCompile("`[^`]+`").FindAllString(cells[2], -1) {
			name, prefixed := strings.CutSuffix(strings.Trim(name, "`"), "*")
			pattern := kmsg.ACLResourcePatternTypeLiteral
			if prefixed {
				pattern = kmsg.ACLResourcePatternTypePrefixed
			}
			for op := range strings.SplitSeq(cells[3], ",") {
				operation, ok := operations[strings.TrimSpace(op)]
				if !ok {
					t.Fatalf("unknown operation %q", op)
				}
				tables[len(tables)-1] = append(tables[len(tables)-1], kfake.ACL{Resource: resource, Name: name, Pattern: pattern, Operation: operation, Allow: true})
			}
		}
	}
	if len(tables) != 2 {
		t.Fatalf("%d tables of rules, want the service's and the operators'", len(tables))
	}
	return tables
}

// TestTheRulesForKafkaAreEnough runs the service and the operators' commands as users that may do what docs/security.md says, and no more.
func TestTheRulesForKafkaAreEnough(t *testing.T) {
	t.Parallel()
	rules := aclTables(t)
	topics := []string{"commerce.orders", "commerce.payments", "commerce.refunds", "commerce.orders.dlq", "commerce.payments.dlq", "commerce.refunds.dlq", "books.outcomes", "books.audit", "books.reconciliations"}
	kafka := testkit.FakeKafka(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, topics...), kfake.Superuser("PLAIN", "admin", "admin"),
		kfake.User("PLAIN", "service", "service", rules[0]...), kfake.User("PLAIN", "operator", "operator", rules[1]...))
	o := simulatorOptions{id: "10234695", country: "us"}
	org := o.organization()
	org.MinuteLimit, org.PlanQuota = -1, -1
	sim := simulator.New(simulator.Config{Organizations: []simulator.Org{org}, TokenRequests: -1})
	base, stop, err := sim.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	o.listen = strings.TrimPrefix(base, "http://")
	var yaml strings.Builder
	if err := o.writeConfig(&yaml, org); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/booksync.yaml"
	if err := os.WriteFile(file, []byte(yaml.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"BOOKSYNC_CONFIG=" + file, "BOOKSYNC_KAFKA_BROKERS=" + strings.Join(kafka.Addrs, ","), "BOOKSYNC_KAFKA_GROUP=booksync", "BOOKSYNC_KAFKA_TRANSACTIONAL_ID=booksync-0",
		"BOOKSYNC_KAFKA_SASL_MECHANISM=plain", "BOOKSYNC_REDIS_ADDRESSES=" + testkit.OwnRedis(t).Addr, "BOOKSYNC_REDIS_TOKEN_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
		"BOOKSYNC_ZOHO_CALLS_PER_MINUTE=100000", "BOOKSYNC_ZOHO_WINDOW=200ms", "BOOKSYNC_ZOHO_PAUSE=100ms",
	}
	as := func(user string) []string {
		return append(slices.Clone(environ), "BOOKSYNC_KAFKA_SASL_USERNAME="+user, "BOOKSYNC_KAFKA_SASL_PASSWORD="+user)
	}
	admin := testkit.Client(t, kafka.Addrs, kgo.SASL(saslplain.Auth{User: "admin", Pass: "admin"}.AsMechanism()), kgo.ConsumeTopics("books.outcomes"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan result, 1)
	go func() {
		done <- booksyncWith(t, ctx, "", as("service"), "run", "--set", "http.listen=127.0.0.1:0", "--set", "zoho.mark_sent_every=10ms", "--set", "claims.recheck=100ms")
	}()
	operator := func(stdin string, args ...string) result {
		t.Helper()
		r := booksync(t, stdin, as("operator"), args...)
		if r.code != 0 {
			t.Errorf("%v: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
		}
		return r
	}
	operator(orderJSON, "produce", "orders", "-")
	operator(paymentJSON, "produce", "payments", "-")
	if err := admin.ProduceSync(t.Context(), &kgo.Record{Topic: "commerce.orders", Key: []byte("O9"), Value: []byte("nonsense")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	testkit.Until(t, 60*time.Second, "three outcomes", func() bool {
		polling, stopPolling := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stopPolling()
		seen += admin.PollFetches(polling).NumRecords()
		return seen >= 3
	})
	cancel()
	if r := <-done; r.code != 0 || strings.Contains(r.stderr, "AUTHORIZATION") {
		t.Errorf("run: exit %d\n%s", r.code, r.stderr)
	}
	operator("", "status")
	ids := t.TempDir() + "/ids"
	operator("", "dlq", "ls", "--ids-out", ids)
	operator("", "dlq", "discard", "--ids", ids, "--reason", "nonsense", "--apply")
	operator("", "trace", "O1")
	for _, denied := range [][]string{{"setup", "--apply"}} {
		if r := booksync(t, "", as("service"), denied...); r.code == 0 {
			t.Errorf("%v succeeds for the service's user", denied)
		}
	}
}
