package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mattn/go-shellwords"

	"github.com/booksync/booksync/internal/testkit"
)

// pages are the project's documents.
func pages(t *testing.T) []string {
	t.Helper()
	root := testkit.Root(t)
	var docs []string
	for _, folder := range []string{"docs", "docs/operations", "docs/runbooks"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.md"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no documents in %s: %v", folder, err)
		}
		docs = append(docs, found...)
	}
	return append(docs, filepath.Join(root, "README.md"), filepath.Join(root, "CHANGELOG.md"))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
)

// anchors are the headings of a page as links name them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		out[name] = true
	}
	return out
}

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), filepath.FromSlash(target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: no such file: %s", filepath.Base(page), target)
				continue
			}
			if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: no heading for %s", filepath.Base(page), m[1])
			}
		}
	}
}

var command = regexp.MustCompile("(?m)(?:^|`)booksync ((?:[a-z]+ ?)+)")

// TestCommandsOfTheDocumentsExist holds every `booksync word word` in the documents against the command tree.
func TestCommandsOfTheDocumentsExist(t *testing.T) {
	t.Parallel()
	root := (&cli{}).root()
	names := map[string]bool{}
	for _, sub := range root.Commands() {
		names[sub.Name()] = true
	}
	for _, page := range pages(t) {
		text := read(t, page)
		var code strings.Builder
		for _, m := range regexp.MustCompile("(?s)`[^`]+`|```.*?```").FindAllString(text, -1) {
			code.WriteString(strings.TrimLeft(m, "`"))
			code.WriteByte('\n')
		}
		for _, m := range command.FindAllStringSubmatch(code.String(), -1) {
			if word := strings.Fields(m[1])[0]; !names[word] {
				t.Errorf("%s: there is no command booksync %s", filepath.Base(page), word)
			}
		}
	}
}

// TestCommandLinesOfTheDocumentsAreUnderstood holds every line of a shell block or of a sample of output that calls booksync against the commands' flags.
func TestCommandLinesOfTheDocumentsAreUnderstood(t *testing.T) {
	t.Parallel()
	n := 0
	for _, page := range pages(t) {
		for _, block := range fence.FindAllString(dedent(read(t, page)), -1) {
			for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
				line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "if ! ")
				if !strings.HasPrefix(line, "booksync ") {
					continue
				}
				line, _, _ = strings.Cut(strings.TrimSuffix(line, "; then"), "  #")
				for _, cut := range []string{" | ", " > ", " &"} {
					line, _, _ = strings.Cut(line, cut)
				}
				words, err := shellwords.Parse(line)
				if err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(page), line, err)
					continue
				}
				n++
				if err := understood(words[1:]); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(page), line, err)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("%d command lines only", n)
	}
}

// dedent moves fences of lists to the beginning of their lines.
func dedent(text string) string {
	return regexp.MustCompile("(?m)^ +```").ReplaceAllString(text, "```")
}

// understood parses a command line and runs nothing.
func understood(words []string) error {
	cmd, rest, err := (&cli{}).root().Find(words)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	return err
}

// TestEveryAlertHasARow holds the table from alerts to actions against the alerts, both ways.
func TestEveryAlertHasARow(t *testing.T) {
	t.Parallel()
	root := testkit.Root(t)
	rows := regexp.MustCompile("(?m)^\\| `(Booksync[A-Za-z]+)` \\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(read(t, filepath.Join(root, "docs", "runbooks", "README.md")), -1)
	table := map[string]int{}
	for _, row := range rows {
		table[row[1]]++
		if !strings.Contains(row[3], "](") {
			t.Errorf("%s leads to no page", row[1])
		}
	}
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, filepath.Join(root, "deploy", "prometheus", "alerts.yaml")), -1)
	if len(alerts) < 10 {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		if table[alert[1]] != 1 {
			t.Errorf("%s has %d rows, want one", alert[1], table[alert[1]])
		}
		delete(table, alert[1])
	}
	for name := range table {
		t.Errorf("there is no alert %s", name)
	}
}

func TestSettingsOfTheDocumentsExist(t *testing.T) {
	t.Parallel()
	r := booksync(t, "", nil, "config", "print")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	known := map[string]bool{}
	section := ""
	for _, line := range strings.Split(r.stdout, "\n") {
		name, _, ok := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case !ok:
		case !strings.HasPrefix(line, " "):
			section = name
		case strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   "):
			known[section+"."+name] = true
		}
	}
	setting := regexp.MustCompile("`((?:kafka|topics|engine|schema_registry|redis|claims|zoho|http|telemetry|log)\\.[a-z_]+)[`.:]")
	for _, page := range pages(t) {
		for _, m := range setting.FindAllStringSubmatch(read(t, page), -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no setting %s", filepath.Base(page), m[1])
			}
		}
	}
}
