package processor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// moneyPage is docs/money.md, its white space made single blanks.
func moneyPage(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "money.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(raw)), " ")
}

// The worked examples of docs/money.md are computed here, and the page must say what comes out.
func TestTheExamplesOfTheMoneyPageAreComputed(t *testing.T) {
	t.Parallel()
	page := moneyPage(t)
	two := func(d decimal.Decimal) string { return d.StringFixed(2) }
	round := func(text string) string { return two(money.Round(dec(text), "EUR")) }
	percent := func(base, rate string) string { return two(money.Percent(dec(base), dec(rate), "EUR")) }
	net := func(gross, rate string) string { return two(money.NetOf(dec(gross), dec(rate), "EUR")) }
	included := func(gross, rate string) string { return two(dec(gross).Sub(money.NetOf(dec(gross), dec(rate), "EUR"))) }
	product := dec("4.4556").Mul(dec("10.625"))
	parts := money.Spread(dec("0.05"), []decimal.Decimal{one, one}, "EUR")
	line := money.Round(dec("54.54545"), "EUR")
	increments := make([]string, 3)
	for i, increment := range []string{"1", "0.5", "0.25"} {
		increments[i] = two(money.ToIncrement(dec("20.63"), dec(increment)))
	}
	for _, says := range []string{
		fmt.Sprintf("0.1 + 0.2 is %s here", dec("0.1").Add(dec("0.2"))),
		fmt.Sprintf("4.4556 x 10.625 = %s is %s USD and %s JPY", product, money.Round(product, "USD"), money.Round(product, "JPY")),
		fmt.Sprintf("2.265 is %s, -2.265 is %s", round("2.265"), round("-2.265")),
		fmt.Sprintf("54.54545 at 10 %%: the line is %s, its tax 5.455, rounded %s, together %s", line, percent(line.String(), "10"),
			line.Add(dec(percent(line.String(), "10")))),
		fmt.Sprintf("per document 9.75 x 19 %% = 1.8525, %s; per line 0.62 + 0.62 + 0.62 = %s", percent("9.75", "19"), dec(percent("3.25", "19")).Mul(dec("3"))),
		fmt.Sprintf("20.00 with 7 %%: tax %s, net %s", included("20", "7"), net("20", "7")),
		fmt.Sprintf("0.05 over two equal lines is %s and %s", parts[0], parts[1]),
		fmt.Sprintf("1710.00 with CGST 9 %% and SGST 9 %%: %s + %[1]s", percent("1710", "9")),
		fmt.Sprintf("GST is 5 %% of 0.20, %s, and not %s twice", percent("0.20", "5"), percent("0.10", "5")),
		fmt.Sprintf("9.975 %% of 100.00 = %s", percent("100", "9.975")),
		fmt.Sprintf("20.63 becomes %s (whole), %s (0.5) or %s (0.25)", increments[0], increments[1], increments[2]),
		fmt.Sprintf("9 pieces at 9.88 are %s; a net of 88.91 is accepted (88.91 / 9 = %s)", dec("9.88").Mul(dec("9")), dec("88.91").DivRound(dec("9"), 4)),
	} {
		if !strings.Contains(page, says) {
			t.Errorf("docs/money.md does not say: %s", says)
		}
	}
	org := company(t, "eu", "EUR", "Europe/Berlin")
	org.Taxes["vat21"] = TaxTarget{TaxID: "tax-21", Rate: dec("21")}
	order := func(net string, accepted bool) {
		l := goods("1", "9", "9.88")
		l.Net = optDec(net)
		if _, r := checkOrder(orderOf("EUR", net, "0", net, l), org); (r == nil) != accepted {
			t.Errorf("a net of %s of 9 pieces at 9.88: %v", net, r)
		}
	}
	order("88.91", true)
	order("88.80", false)
	for currency, amounts := range map[string]map[string]bool{"EUR": {"19.905": false}, "CLF": {"1.2345": true}, "JPY": {"1.5": false}} {
		for amount, fine := range amounts {
			if r := checkAmount("it", dec(amount), currency); (r == nil) != fine {
				t.Errorf("%s %s: %v", amount, currency, r)
			}
		}
	}
	// The cent that a shop puts where Zoho does not.
	vat := func() schemas.Tax { return tax("vat19", "19", "0.62") }
	o := orderOf("EUR", "9.75", "1.86", "11.61", goods("1", "1", "3.25", vat()), goods("2", "1", "3.25", vat()), goods("3", "1", "3.25", vat()))
	plan, r := planInvoice(o, org, "contact-1", testOrigin)
	if r != nil || !plan.Request.Adjustment.Equal(dec("0.01")) {
		t.Fatalf("adjustment %s, %v", plan.Request.Adjustment, r)
	}
	if says := "a shop that rounds per line says 11.61, Zoho makes 11.60: adjustment 0.01, difference 0.01"; !strings.Contains(page, says) {
		t.Errorf("docs/money.md does not say: %s", says)
	}
}

// Every test that docs/money.md names exists.
func TestTheTestsOfTheMoneyPageExist(t *testing.T) {
	t.Parallel()
	root := testkit.Root(t)
	out, err := exec.CommandContext(t.Context(), "grep", "-rhoE", "--include=*_test.go", "^func Test[A-Za-z0-9]+", root).Output()
	if err != nil {
		t.Skipf("no grep here: %v", err)
	}
	funcs := strings.Split(strings.ReplaceAll(string(out), "func ", ""), "\n")
	for _, name := range regexp.MustCompile(`Test[A-Z][A-Za-z0-9]+`).FindAllString(moneyPage(t), -1) {
		if !slices.ContainsFunc(funcs, func(f string) bool { return strings.HasPrefix(f, name) }) {
			t.Errorf("docs/money.md names %s, and there is no such test", name)
		}
	}
}
