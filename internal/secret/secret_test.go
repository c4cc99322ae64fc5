package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const text = "1000.deadbeef.cafe"

type holder struct {
	Open   secret.String  `json:"open" yaml:"open"`
	Ptr    *secret.String `json:"ptr" yaml:"ptr"`
	hidden secret.String
	list   []secret.String
	inner  struct{ deep map[string]secret.String }
}

func TestNothingPrintsTheText(t *testing.T) {
	t.Parallel()
	s := secret.New(text)
	h := holder{Open: s, Ptr: &s, hidden: s, list: []secret.String{s}}
	h.inner.deep = map[string]secret.String{"k": s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10.3s", "%T"} {
		for _, v := range []any{s, &s, h, &h, []any{h}, map[string]any{"a": h}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "p", &s, "h", h, "group", slog.GroupValue(slog.Any("s", s)))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "p", &s, "h", h)
	j, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	out.Write(y)
	_ = gob.NewEncoder(&out).Encode(h)
	fmt.Fprintln(&out, fmt.Errorf("using %v: %w", s, fmt.Errorf("%s", s)))
	if strings.Contains(out.String(), "deadbeef") || strings.Contains(out.String(), fmt.Sprintf("%x", text)[:16]) {
		t.Errorf("the text got out:\n%s", out.String())
	}
	if !strings.Contains(string(j), secret.Mask) || !strings.Contains(string(y), secret.Mask) {
		t.Errorf("want the mask in %s and %s", j, y)
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	var fromYAML, fromJSON struct {
		S secret.String `json:"s" yaml:"s"`
	}
	if err := yaml.Unmarshal([]byte("s: "+text+"\n"), &fromYAML); err != nil || fromYAML.S.Reveal() != text {
		t.Errorf("yaml: %v, %q", err, fromYAML.S.Reveal())
	}
	if err := json.Unmarshal([]byte(`{"s":"`+text+`"}`), &fromJSON); err != nil || fromJSON.S.Reveal() != text {
		t.Errorf("json: %v, %q", err, fromJSON.S.Reveal())
	}
	var flag secret.String
	if err := flag.Set(text); err != nil || flag.Reveal() != text {
		t.Errorf("flag: %v", err)
	}
	if !fromYAML.S.Equal(flag) || fromYAML.S.Equal(secret.New("x")) || fromYAML.S.Equal(secret.String{}) {
		t.Error("Equal is wrong")
	}
	var unset secret.String
	if !unset.IsZero() || unset.Reveal() != "" || unset.String() != "" || !secret.New("").IsZero() {
		t.Error("the zero value is not unset")
	}
	var bad struct{ S secret.String }
	if err := yaml.Unmarshal([]byte("s: [deadbeef]\n"), &bad); err == nil {
		t.Error("a list was read as a secret")
	}
}
