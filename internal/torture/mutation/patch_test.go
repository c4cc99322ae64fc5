package mutation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is where the module lies.
const root = "../../.."

// mutation is one mistake.
type mutation struct {
	name    string
	path    string
	mistake string // a sentence
	seed    string // that catches it
	breaks  string // the promise that the seed finds broken
	files   []filePatch
}

// filePatch changes one file: each hunk's old lines, which the file has exactly once, by its new ones.
type filePatch struct {
	path  string // below root
	hunks []hunk
}

type hunk struct{ old, new string }

// read reads the patches, in the order of their names.
func read(t testing.TB) []*mutation {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.patch")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no patches: %v", err)
	}
	slices.Sort(paths)
	var all []*mutation
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(strings.TrimSuffix(filepath.Base(path), ".patch"), string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		m.path = path
		all = append(all, m)
	}
	return all
}

// parse reads a header, an empty line and a unified diff. The numbers of its hunks are not looked at: their lines say where they
// belong.
func parse(name, text string) (*mutation, error) {
	m := &mutation{name: name}
	head, diff, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Mistake":
			m.mistake = value
		case "Seed":
			m.seed = value
		case "Breaks":
			m.breaks = value
		default:
			return nil, fmt.Errorf("unknown header %q", line)
		}
	}
	if m.mistake == "" {
		return nil, fmt.Errorf("it does not say which mistake it is")
	}
	var f *filePatch
	var h *hunk
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "diff "), strings.HasPrefix(line, "index "):
		case strings.HasPrefix(line, "+++ b/"):
			m.files = append(m.files, filePatch{path: strings.TrimSpace(strings.TrimPrefix(line, "+++ b/"))})
			f, h = &m.files[len(m.files)-1], nil
		case strings.HasPrefix(line, "@@") && f != nil:
			f.hunks = append(f.hunks, hunk{})
			h = &f.hunks[len(f.hunks)-1]
		case h == nil:
			return nil, fmt.Errorf("a line before any hunk: %q", line)
		case line[0] == ' ':
			h.old, h.new = h.old+line[1:], h.new+line[1:]
		case line[0] == '-':
			h.old += line[1:]
		case line[0] == '+':
			h.new += line[1:]
		default:
			return nil, fmt.Errorf("not a line of a diff: %q", line)
		}
	}
	if f == nil {
		return nil, fmt.Errorf("it changes nothing")
	}
	return m, nil
}

// apply makes the mutated files, by their paths below root.
func (m *mutation) apply() (map[string][]byte, error) {
	out := make(map[string][]byte, len(m.files))
	for _, f := range m.files {
		b, err := os.ReadFile(filepath.Join(root, f.path))
		if err != nil {
			return nil, err
		}
		text := "\n" + string(b)
		for _, h := range f.hunks {
			if n := strings.Count(text, "\n"+h.old); n != 1 {
				return nil, fmt.Errorf("%s has these lines %d times, not once:\n%s", f.path, n, h.old)
			}
			text = strings.Replace(text, "\n"+h.old, "\n"+h.new, 1)
		}
		out[f.path] = []byte(text[1:])
	}
	return out, nil
}
