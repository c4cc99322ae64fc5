package money

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/booksync/booksync/internal/testkit"
)

// The folders that money passes through, and what in them has no money: commands print ratios, faults have probabilities.
var (
	moneyFolders = []string{"processor", "schemas", "connectors/zohobooks", "connectors/webhooks", "internal/operator", "internal/simulator", "internal/vectors"}
	notMoney     = []string{"processor/cmd", "internal/simulator/config.go", "internal/simulator/faults.go", "internal/simulator/server.go"}
)

// floats are the places in a file that make or use a float: the types, literals with a fraction or an exponent, and the
// functions of strconv, decimal and big that make one of something exact. A line with `//nolint:forbidigo` says why it may.
func floats(fset *token.FileSet, f *ast.File) []string {
	var found []string
	excused := make(map[int]bool)
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//nolint:forbidigo // ") {
				excused[fset.Position(c.Pos()).Line] = true
			}
		}
	}
	note := func(n ast.Node, what string) {
		if at := fset.Position(n.Pos()); !excused[at.Line] {
			found = append(found, at.String()+": "+what)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if n.Name == "float32" || n.Name == "float64" {
				note(n, n.Name)
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT {
				note(n, n.Value)
			}
		case *ast.SelectorExpr:
			switch n.Sel.Name {
			case "ParseFloat", "InexactFloat64", "Float64", "NewFromFloat", "NewFromFloat32", "NewFromFloatWithExponent", "NewFloat", "SetFloat64":
				note(n, n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestNoFloatOnTheWayOfMoney(t *testing.T) {
	t.Parallel()
	root, read := testkit.Root(t), 0
	for _, folder := range moneyFolders {
		err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(folder)), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a part that is not built yet
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if slices.Contains(notMoney, filepath.ToSlash(rel)) {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution|parser.ParseComments)
			if err != nil {
				return err
			}
			read++
			for _, where := range floats(fset, f) {
				t.Errorf("%s: money is decimal, never a float", where)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if read < 100 {
		t.Errorf("only %d files were read", read)
	}
}

func TestFloatsAreFound(t *testing.T) {
	t.Parallel()
	const source = `package p
		var a float64
		var seconds float64 //nolint:forbidigo // a duration
		func f(b float32) { c := 0.1; d := 1e3; e, _ := strconv.ParseFloat("1", 64); g := decimal.NewFromFloat(x); h := d.InexactFloat64() }`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", source, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got := floats(fset, f); len(got) != 7 {
		t.Errorf("found %d, want 7: %q", len(got), got)
	}
}
