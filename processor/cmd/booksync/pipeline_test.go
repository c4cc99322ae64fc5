package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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

// TestPipelineOfTheDocuments runs the sample as it stands in a shell, with this test binary as `booksync` and a service that is there already as the deploy:
// once as it should be, once with books that compute otherwise.
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
	script := "booksync() { '" + self + "' \"$@\"; }\ndeploy() { echo deployed; }\nundeploy() { echo undeployed; }\n" +
		strings.ReplaceAll(pipeline(t), "--organization sandbox", "--organization demo")
	run := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Dir, cmd.Env = dir, append(append(os.Environ(), d.environ...), asCommand+"=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err != nil || !strings.Contains(out, "deployed") || !strings.Contains(out, "verified:") || strings.Contains(out, "undeployed") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := d.sim.Inject(simulator.Fault{Kind: simulator.FaultCents, Method: "POST", Path: "/invoices"}); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "undeployed") || !strings.Contains(out, "Zoho Books has") {
		t.Errorf("%v\n%s", err, out)
	}
	if living, _ := d.ledger(); len(living) > 0 {
		t.Errorf("the books hold %v", living)
	}
}
