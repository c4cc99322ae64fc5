package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/operator/verify"
	"github.com/booksync/booksync/internal/simulator"
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
