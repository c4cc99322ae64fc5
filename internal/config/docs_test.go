package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// comments are the comments of the fields of this package's structs, by type and field.
func comments(t *testing.T) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	fset := token.NewFileSet()
	for _, name := range []string{"config.go", "organization.go"} {
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			fields := map[string]string{}
			for _, f := range st.Fields.List {
				for _, ident := range f.Names {
					fields[ident.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
				}
			}
			out[spec.Name.Name] = fields
			return false
		})
	}
	return out
}

// row is one setting for the page.
type row struct{ path, env, value, meaning string }

var defaultAt = regexp.MustCompile(`^(.*?)\s*Default (.+)\.$`)

// settings lists the rows below a struct; deflt is a value of it with the defaults in place.
func settings(t *testing.T, docs map[string]map[string]string, path, env string, deflt reflect.Value) []row {
	t.Helper()
	var out []row
	for i := range deflt.NumField() {
		f, v := deflt.Type().Field(i), deflt.Field(i)
		at := join(path, f.Tag.Get("yaml"))
		if v.Kind() == reflect.Struct && !isScalar(f.Type) {
			out = append(out, settings(t, docs, at, env, v)...)
			continue
		}
		if f.Type.Kind() == reflect.Map && f.Type.Elem() == typeOrganization {
			continue
		}
		comment := docs[deflt.Type().Name()][f.Name]
		m := defaultAt.FindStringSubmatch(comment)
		if m == nil {
			t.Errorf("%s: the comment does not end with its default: %q", at, comment)
			continue
		}
		want := shown(v)
		if m[2] != want && !strings.HasPrefix(m[2], want+" ") {
			t.Errorf("%s: the comment says %q, the default is %q", at, m[2], want)
		}
		name := envName(at)
		if f.Type == typeSecret {
			name += ", " + name + "_FILE"
			name = strings.ReplaceAll(name, ", ", "`, `"+env)
		}
		out = append(out, row{at, env + name, m[2], strings.TrimSuffix(m[1], ".") + limits(f)})
	}
	return out
}

func limits(f reflect.StructField) string {
	least, most := f.Tag.Get("min"), f.Tag.Get("max")
	switch {
	case least != "" && most != "":
		return fmt.Sprintf(" (%s to %s)", least, most)
	case least != "":
		return fmt.Sprintf(" (at least %s)", least)
	}
	return ""
}

// shown is a default as comments write it.
func shown(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Map || v.Kind() == reflect.Slice && v.Len() == 0:
		return "empty"
	case v.Kind() == reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, getText(v.Index(i)))
		}
		return strings.Join(items, ",")
	}
	if text := getText(v); text != "" {
		return text
	}
	return "empty"
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| setting | environment | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		value := "`" + r.value + "`"
		if r.value == "empty" {
			value = ""
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", r.path, r.env, value, strings.ReplaceAll(r.meaning, "|", `\|`))
	}
	return b.String()
}

// elements is the table of a struct below a map or a list, which the environment sets as a whole.
func elements(t *testing.T, docs map[string]map[string]string, path string, v reflect.Value) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n| --- | --- | --- |\n")
	for _, r := range settings(t, docs, path, "", v) {
		value := "`" + r.value + "`"
		if r.value == "empty" {
			value = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.path, value, r.meaning)
	}
	return b.String()
}

func TestPageOfTheConfigurationIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	docs := comments(t)
	organization := reflect.ValueOf(DefaultOrganization())
	generated := map[string]string{
		"settings":      table(settings(t, docs, "", EnvPrefix, reflect.ValueOf(Default()).Elem())),
		"organizations": table(settings(t, docs, "", EnvPrefix+"ORGANIZATIONS_<NAME>_", organization)),
		"taxes":         elements(t, docs, "", reflect.ValueOf(TaxTarget{})),
		"components":    elements(t, docs, "", reflect.ValueOf(TaxComponent{})),
		"line_targets":  elements(t, docs, "", reflect.ValueOf(LineTarget{})),
	}
	file := filepath.Join("..", "..", "docs", "configuration.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for name, part := range generated {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
		i := strings.Index(page, begin)
		if i < 0 {
			t.Errorf("%s has no part %q", file, name)
			continue
		}
		i += len(begin)
		j := strings.Index(page[i:], end)
		if j < 0 {
			t.Fatalf("%s: the part %q has no end", file, name)
		}
		page = page[:i] + part + page[i+j:]
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), page); diff != "" {
		t.Errorf("%s is not that of the code; rewrite with -update:\n%s", file, diff)
	}
}

// TestExamplesOnThePageLoad keeps the page's YAML true: what it shows is a configuration without a problem.
func TestExamplesOnThePageLoad(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) == 0 {
		t.Fatal("there is none")
	}
	for i, e := range examples {
		if _, err := load([]byte(e[1]), Source{File: "example"}, func(string) ([]byte, error) { return []byte("secret"), nil }); err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
	}
}
