package config

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// EnvPrefix starts the name of every environment variable of booksync.
const EnvPrefix = "BOOKSYNC_"

// setting is one leaf of the configuration: a scalar, a list, or a map that is set as a whole by the environment.
type setting struct {
	path  string // kafka.session_timeout; of an organisation, below its name: client_secret
	index []int  // for reflect.Value.FieldByIndex
	typ   reflect.Type
	tag   reflect.StructTag
}

// env is the rest of the variable's name, behind the prefix.
func (s setting) env() string { return envName(s.path) }

func envName(path string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, path)
}

// leaves lists the settings of a struct type in its order, without organisations.
func leaves(t reflect.Type) []setting {
	var out []setting
	var walk func(t reflect.Type, path string, index []int)
	walk = func(t reflect.Type, path string, index []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			at, idx := join(path, f.Tag.Get("yaml")), append(append([]int(nil), index...), i)
			switch {
			case f.Type.Kind() == reflect.Map && f.Type.Elem() == typeOrganization:
			case f.Type.Kind() == reflect.Struct && !isScalar(f.Type):
				walk(f.Type, at, idx)
			default:
				out = append(out, setting{path: at, index: idx, typ: f.Type, tag: f.Tag})
			}
		}
	}
	walk(t, "", nil)
	return out
}

var (
	configSettings       = sync.OnceValue(func() []setting { return leaves(reflect.TypeFor[Config]()) })
	organizationSettings = sync.OnceValue(func() []setting { return leaves(typeOrganization) })
)

var fieldIndexes sync.Map // reflect.Type to map[string]int

// fieldIndex maps the keys of a struct to its fields.
func fieldIndex(t reflect.Type) map[string]int {
	if m, ok := fieldIndexes.Load(t); ok {
		return m.(map[string]int)
	}
	m := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		m[t.Field(i).Tag.Get("yaml")] = i
	}
	fieldIndexes.Store(t, m)
	return m
}

// unknownHint helps with a key that the struct at path does not have: a likely name there, or the place where the name is right.
func unknownHint(key, path string, t reflect.Type) string {
	var names []string
	for name := range fieldIndex(t) {
		names = append(names, name)
	}
	if hint := didYouMean(key, names); hint != "" {
		return hint
	}
	for _, s := range configSettings() {
		if strings.HasSuffix(s.path, "."+key) && !strings.HasPrefix(s.path, path+".") {
			return fmt.Sprintf("did you mean %s?", s.path)
		}
	}
	return "the keys here are " + strings.Join(firstNames(names), ", ")
}

// firstNames is at most a dozen names, for a message.
func firstNames(names []string) []string {
	const most = 12
	if len(names) > most {
		return append(names[:most:most], "...")
	}
	return names
}
