package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/booksync/booksync/internal/operator/configdiff"
)

func TestConfigDiff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, oldnew ...string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.NewReplacer(oldnew...).Replace(booksyncYAML)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	before := file("old.yaml")
	after := file("new.yaml", "460000000026049", "460000000026055", "rate: 20", "rate: 19", "stripe/EUR", "adyen/EUR", "username: booksync", "username: books",
		"very-secret", "another-secret", "taxes:", "workflows: {order: shadow, payment: shadow, refund: off}\n    taxes:")
	same := booksync(t, "", nil, "config", "diff", before, file("same.yaml", "rate: 20", "rate: 20.0"))
	if same.code != 0 || !strings.HasSuffix(same.stdout, "unchanged\nnothing differs\n") {
		t.Errorf("equal: %+v", same)
	}
	r := booksync(t, "", nil, "config", "diff", before, after)
	if r.code != 1 || strings.Contains(r.stdout+r.stderr, "another-secret") {
		t.Errorf("exit %d\n%s", r.code, r.stderr)
	}
	golden(t, "config_diff", r.stdout)
	r = booksync(t, "", nil, "config", "diff", before, after, "--json")
	var d configdiff.Diff
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil || r.code != 1 || len(d.Changes) != 9 || d.Organizations[0].OldHash == d.Organizations[0].NewHash {
		t.Errorf("%v\n%s", err, r.stdout)
	}
	if r := booksync(t, "", nil, "config", "diff", before, filepath.Join(dir, "nowhere.yaml")); r.code != 2 {
		t.Errorf("missing file: %+v", r)
	}
}
