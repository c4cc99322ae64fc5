package processor

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/booksync/booksync/schemas"
)

func TestReferencesNeverMeet(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 60)
	for _, id := range []string{"1001", "", strings.Repeat("x", 50), strings.Repeat("x", 51), long + "1", "a  b", " a", "a\u0000b", "A\u030a"} {
		got := reference(id)
		if n := utf8.RuneCountInString(got); n > 50 {
			t.Errorf("reference(%q) has %d characters", id, n)
		}
		if (got == id) != (id == "1001" || id == "" || id == strings.Repeat("x", 50)) {
			t.Errorf("reference(%q) = %q", id, got)
		}
	}
	if reference(long+"1") == reference(long+"2") || reference("a b") == reference("a  b") {
		t.Error("two ids have one reference")
	}
}

func TestTextIsMadeFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{" a\t\r\n b\u00a0c ", 100, "a b c"},
		{"e\u0301", 100, "é"},
		{"a\u0007b\u200bc\ufeffd\u202ee", 100, "abcde"},
		{"क्\u200dष", 100, "क्\u200dष"}, // the joiner is how it's written
		{"\xff\xfeab", 100, "ab"},
		{"abc def", 4, "abc"},
		{"x\u0323\u0323\u0323\u0323", 3, ""}, // marks belong to their letter
		{"日本語日本語", 3, "日本語"},
	} {
		if got := clean(tt.in, tt.limit); got != tt.want {
			t.Errorf("clean(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
	if got := cleanLines("a \r\n\r\n b\tc", 100); got != "a\nb c" {
		t.Errorf("cleanLines gives %q", got)
	}
}

func TestContactsAreTheSameForTheSameCustomer(t *testing.T) {
	t.Parallel()
	org := company(t, "us", "USD", "America/New_York")
	a := planContact(&schemas.Party{Name: "A", Email: " Ann@Example.com "}, "USD", org, time.Time{})
	if b := planContact(&schemas.Party{Name: "A", Email: "ann@example.COM"}, "USD", org, time.Time{}); a.Key != b.Key || a.Key != "email:ann@example.com:USD" {
		t.Errorf("keys %q and %q", a.Key, b.Key)
	}
	if b := planContact(&schemas.Party{ID: "C", Email: "ann@example.com"}, "EUR", org, time.Time{}); b.Key != "customer:C:EUR" || b.Request.CurrencyID != "cur-EUR" {
		t.Errorf("key %q, currency %q", b.Key, b.Request.CurrencyID)
	}
	name := suffixedName(strings.Repeat("n", 120), "customer:C:EUR")
	if utf8.RuneCountInString(name) != 100 || name != suffixedName(strings.Repeat("n", 120), "customer:C:EUR") || name == suffixedName("n", "customer:D:EUR") {
		t.Errorf("suffixed name %q", name)
	}
}
