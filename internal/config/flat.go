package config

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/secret"
)

// Flat is one setting, or one element of a map or list below it.
type Flat struct {
	// Path names it, such as organizations.acme.taxes.vat20.rate.
	Path string
	// Text is its value; of a secret, [secret] where it's set.
	Text   string
	secret secret.String
}

// Same says whether two values are equal, secrets included.
func (f Flat) Same(g Flat) bool { return f.Text == g.Text && f.secret.Equal(g.secret) }

// Secret says whether the value must not be shown.
func (f Flat) Secret() bool { return !f.secret.IsZero() }

// Flatten lists all settings in their order, the keys of maps sorted.
func (c *Config) Flatten() []Flat {
	var out []Flat
	flatten(reflect.ValueOf(c).Elem(), "", &out)
	return out
}

func flatten(v reflect.Value, path string, out *[]Flat) {
	if s, ok := v.Interface().(secret.String); ok {
		*out = append(*out, Flat{Path: path, Text: s.String(), secret: s})
		return
	}
	switch {
	case v.Type() == typeDecimal:
		*out = append(*out, Flat{Path: path, Text: canonical(v.Interface().(decimal.Decimal))})
	case isScalar(v.Type()):
		*out = append(*out, Flat{Path: path, Text: getText(v)})
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			flatten(v.MapIndex(k), join(path, k.String()), out)
		}
	case v.Kind() == reflect.Slice && isScalar(v.Type().Elem()):
		items := make([]string, v.Len())
		for i := range items {
			items[i] = getText(v.Index(i))
		}
		*out = append(*out, Flat{Path: path, Text: strings.Join(items, ",")})
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			flatten(v.Index(i), fmt.Sprintf("%s[%d]", path, i), out)
		}
	default:
		for i := range v.NumField() {
			flatten(v.Field(i), join(path, v.Type().Field(i).Tag.Get("yaml")), out)
		}
	}
}

// LoadForReading loads a file as it is, without environment, to be looked at and not run: files that hold secrets need not be here, and a secret's
// value is then the file's name.
func LoadForReading(name string) (*Config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return load(text, Source{File: name}, func(file string) ([]byte, error) { return []byte("file " + file), nil })
}
