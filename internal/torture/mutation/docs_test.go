package mutation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDocumentsListThem: docs/reliability.md has every mutation, with the seed that catches it and the promise it breaks.
func TestTheDocumentsListThem(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("| mutation | the mistake | caught by seed | promise that breaks |\n| --- | --- | ---: | --- |\n")
	for _, m := range read(t) {
		if m.seed == "" || m.breaks == "" {
			t.Errorf("no seed is known that catches %s", m.name)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.name, strings.ReplaceAll(m.mistake, "|", `\|`), m.seed, m.breaks)
	}
	path := filepath.Join(root, "docs/reliability.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "| mutation |")
	if !ok {
		t.Fatal("docs/reliability.md has no table of mutations")
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	want := before + table.String()
	if after != "" {
		want += "\n" + after
	}
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("the table of mutations in docs/reliability.md is not that of the patches: run this test with -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}
