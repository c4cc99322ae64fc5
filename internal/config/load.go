package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
)

// Source says where the configuration comes from.
type Source struct {
	// File is the YAML file's name; "" for none.
	File string
	// Environ is the environment as os.Environ gives it; variables that do not start with BOOKSYNC_ are ignored.
	Environ []string
	// Overrides are settings by path, such as http.listen, from the command line; they win over all else.
	Overrides map[string]string
}

// Load reads the configuration and checks the form of every value, though not whether everything that is needed is there:
// that is [Config.Validate], which knows what for. The error is an [*Error] with all problems, or says that the file cannot be read.
func Load(src Source) (*Config, error) {
	var text []byte
	if src.File != "" {
		f, err := os.Open(src.File)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		defer func() { _ = f.Close() }()
		text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
	}
	return load(text, src, readBounded)
}

// Parse is Load for a text instead of a file, without environment.
func Parse(text []byte) (*Config, error) {
	return load(text, Source{File: "configuration"}, readBounded)
}

// readBounded reads a secret's file, and of a larger one only enough to tell.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSecret+1))
}

func load(text []byte, src Source, readFile func(string) ([]byte, error)) (*Config, error) {
	c := Default()
	d := &decoder{readFile: readFile}
	if src.File != "" {
		d.document("", src.File, text, true, reflect.ValueOf(c).Elem())
	}
	d.environment(c, src.Environ)
	paths := make([]string, 0, len(src.Overrides))
	for path := range src.Overrides {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		d.override(c, path, src.Overrides[path])
	}
	c.check(&d.problems)
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (d *decoder) override(c *Config, path, text string) {
	var names []string
	for _, s := range configSettings() {
		if s.path == path {
			d.variable(path, "command line", text, reflect.ValueOf(c).Elem().FieldByIndex(s.index))
			return
		}
		names = append(names, s.path)
	}
	d.problems.add(path, "command line", didYouMean(path, names), "unknown setting")
}

// Problems are those of err, when it holds an [*Error]; else nil.
func Problems(err error) []Problem {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Problems
	}
	return nil
}
