package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// asCommand makes the test binary behave as booksync itself, for tests that need a process.
const asCommand = "BOOKSYNC_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		err := runWith(context.Background(), os.Args[1:], &cli{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), skipServerCheck: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, "booksync:", err)
		}
		os.Exit(exitCode(err))
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// result is what one command line did.
type result struct {
	stdout, stderr string
	code           int
	err            error
}

// booksync runs one command line as main does, with its own environment.
func booksync(t *testing.T, stdin string, environ []string, args ...string) result {
	t.Helper()
	return booksyncWith(t, t.Context(), stdin, environ, args...)
}

func booksyncWith(t *testing.T, ctx context.Context, stdin string, environ []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := runWith(ctx, args, &cli{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, environ: environ, skipServerCheck: true})
	if err != nil {
		stderr.WriteString("booksync: " + err.Error() + "\n")
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), code: exitCode(err), err: err}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; rewrite with -update):\n%s", file, diff)
	}
}

func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		r := booksync(t, "", nil, append(path, "--help")...)
		if r.code != 0 || r.stderr != "" {
			t.Errorf("%s: exit %d, %s", cmd.CommandPath(), r.code, r.stderr)
		}
		golden(t, "help_"+strings.Join(append([]string{"booksync"}, path...), "_"), r.stdout)
		for _, line := range strings.Split(r.stdout, "\n") {
			if len(line) > 120 {
				t.Errorf("%s: a line of %d characters: %s", cmd.CommandPath(), len(line), line)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&cli{}).root())
}

func TestWrongCommandLinesExitWith2AndSaySo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"simulate"}, `unknown command "simulate"; did you mean simulator?; see`},
		{"unknown subcommand", []string{"config", "prin"}, `unknown command "prin"; did you mean print?; see`},
		{"unknown flag", []string{"simulator", "--lissen", "x"}, "unknown flag: --lissen"},
		{"missing argument", []string{"produce", "orders"}, "want 2 arguments, got 1"},
		{"unknown kind of event", []string{"produce", "invoices", "-"}, `want orders, payments or refunds instead of "invoices"`},
		{"missing file", []string{"produce", "orders", "nowhere.jsonl"}, "opening the events"},
		{"missing configuration", []string{"config", "check", "--config", "nowhere.yaml"}, "reading the configuration"},
		{"wrong setting", []string{"config", "print", "--set", "http.lissen=:1"}, `unknown setting; did you mean "http.listen"?`},
		{"setting without a value", []string{"config", "print", "--set", "http"}, "want path=value"},
		{"unknown organisation", []string{"auth", "test", "acme"}, `organisation "acme" is not configured`},
		{"check without a file", []string{"setup", "--check"}, "name it with --snapshot"},
		{"unknown area", []string{"setup", "--skip", "moon"}, "want kafka, registry or books"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := booksync(t, "", nil, test.args...)
			if r.code != 2 || !strings.Contains(r.stderr, test.want) || r.stdout != "" {
				t.Errorf("exit %d\nstdout %s\nstderr %s\nwant %s", r.code, r.stdout, r.stderr, test.want)
			}
		})
	}
}

func TestConfigPrint(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "booksync.yaml")
	if err := os.WriteFile(file, []byte(booksyncYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	r := booksync(t, "", []string{"BOOKSYNC_CONFIG=" + file, "BOOKSYNC_KAFKA_SASL_PASSWORD=deadbeef"}, "config", "print", "--set", "kafka.group=other")
	if r.code != 0 || strings.Contains(r.stdout, "deadbeef") {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	golden(t, "config_print", r.stdout)
}

func TestConfigCheckListsEveryProblem(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "booksync.yaml")
	if err := os.WriteFile(file, []byte("kafka:\n  broker: [a:1]\nlog: {level: loud}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := booksync(t, "", nil, "config", "check", "--config", file)
	if r.code != 2 {
		t.Errorf("exit %d", r.code)
	}
	golden(t, "config_check", strings.ReplaceAll(r.stderr, file, "booksync.yaml"))
}

// booksyncYAML has one organisation.
const booksyncYAML = `
kafka:
  sasl: {mechanism: plain, username: booksync}
organizations:
  acme:
    id: "10234695"
    client_id: 1000.ABC
    client_secret: very-secret
    refresh_token: 1000.refresh.token
    taxes:
      vat20: {tax_id: "460000000026049", rate: 20}
    line_targets:
      GOODS: {account_id: "460000000000388"}
    clearing:
      stripe/EUR: "460000000000361"
`

func TestVersion(t *testing.T) {
	t.Parallel()
	if r := booksync(t, "", nil, "version"); r.code != 0 || !strings.HasPrefix(r.stdout, "booksync ") {
		t.Errorf("%+v", r)
	}
	if r := booksync(t, "", nil, "version", "--json"); !regexp.MustCompile(`^\{"version":".*"go":"go1`).MatchString(r.stdout) {
		t.Errorf("%+v", r)
	}
	if r := booksync(t, "", nil, "--version"); !strings.HasPrefix(r.stdout, "booksync ") {
		t.Errorf("%+v", r)
	}
}

func TestInterruptedExitsWith130(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := booksyncWith(t, ctx, "", nil, "setup", "--skip", "books,registry", "--set", "kafka.brokers=127.0.0.1:1")
	if r.code != 130 {
		t.Errorf("%+v", r)
	}
}
