package mutation

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua/parse"
)

// TestPatchesFit: every patch changes lines that the code has exactly once, and what comes out is formatted and compiles: a mistake
// that nobody could make proves nothing.
func TestPatchesFit(t *testing.T) {
	t.Parallel()
	c := newCompiler(t)
	for _, m := range read(t) {
		files, err := m.apply()
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		changed := map[string]map[string][]byte{} // by directory
		for path, text := range files {
			switch filepath.Ext(path) {
			case ".go":
				if nice, err := format.Source(text); err != nil || !bytes.Equal(nice, text) {
					t.Errorf("%s: %s is not formatted (%v)", m.name, path, err)
				}
				dir, name := filepath.Split(path)
				if changed[dir] == nil {
					changed[dir] = map[string][]byte{}
				}
				changed[dir][name] = text
			case ".lua":
				if _, err := lua.Parse(bytes.NewReader(text), path); err != nil {
					t.Errorf("%s: %v", m.name, err)
				}
			default:
				t.Errorf("%s: %s is neither Go nor Lua", m.name, path)
			}
		}
		for dir, texts := range changed {
			if err := c.check(dir, texts); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
}

// compiler checks types of packages of which some files are others. What they import comes from the build cache.
type compiler struct {
	fset     *token.FileSet
	packages map[string]*listed // by directory below root, with a slash at the end
	importer types.Importer
	parsed   map[string]*ast.File
}

type listed struct {
	Dir, ImportPath, Export string
	GoFiles                 []string
}

func newCompiler(t *testing.T) *compiler {
	t.Helper()
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=Dir,ImportPath,Export,GoFiles", "./processor", "./connectors/...", "./internal/app")
	cmd.Dir, cmd.Stderr = at, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	c := &compiler{fset: token.NewFileSet(), packages: map[string]*listed{}, parsed: map[string]*ast.File{}}
	exports := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if below, ok := strings.CutPrefix(p.Dir, at+string(filepath.Separator)); ok {
			c.packages[filepath.ToSlash(below)+"/"] = p
		}
	}
	c.importer = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	return c
}

func (c *compiler) check(dir string, changed map[string][]byte) error {
	p := c.packages[dir]
	if p == nil {
		return &os.PathError{Op: "compiling", Path: dir, Err: os.ErrNotExist}
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		f := c.parsed[path]
		if text, ok := changed[name]; ok || f == nil {
			var src any
			if ok {
				src = text
			}
			var err error
			if f, err = parser.ParseFile(c.fset, path, src, parser.SkipObjectResolution); err != nil {
				return err
			}
			if !ok {
				c.parsed[path] = f
			}
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: c.importer}
	_, err := conf.Check(p.ImportPath, c.fset, files, nil)
	return err
}
