package fastjson

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/testkit"
)

// amount writes itself.
type amount struct{ decimal.Decimal }

func (a amount) MarshalJSON() ([]byte, error) { return []byte(a.Decimal.String()), nil }

func (a amount) AppendJSON(b []byte) []byte { return AppendDecimal(b, a.Decimal) }

// upper has a MarshalJSON only.
type upper string

func (u upper) MarshalJSON() ([]byte, error) { return json.Marshal("U" + string(u)) }

type common struct {
	ID   string `json:"id"`
	None string `json:"-"`
}

type inner struct {
	Rate  amount   `json:"rate"`
	Maybe amount   `json:"maybe,omitzero"`
	Names []string `json:"names,omitempty"`
	Upper upper    `json:"upper,omitempty"`
}

type sample struct {
	common
	Untagged  int
	Flag      *bool               `json:"flag,omitempty"`
	On        bool                `json:"on"`
	Exact     decimal.Decimal     `json:"exact,omitzero"`
	Optional  decimal.NullDecimal `json:"optional"`
	At        time.Time           `json:"at,omitzero"`
	Lines     []inner             `json:"lines"`
	Line      *inner              `json:"line,omitempty"`
	Again     *sample             `json:"again,omitempty"`
	Texts     map[string]string   `json:"texts,omitempty"`
	Raw       []byte              `json:"raw,omitempty"`
	unwritten string
}

// spelt, silent and bare have what json.Marshal asks for in other ways.
type spelt struct{ A string }

func (s spelt) MarshalText() ([]byte, error) { return []byte("T" + s.A), nil }

type silent struct{ A string }

func (s *silent) MarshalJSON() ([]byte, error) { return []byte(`"P"`), nil }

type bare struct{ A string }

func (b *bare) IsZero() bool { return b.A == "z" }

// over has a MarshalJSON of its own above the one that it embeds.
type over struct {
	amount
	X int
}

func (o over) MarshalJSON() ([]byte, error) { return []byte(`"own"`), nil }

func TestWhatHasRulesOfItsOwnIsLeftToJSONMarshal(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"a year beyond RFC 3339":          struct{ T time.Time }{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a zone beyond it":                struct{ T time.Time }{time.Date(2000, 1, 1, 0, 0, 0, 0, time.FixedZone("", 25*60*60))},
		"text of its own":                 struct{ T spelt }{spelt{"x"}},
		"a number as text":                struct{ N json.Number }{"12"},
		"no number":                       struct{ N json.Number }{},
		"a pointer's method":              &struct{ P silent }{},
		"a pointer's method out of reach": struct{ P silent }{},
		"a pointer's method in a list":    []silent{{}},
		"a pointer's zero": &struct {
			P bare `json:",omitzero"`
		}{bare{"z"}},
		"no pointer's zero": &struct {
			P bare `json:",omitzero"`
		}{},
		"above what it embeds": struct{ O over }{},
		"a name that is escaped": struct {
			A int `json:"a<b"`
		}{},
	} {
		want, refused := json.Marshal(v)
		got, err := Marshal(v)
		if string(got) != string(want) || (err == nil) != (refused == nil) {
			t.Errorf("%s: %s, %v\nwant %s, %v", name, got, err, want, refused)
		}
	}
}

func TestMarshalWritesWhatJSONMarshalWrites(t *testing.T) {
	t.Parallel()
	if !Follows(reflect.TypeFor[sample]()) {
		t.Error("the sample is left to json.Marshal")
	}
	for seed := range uint64(1000) {
		var v sample
		testkit.Fill(rand.New(rand.NewPCG(seed, 1)), reflect.ValueOf(&v).Elem())
		v.unwritten = "x"
		for _, value := range []any{v, &v, v.Lines, v.Line, v.Texts, v.Exact, v.At, v.ID} {
			want, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Marshal(value)
			if err != nil || string(got) != string(want) {
				t.Fatalf("seed %d: %v\n%s\nwant\n%s", seed, err, got, want)
			}
		}
	}
	if got, err := Marshal(nil); err != nil || string(got) != "null" {
		t.Errorf("nil: %s, %v", got, err)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	_, err := Marshal(struct {
		C chan int `json:"c"`
	}{make(chan int)})
	if unsupported := (*json.UnsupportedTypeError)(nil); !errors.As(err, &unsupported) {
		t.Errorf("error = %v", err)
	}
}

func TestWhatHasRulesOfItsOwnIsLeftToJSON(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		struct {
			N int `json:"n,string"`
		}{7},
		struct {
			common
			ID string `json:"id"`
		}{common{ID: "a"}, "b"},
		struct{ *common }{&common{ID: "a"}},
	} {
		if Follows(reflect.TypeOf(v)) {
			t.Errorf("%T is written here", v)
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := Must(v); string(got) != string(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
