package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Print writes the configuration as YAML, every setting, secrets masked. What it writes loads again, once the secrets are
// put in.
func (c *Config) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	printStruct(b, reflect.ValueOf(c).Elem(), "")
	if err := b.Flush(); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return nil
}

func printStruct(b *bufio.Writer, v reflect.Value, indent string) {
	for i := range v.NumField() {
		printEntry(b, v.Type().Field(i).Tag.Get("yaml"), v.Field(i), indent)
	}
}

func printEntry(b *bufio.Writer, key string, v reflect.Value, indent string) {
	head := indent + key + ":"
	switch {
	case isScalar(v.Type()):
		_, _ = fmt.Fprintf(b, "%s %s\n", head, quoted(v))
	case v.Kind() == reflect.Struct:
		_, _ = fmt.Fprintln(b, head)
		printStruct(b, v, indent+"  ")
	case v.Len() == 0 && v.Kind() == reflect.Slice:
		_, _ = fmt.Fprintln(b, head, "[]")
	case v.Len() == 0:
		_, _ = fmt.Fprintln(b, head, "{}")
	case v.Kind() == reflect.Slice && isScalar(v.Type().Elem()):
		items := make([]string, v.Len())
		for i := range items {
			items[i] = quoted(v.Index(i))
		}
		_, _ = fmt.Fprintf(b, "%s [%s]\n", head, strings.Join(items, ", "))
	case v.Kind() == reflect.Slice:
		_, _ = fmt.Fprintln(b, head)
		for i := range v.Len() {
			_, _ = fmt.Fprintf(b, "%s  -\n", indent)
			printStruct(b, v.Index(i), indent+"    ")
		}
	default:
		_, _ = fmt.Fprintln(b, head)
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, k := range keys {
			printEntry(b, quote(k.String()), v.MapIndex(k), indent+"  ")
		}
	}
}

// quoted is a scalar as YAML: numbers, booleans and durations bare, texts quoted where they need it.
func quoted(v reflect.Value) string {
	text := getText(v)
	if v.Type() == typeDuration || v.Kind() != reflect.String && v.Type() != typeSecret {
		return text
	}
	return quote(text)
}

// quote leaves plain words as they are and writes all else in double quotes, whose escapes YAML shares with Go for what
// strconv.QuoteToASCII makes of valid text.
func quote(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./+-", r))
	}) < 0 && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain {
		return s
	}
	return strconv.QuoteToASCII(strings.ToValidUTF8(s, "\uFFFD"))
}
