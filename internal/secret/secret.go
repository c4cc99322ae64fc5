// Package secret has a string that does not print.
//
// Client secrets, refresh tokens, passwords and keys are read from configuration into a String. However it is formatted, logged or
// marshalled, what comes out is a mask; only Reveal gives the text, so that every place that uses a secret can be found by that
// word. The text is held behind a pointer: package fmt walks into unexported fields without asking for methods and would print a plain
// string there, but prints a pointer as an address.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Mask is what a set secret looks like wherever it is printed. An unset one prints as nothing, so that `config print` shows what is missing.
const Mask = "[secret]"

// String is a secret text. The zero value is unset. It is safe to copy and to use from several goroutines.
type String struct{ p *string }

// New wraps text; the empty text gives the zero value.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{p: &text}
}

// Reveal gives the text.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero says whether no secret is set (`omitzero`, `omitempty` of YAML libraries).
func (s String) IsZero() bool { return s.p == nil }

// Equal compares without telling by its duration how much is alike.
func (s String) Equal(other String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String is the mask, or "" when unset.
func (s String) String() string {
	if s.p == nil {
		return ""
	}
	return Mask
}

// GoString is the mask too.
func (s String) GoString() string { return "secret.String(" + s.String() + ")" }

// Format writes the mask whatever the verb and its flags.
func (s String) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// LogValue is the mask.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is the mask.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is the mask as a JSON string.
func (s String) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML is the mask.
func (s String) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalText takes the text as it is.
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}

// UnmarshalYAML takes a scalar; both goccy/go-yaml and yaml.v2/v3 call it.
func (s *String) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return fmt.Errorf("reading a secret: want a text") // the library's own message may quote the value
	}
	*s = New(text)
	return nil
}

// Set reads a flag's value (flag.Value).
func (s *String) Set(text string) error {
	*s = New(text)
	return nil
}

// Type names the flag's kind (pflag.Value).
func (s *String) Type() string { return "secret" }
