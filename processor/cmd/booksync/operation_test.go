package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// operators are the commands of people on call, with their subcommands.
func operators(t *testing.T) []*cobra.Command {
	t.Helper()
	var out []*cobra.Command
	names := []string{"dlq", "reconcile", "report", "verify", "pause", "resume", "status", "trace", "rollback"}
	for _, cmd := range (&cli{}).root().Commands() {
		switch {
		case cmd.Name() == "config":
			diff, _, err := cmd.Find([]string{"diff"})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, diff)
		case slices.Contains(names, cmd.Name()):
			if cmd.Flags().Lookup("json") != nil || !cmd.HasSubCommands() {
				out = append(out, cmd)
			}
			out = append(out, cmd.Commands()...)
		}
	}
	if len(out) < 17 {
		t.Fatalf("%d commands only", len(out))
	}
	return out
}

func TestEveryOperatorsCommandPrintsJSONAndSaysWhoActs(t *testing.T) {
	t.Parallel()
	for _, cmd := range operators(t) {
		flags := cmd.Flags()
		if flags.Lookup("json") == nil {
			t.Errorf("%s has no --json", cmd.CommandPath())
		}
		if flags.Lookup("apply") == nil {
			continue
		}
		for _, name := range []string{"dry-run", "actor", "reason"} {
			if flags.Lookup(name) == nil {
				t.Errorf("%s acts and has no --%s", cmd.CommandPath(), name)
			}
		}
		path := append(strings.Fields(cmd.CommandPath())[1:], "--apply", "--dry-run", "--reason", "x")
		if strings.Contains(cmd.Use, " PLAN") || strings.Contains(cmd.Use, " ID") && !strings.Contains(cmd.Use, "[ID") {
			path = append(path, "orders/0/1")
		}
		switch cmd.Name() {
		case "reconcile":
			path = append(path, "--repair")
		case "edit":
			path = append(path, "--patch", "-")
		}
		if r := booksync(t, "", nil, path...); r.code != codeUsage || !strings.Contains(r.stderr, "--apply acts and --dry-run does not") {
			t.Errorf("%s: exit %d %s", strings.Join(path, " "), r.code, r.stderr)
		}
	}
}

func TestABarIsShownToPeopleOnly(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := (&cli{stderr: &out}).meter(10, "reading")
	_ = m.Set(5)
	_ = m.Finish()
	if out.Len() > 0 {
		t.Errorf("a file gets %q", out.String())
	}
}
