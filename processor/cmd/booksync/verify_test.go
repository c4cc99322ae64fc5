package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/operator/verify"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

func TestVerifyGoesTheWholeWayAndLeavesNothing(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	defer func() { stop() }()
	r := d.run(t, "", "verify", "--organization", "demo", "--json")
	if r.code != 0 {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	var report verify.Report
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	var legs []string
	for _, l := range report.Legs {
		legs = append(legs, l.Name+": "+l.Result)
	}
	want := []string{
		"order posted: ok", "payment posted: ok", "refund posted: ok", "second sending is a duplicate: ok", "documents in the books: ok", "take back: ok",
	}
	if diff := cmp.Diff(want, legs); diff != "" {
		t.Error(diff)
	}
	if living, accounts := d.ledger(); len(living) > 0 || len(accounts) > 0 {
		t.Errorf("the books hold %v, %v", living, accounts)
	}
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	if r := d.run(t, "", "verify", "--organization", "demo", "--timeout", "300ms"); r.code != 1 || !strings.Contains(r.stderr, "does `booksync run` run") {
		t.Errorf("without a service: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	text, err := os.ReadFile(d.file)
	if err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(t.TempDir(), "live.yaml")
	if err := os.WriteFile(live, []byte(strings.Replace(string(text), "live: false", "live: true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := d.run(t, "", "verify", "--organization", "demo", "--config", live); r.code != 2 || !strings.Contains(r.stderr, "live: false") {
		t.Errorf("a live organisation: exit %d\n%s", r.code, r.stderr)
	}
	wrong := filepath.Join(t.TempDir(), "order.json")
	if err := os.WriteFile(wrong, []byte(strings.Replace(orderJSON, `"gross":"21.78"`, `"gross":"22.00"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := d.run(t, "", "verify", "--organization", "demo", "--order", wrong); r.code != 2 || !strings.Contains(r.stderr, "would be rejected") {
		t.Errorf("an order that does not add up: exit %d\n%s", r.code, r.stderr)
	}
	stop := d.start(t)
	defer func() { stop() }()
	d.outcomes(1) // the canary that nobody worked on before
	if err := d.sim.Inject(simulator.Fault{Kind: simulator.FaultCents, Method: "POST", Path: "/invoices"}); err != nil {
		t.Fatal(err)
	}
	if r := d.run(t, "", "verify", "--organization", "demo"); r.code != 1 || !strings.Contains(r.stdout, "failed") {
		t.Errorf("with a cent too much: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

// cutting is a writer that ends a command when it has printed so many lines.
type cutting struct {
	bytes.Buffer
	lines int
	end   context.CancelFunc
}

func (c *cutting) Write(p []byte) (int, error) {
	n, err := c.Buffer.Write(p)
	if bytes.Count(c.Bytes(), []byte("\n")) >= c.lines {
		c.end()
	}
	return n, err
}

// TestVerifyThatIsInterruptedLeavesNothing ends it after each leg, and in the middle of the first: what is in the topic is posted all the same, and has to be
// taken back.
func TestVerifyThatIsInterruptedLeavesNothing(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	stop := d.start(t)
	defer func() { stop() }()
	if err := d.sim.Inject(simulator.Fault{Kind: simulator.FaultLatency, Delay: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	verify := func(ctx context.Context, out io.Writer) int {
		return exitCode(runWith(ctx, []string{"verify", "--organization", "demo"}, &cli{stdin: strings.NewReader(""), stdout: out, stderr: io.Discard, environ: d.environ, skipServerCheck: true}))
	}
	empty := func(when string) {
		t.Helper()
		if living, accounts := d.ledger(); len(living) > 0 || len(accounts) > 0 {
			t.Errorf("interrupted %s: the books hold %v, %v", when, living, accounts)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	var out bytes.Buffer
	go func() { done <- verify(ctx, &out) }()
	testkit.AwaitCommitted(t, d.kafka.Addrs, d.topic("commerce.orders"), 1, 30*time.Second)
	cancel()
	if code := <-done; code != codeInterrupted || !strings.Contains(out.String(), "take back") {
		t.Errorf("exit %d\n%s", code, out.String())
	}
	empty("as soon as the order was sent")
	for lines := 1; lines <= 4; lines++ {
		ctx, cancel := context.WithCancel(t.Context())
		out := &cutting{lines: lines, end: cancel}
		code := verify(ctx, out)
		cancel()
		if code != codeInterrupted || strings.Count(out.String(), "ok  ") < lines {
			t.Errorf("after leg %d: exit %d\n%s", lines, code, out.String())
		}
		empty("after leg " + strconv.Itoa(lines))
	}
	n := 0
	for _, e := range d.audited(t) {
		if e.Action == "verify" && strings.HasPrefix(e.Selector, "booksync-verify-") && e.Counts["legs.failed"] > 0 {
			n++
		}
	}
	if n != 5 {
		t.Errorf("the audit topic tells of %d interrupted verifications, want 5", n)
	}
}
