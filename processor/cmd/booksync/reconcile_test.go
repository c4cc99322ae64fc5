package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

func TestReconcileAndReportWhileTheServiceRuns(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	stop := s.start(t)
	defer stop()
	for kind, event := range map[string]string{"orders": orderJSON, "payments": paymentJSON, "refunds": refundJSON} {
		if r := s.run(t, event, "produce", kind, "-"); r.code != 0 {
			t.Fatalf("produce: %+v", r)
		}
	}
	testkit.AwaitCommitted(t, s.kafka.Addrs, s.topic("books.outcomes"), 3, 30*time.Second)
	period := []string{"--period", "2026-03", "--grace", "1ns"}
	run := func(code int, args ...string) result {
		t.Helper()
		r := s.run(t, "", append(args, period[:2]...)...)
		if r.code != code {
			t.Fatalf("%s: exit %d, want %d\n%s\n%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
		}
		return r
	}
	if r := run(0, "reconcile", "--grace", "1ns"); !strings.Contains(r.stdout, "matched") || !strings.Contains(r.stderr, "3 calls for lists") {
		t.Errorf("%s\n%s", r.stdout, r.stderr)
	}
	if r := run(0, "reconcile", "--plan"); !strings.Contains(r.stdout, "3 transactions; 3 calls for lists") {
		t.Error(r.stdout)
	}
	if r := run(0, "report", "--deep"); !strings.Contains(r.stdout, "net of credit notes") || !strings.Contains(r.stdout, "at 8.875 %") {
		t.Error(r.stdout)
	}
	if err := s.sim.Inject(simulator.Fault{Kind: simulator.FaultEdit, BusinessID: "order:O1", Amount: dec(t, "1.5")}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	page, sheet := filepath.Join(dir, "r.html"), filepath.Join(dir, "r.csv")
	r := run(1, "reconcile", "--grace", "1ns", "--json", "--html", page, "--csv", sheet, "--publish", "--actor", "ann")
	var found reconcile.Result
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil || len(found.Exceptions) != 1 || found.Exceptions[0].Status != reconcile.EditedByPerson {
		t.Fatalf("%v\n%s", err, r.stdout)
	}
	for _, file := range []string{page, sheet} {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), found.Exceptions[0].ID) {
			t.Errorf("%s: %v", file, err)
		}
	}
	testkit.AwaitCommitted(t, s.kafka.Addrs, s.topic("books.reconciliations"), 1, 10*time.Second)
	run(1, "report", "--json")
	if r := s.run(t, "", "reconcile", "ignore", found.Exceptions[0].ID, "--reason", "agreed", "--actor", "ann"); r.code != 0 {
		t.Fatalf("ignore: %+v", r)
	}
	if r := run(0, "reconcile", "--grace", "1ns"); !strings.Contains(r.stdout, "by ann: agreed") {
		t.Error(r.stdout)
	}
}

func TestReconcileRepairsWhatASkippedOffsetLeftOut(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	if r := s.run(t, orderJSON, "produce", "orders", "-"); r.code != 0 {
		t.Fatalf("produce: %+v", r)
	}
	s.skip(t, s.topic("commerce.orders"), 1)
	stop := s.start(t)
	defer stop()
	args := []string{"reconcile", "--period", "2026-03", "--grace", "1ns", "--repair"}
	if r := s.run(t, "", args...); r.code != 1 || !strings.Contains(r.stdout, "--repair: produce the record") {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if r := s.run(t, "", append(args, "--apply")...); r.code != 2 || !strings.Contains(r.stderr, "--reason") {
		t.Errorf("without a reason: %+v", r)
	}
	if r := s.run(t, "", append(args, "--apply", "--reason", "left out")...); r.code != 0 || !strings.Contains(r.stderr, "1 exception repaired") {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	testkit.AwaitCommitted(t, s.kafka.Addrs, s.topic("books.outcomes"), 1, 30*time.Second)
	if r := s.run(t, "", args...); r.code != 0 {
		t.Errorf("afterwards: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if n := len(testkit.ReadCommitted(t, s.kafka.Addrs, s.topic("books.audit"))); n != 1 {
		t.Errorf("%d audit entries", n)
	}
}

func TestReconcileRefusesWrongCommandLines(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	for name, args := range map[string][]string{
		"two windows":                 {"reconcile", "--day", "today", "--period", "2026-03"},
		"apply without repair":        {"reconcile", "--apply", "--reason", "x"},
		"an unknown organisation":     {"reconcile", "--organization", "nobody"},
		"ignore without a reason":     {"reconcile", "ignore", "order:O1~1a2b3c4d"},
		"ignore of no exception":      {"reconcile", "ignore", "O1", "--reason", "x"},
		"a period that is none":       {"report", "--period", "March"},
		"an argument that is nothing": {"report", "march"},
	} {
		if r := s.run(t, "", args...); r.code != 2 {
			t.Errorf("%s: exit %d\n%s", name, r.code, r.stderr)
		}
	}
	if r := s.run(t, "", "reconcile", "--set", "kafka.brokers=127.0.0.1:1", "--set", "redis.addresses=127.0.0.1:1"); r.code != 3 {
		t.Errorf("nothing there: exit %d\n%s", r.code, r.stderr)
	}
}

// skip sets the group's position, as an operator does who resets offsets.
func (s *services) skip(t *testing.T, topic string, to int64) {
	t.Helper()
	group := ""
	for _, kv := range s.environ {
		if name, ok := strings.CutPrefix(kv, "BOOKSYNC_KAFKA_GROUP="); ok {
			group = name
		}
	}
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, to, -1)
	if err := kadm.NewClient(testkit.Client(t, s.kafka.Addrs)).CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}

func dec(t *testing.T, s string) decimal.Decimal {
	t.Helper()
	d, err := decimal.NewFromString(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReconcileAgreesBeforeAfterAndBeyondARollback(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	defer func() { stop() }()
	agrees := func(when string, want ...string) {
		t.Helper()
		r := d.run(t, "", "reconcile", "--period", "2026-03", "--grace", "1ns", "--deep")
		for _, line := range want {
			if !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), line) {
				t.Errorf("%s: no %q", when, line)
			}
		}
		if r.code != 0 {
			t.Errorf("%s: exit %d\n%s\n%s", when, r.code, r.stdout, r.stderr)
		}
	}
	d.produce("orders", orderJSON)
	d.produce("payments", paymentJSON)
	d.outcomes(2)
	d.produce("refunds", refundJSON)
	d.outcomes(3)
	agrees("posted", "matched 3")
	file := filepath.Join(t.TempDir(), "plan.json")
	d.must("rollback", "plan", "--ids", "O1", "--workflow", "order", "--out", file)
	d.must("rollback", "apply", file, "--apply", "--reason", "wrong tax")
	d.outcomes(6)
	agrees("taken back", "ignored 3")
	d.must("rollback", "redrive", file, "--apply", "--reason", "mapping mended")
	d.must("resume", "--organization", "demo", "--force")
	d.outcomes(9)
	agrees("posted anew", "matched 3")
}
