package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// pipeline is the sample of docs/operations/verify.md.
func pipeline(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "operations", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<!-- pipeline -->\n```sh\n")
	script, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the page has no pipeline")
	}
	return script
}

// TestPipelineOfTheDocuments runs the sample as it stands in a shell, with this test binary as `booksync` and a service that is there already as the deploy. Each
// deploy posts an order at once. Once all is as it should be, once the books compute otherwise: what the second deploy posted is taken back, the rest stays.
func TestPipelineOfTheDocuments(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a shell")
	}
	d := openDesk(t)
	dir := t.TempDir()
	d.must("setup", "--snapshot", filepath.Join(dir, "booksync.setup.json"))
	stop := d.start(t)
	defer func() { stop() }()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(pipeline(t), "--organization sandbox", "--organization demo")
	run := func(order string) (string, error) {
		file := filepath.Join(dir, order+".json")
		event := strings.NewReplacer(`"O1"`, `"`+order+`"`, `"e1"`, `"e-`+order+`"`, `"1001"`, `"N-`+order+`"`).Replace(orderJSON)
		if err := os.WriteFile(file, []byte(event), 0o600); err != nil {
			t.Fatal(err)
		}
		yours := "booksync() { '" + self + "' \"$@\"; }\nbuild() { echo built; }\nundeploy() { echo undeployed; }\n" +
			"deploy() { booksync produce orders '" + file + "'; until booksync trace " + order + " | grep -q POSTED; do :; done; echo deployed; }\n"
		cmd := exec.CommandContext(t.Context(), "sh", "-c", yours+script)
		cmd.Dir, cmd.Env = dir, append(append(os.Environ(), d.environ...), asCommand+"=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("O1")
	if err != nil || strings.Contains(out, "undeployed") {
		t.Errorf("%v\n%s", err, out)
	}
	mustHold(t, out, "built", "deployed", "verified:")
	if err := d.sim.Inject(simulator.Fault{Kind: simulator.FaultCents, Method: "POST", Path: "/invoices"}); err != nil {
		t.Fatal(err)
	}
	next := time.NewTimer(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the sample tells deploys apart by the second
	<-next.C
	if out, err = run("O2"); err == nil {
		t.Errorf("it goes on after a failed verification\n%s", out)
	}
	mustHold(t, out, "Zoho Books has", "paused   everything", "undeployed", "1 taken back, 0 before, 0 blocked, 0 busy")
	if living, _ := d.ledger(); !cmp.Equal(living, []string{"invoice order:O1 21.78"}) {
		t.Errorf("the books hold %v", living)
	}
	mustHold(t, d.must("status"), "paused")
}
