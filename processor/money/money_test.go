package money

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func TestMinorUnitIsISO4217(t *testing.T) {
	t.Parallel()
	f, err := os.Open(testkit.Vectors(t, "currency", "iso4217-codes-all.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const code, unit, withdrawn = 2, 4, 5
	seen := make(map[string]bool)
	for _, row := range rows[1:] {
		if row[code] == "" || row[withdrawn] != "" {
			continue
		}
		got, ok := MinorUnit(row[code])
		if row[unit] == "-" || row[unit] == "" {
			if ok {
				t.Errorf("%s has no minor unit, got %d", row[code], got)
			}
			continue
		}
		want, err := strconv.Atoi(row[unit])
		if err != nil {
			t.Fatalf("%s: %v", row[code], err)
		}
		if !ok || int(got) != want {
			t.Errorf("%s: got %d, %t, want %d", row[code], got, ok, want)
		}
		seen[row[code]] = true
	}
	for c := range minorUnits {
		if !seen[c] {
			t.Errorf("%s is in the table and not in ISO 4217", c)
		}
	}
}

func TestRoundGoesHalfUpAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, currency, want string }{
		{"2.265", "EUR", "2.27"},
		{"2.264999", "EUR", "2.26"},
		{"-2.265", "EUR", "-2.27"},
		{"47.34075", "USD", "47.34"},
		{"47.34075", "JPY", "47"},
		{"0.5", "JPY", "1"},
		{"1.0005", "KWD", "1.001"},
		{"1.00005", "CLF", "1.0001"},
		{"1.005", "HUF", "1.01"}, // ISO, not CLDR
		{"1.005", "???", "1.01"},
	} {
		if got := Round(dec(tt.in), tt.currency); !got.Equal(dec(tt.want)) {
			t.Errorf("Round(%s, %s) = %s, want %s", tt.in, tt.currency, got, tt.want)
		}
	}
}

func TestExactAndUnits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, currency string
		exact        bool
		units        int64
	}{
		{"19.90", "EUR", true, 1990},
		{"19.9000", "EUR", true, 1990},
		{"19.905", "EUR", false, 0},
		{"-3", "JPY", true, -3},
		{"3.1", "JPY", false, 0},
		{"0.001", "KWD", true, 1},
		{"1", "XAU", false, 0},
		{"1e10", "EUR", true, 1_000_000_000_000},
	} {
		if got := Exact(dec(tt.in), tt.currency); got != tt.exact {
			t.Errorf("Exact(%s, %s) = %t", tt.in, tt.currency, got)
		}
		got, ok := Units(dec(tt.in), tt.currency)
		if got != tt.units || ok != tt.exact {
			t.Errorf("Units(%s, %s) = %d, %t", tt.in, tt.currency, got, ok)
		}
		if ok && !FromUnits(got, tt.currency).Equal(dec(tt.in)) {
			t.Errorf("FromUnits(%d, %s) = %s", got, tt.currency, FromUnits(got, tt.currency))
		}
	}
	if _, ok := Units(dec("1e30"), "EUR"); ok {
		t.Error("1e30 EUR fits into no int64 of cents")
	}
}

func TestSaneRefusesWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"0": true, "99999999999999.9999": true, "-1.000001": true, "1e18": true,
		"1e9000": false, "1e-9000": false, "123456789012345678901234567890123456789012345": false,
	} {
		if got := Sane(dec(in)); got != want {
			t.Errorf("Sane(%s) = %t", in, got)
		}
	}
}

func TestPercentAndNetOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ gross, rate, net string }{
		{"20", "7", "18.69"}, {"30", "19", "25.21"}, {"10.42", "24", "8.40"}, {"0", "19", "0"}, {"-20", "7", "-18.69"},
	} {
		if got := NetOf(dec(tt.gross), dec(tt.rate), "EUR"); !got.Equal(dec(tt.net)) {
			t.Errorf("NetOf(%s, %s) = %s, want %s", tt.gross, tt.rate, got, tt.net)
		}
	}
	if got := Percent(dec("54.55"), dec("10"), "USD"); !got.Equal(dec("5.46")) {
		t.Errorf("10 %% of 54.55 = %s, want 5.46", got)
	}
}

func TestCashRounding(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, increment, want string }{
		{"20.63", "1", "21"}, {"20.63", "0.5", "20.5"}, {"20.63", "0.25", "20.75"}, {"20.63", "0", "20.63"},
		{"20.625", "0.25", "20.75"}, {"-20.625", "0.25", "-20.75"}, {"20.63", "0.05", "20.65"},
	} {
		if got := ToIncrement(dec(tt.in), dec(tt.increment)); !got.Equal(dec(tt.want)) {
			t.Errorf("ToIncrement(%s, %s) = %s, want %s", tt.in, tt.increment, got, tt.want)
		}
	}
	for currency, want := range map[string]string{"CHF": "0.05", "SEK": "1", "EUR": "0.01", "JPY": "1", "KWD": "0.001"} {
		if got := CashIncrement(currency); !got.Equal(dec(want)) {
			t.Errorf("CashIncrement(%s) = %s, want %s", currency, got, want)
		}
	}
}

func decs(in ...string) []decimal.Decimal {
	out := make([]decimal.Decimal, len(in))
	for i, s := range in {
		out[i] = dec(s)
	}
	return out
}

func TestSpreadByLargestRemainder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, total string
		currency    string
		weights     []decimal.Decimal
		want        []decimal.Decimal
	}{
		{"equal weights give the odd unit to the first", "0.05", "EUR", decs("1", "1"), decs("0.03", "0.02")},
		{"the largest remainder is served first", "1.00", "EUR", decs("1", "3", "2"), decs("0.17", "0.50", "0.33")},
		{"no decimals", "10", "JPY", decs("1", "1", "1"), decs("4", "3", "3")},
		{"negative totals", "-0.05", "EUR", decs("1", "1"), decs("-0.03", "-0.02")},
		{"zero weights", "5", "EUR", decs("0", "0"), decs("5", "0")},
		{"a zero weight gets nothing", "0.01", "EUR", decs("0", "1"), decs("0", "0.01")},
	} {
		got := Spread(dec(tt.total), tt.weights, tt.currency)
		for i := range tt.want {
			if !got[i].Equal(tt.want[i]) {
				t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
	if Spread(dec("1"), nil, "EUR") != nil {
		t.Error("nothing to spread over must give nothing")
	}
}

func TestSpreadLosesNoUnit(t *testing.T) {
	t.Parallel()
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, seed))
	for range 5000 {
		currency := []string{"EUR", "JPY", "KWD", "CLF"}[rnd.IntN(4)]
		weights := make([]decimal.Decimal, 1+rnd.IntN(20))
		limits := make([]decimal.Decimal, len(weights))
		var sum int64
		for i := range weights {
			n := rnd.Int64N(100000)
			if rnd.IntN(4) == 0 {
				n = 0
			}
			weights[i], limits[i] = decimal.New(n, -int32(rnd.IntN(5))), FromUnits(n, currency)
			sum += n
		}
		total := FromUnits(rnd.Int64N(1_000_000)-500_000, currency)
		check(t, total, Spread(total, weights, currency), currency)
		total = FromUnits(rnd.Int64N(sum+1), currency)
		shares, ok := SpreadCapped(total, limits, currency)
		if !ok {
			t.Fatalf("%s over limits of %d units must be possible", total, sum)
		}
		check(t, total, shares, currency)
		for i := range shares {
			if shares[i].Sign() < 0 || shares[i].Cmp(limits[i]) > 0 {
				t.Fatalf("share %d of %s is %s, its limit %s", i, total, shares[i], limits[i])
			}
		}
	}
	if _, ok := SpreadCapped(dec("3"), decs("1", "1"), "EUR"); ok {
		t.Error("more than the limits must not be spread")
	}
}

func check(t *testing.T, total decimal.Decimal, shares []decimal.Decimal, currency string) {
	t.Helper()
	sum := decimal.Zero
	for _, s := range shares {
		if !Exact(s, currency) {
			t.Fatalf("share %s is not exact in %s", s, currency)
		}
		sum = sum.Add(s)
	}
	if !sum.Equal(total) {
		t.Fatalf("shares %v add up to %s, want %s", shares, sum, total)
	}
}

func TestSpreadOfUnitsIsThatOfDecimals(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	for range 5000 {
		currency := []string{"EUR", "JPY", "KWD", "CLF"}[rng.IntN(4)]
		total := FromUnits(rng.Int64N(int64(1)<<(1+rng.IntN(58))), currency)
		weights := make([]decimal.Decimal, 1+rng.IntN(6))
		sum := decimal.Zero
		for i := range weights {
			weights[i] = FromUnits(rng.Int64N(int64(1)<<(1+rng.IntN(58))), currency)
			sum = sum.Add(weights[i])
		}
		if sum.IsZero() {
			continue
		}
		got, want := make([]decimal.Decimal, len(weights)), make([]decimal.Decimal, len(weights))
		if !spreadUnits(got, total, weights, currency) {
			t.Fatalf("%s over %s was not spread", total, weights)
		}
		spreadDecimals(want, total, sum, weights, currency)
		for i := range got {
			if !got[i].Equal(want[i]) {
				t.Fatalf("%s %s over %s is %s, want %s", total, currency, weights, got, want)
			}
		}
	}
	for name, weight := range map[string]decimal.Decimal{"negative": dec("-1"), "of parts of a cent": dec("0.001"), "large": dec("100000000000000000000")} {
		if spreadUnits(make([]decimal.Decimal, 1), dec("1"), []decimal.Decimal{weight}, "EUR") {
			t.Errorf("a weight that is %s was taken", name)
		}
		if spreadUnits(make([]decimal.Decimal, 1), weight, []decimal.Decimal{dec("1")}, "EUR") {
			t.Errorf("a total that is %s was taken", name)
		}
	}
}

func TestArithmeticIsDecimals(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 1))
	number := func() decimal.Decimal {
		d := decimal.New(rng.Int64N(int64(1)<<(1+rng.IntN(62))), int32(rng.IntN(31)-24))
		switch rng.IntN(6) {
		case 0:
			return d.Mul(d) // does not fit into an int64
		case 1:
			return d.Neg()
		case 2:
			return decimal.New(d.CoefficientInt64()%10, d.Exponent())
		}
		return d
	}
	for range 50_000 {
		a, b := number(), number()
		if rng.IntN(4) == 0 {
			b = a.Add(decimal.New(int64(rng.IntN(2)), a.Exponent()-int32(rng.IntN(3))))
		}
		for name, pair := range map[string][2]decimal.Decimal{
			"+": {Add(a, b), a.Add(b)}, "-": {Sub(a, b), a.Sub(b)}, "%": {Percent(a, b, "EUR"), a.Mul(b).Shift(-2).Round(2)},
			"round": {Round(a, "KWD"), a.Round(3)},
		} {
			if !pair[0].Equal(pair[1]) {
				t.Fatalf("%s %s %s = %s, want %s", a, name, b, pair[0], pair[1])
			}
		}
		if got, want := Equal(a, b), a.Equal(b); got != want {
			t.Fatalf("%s = %s: %t", a, b, got)
		}
		n, ok := Units(a, "KWD")
		whole := a.Shift(3)
		if fits := whole.Equal(whole.Truncate(0)) && whole.BigInt().IsInt64(); ok != fits || ok && n != whole.BigInt().Int64() {
			t.Fatalf("%s is %d units, %t", a, n, ok)
		}
	}
}

func BenchmarkSpread(b *testing.B) {
	weights := decs("12.50", "3.99", "100", "0.01", "17.17")
	for b.Loop() {
		Spread(dec("9.99"), weights, "EUR")
	}
}
