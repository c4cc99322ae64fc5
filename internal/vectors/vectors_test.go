package vectors

import (
	"os"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/testkit"
)

// ubl is a document with these elements; amounts are EUR.
func ubl(t *testing.T, root, elements string) *Document {
	t.Helper()
	d, err := ReadUBL(t.Name(), strings.NewReader("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><"+root+"><DocumentCurrencyCode>EUR</DocumentCurrencyCode>"+elements+"</"+root+">"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	vat20 = `<ID>S</ID><Percent>20.0</Percent>`
	line  = `<InvoiceLine><InvoicedQuantity>3</InvoicedQuantity><LineExtensionAmount>30.00</LineExtensionAmount>` +
		`<Item><Name>Box</Name><ClassifiedTaxCategory>` + vat20 + `</ClassifiedTaxCategory></Item><Price><PriceAmount>10</PriceAmount></Price></InvoiceLine>`
)

func sums(net, tax, gross, payable string) string {
	return `<TaxTotal><TaxAmount currencyID="EUR">` + tax + `</TaxAmount><TaxSubtotal><TaxableAmount>` + net + `</TaxableAmount><TaxAmount>` + tax +
		`</TaxAmount><TaxCategory>` + vat20 + `</TaxCategory></TaxSubtotal></TaxTotal><TaxTotal><TaxAmount currencyID="SEK">1.00</TaxAmount></TaxTotal>` +
		`<LegalMonetaryTotal><TaxExclusiveAmount>` + net + `</TaxExclusiveAmount><TaxInclusiveAmount>` + gross + `</TaxInclusiveAmount><PayableAmount>` + payable +
		`</PayableAmount></LegalMonetaryTotal>`
}

func TestADocumentBecomesAnOrder(t *testing.T) {
	t.Parallel()
	allowance := `<AllowanceCharge><ChargeIndicator>false</ChargeIndicator><Amount>5.00</Amount><TaxCategory>` + vat20 + `</TaxCategory></AllowanceCharge>`
	for _, tt := range []struct {
		name, root, elements string
		check                func(d *Document) bool
	}{
		{"a line as it is", "Invoice", line + sums("30.00", "6.00", "36.00", "36.00"), func(d *Document) bool {
			l := d.Order.Lines[0]
			return !d.Credit && l.Quantity.Equal(dec("3")) && l.UnitPrice.Equal(dec("10")) && l.Taxes[0].Code == "S 20" && l.Taxes[0].Amount.Equal(dec("6"))
		}},
		{"a line whose amount isn't quantity x price", "Invoice", strings.Replace(line, "30.00", "10.00", 1) + sums("10.00", "2.00", "12.00", "12.00"), func(d *Document) bool {
			l := d.Order.Lines[0]
			return l.Quantity.Equal(dec("1")) && l.UnitPrice.Equal(dec("10"))
		}},
		{"a negative amount of a positive quantity", "Invoice", line + line + strings.Replace(line, "30.00", "-30.00", 1) + sums("30.00", "6.00", "36.00", "36.00"), func(d *Document) bool {
			return d.Order.Lines[2].Quantity.Equal(dec("-3")) && d.Order.Lines[2].UnitPrice.Equal(dec("10"))
		}},
		{"a discount", "Invoice", line + allowance + sums("25.00", "5.00", "30.00", "30.00"), func(d *Document) bool {
			return len(d.Order.Discounts) == 1 && d.Order.Discounts[0].BeforeTax && d.Order.Discounts[0].Taxes[0].Code == "S 20"
		}},
		{"a discount that is more than its lines", "Invoice", line + strings.Replace(allowance, "5.00", "40.00", 1) + sums("-10.00", "-2.00", "-12.00", "-12.00"), func(d *Document) bool {
			o := d.Order
			return d.Credit && len(o.Discounts) == 0 && o.Lines[0].Quantity.Equal(dec("-3")) && o.Lines[1].Quantity.IsPositive() && o.Lines[1].UnitPrice.Equal(dec("40"))
		}},
		{"a negative document", "Invoice", strings.ReplaceAll(line, "30.00", "-30.00") + sums("-30.00", "-6.00", "-36.00", "-36.00"), func(d *Document) bool {
			return d.Credit && d.Total.Equal(dec("36")) && d.Order.Lines[0].Quantity.IsPositive()
		}},
		{"a credit note", "CreditNote", strings.NewReplacer("InvoiceLine", "CreditNoteLine", "InvoicedQuantity", "CreditedQuantity").Replace(line) + sums("30.00", "6.00", "36.00", "36.00"), func(d *Document) bool {
			return d.Credit && d.Payable.Equal(dec("36")) && len(d.Order.Lines) == 1
		}},
		{"a tax of the document, rounded once", "Invoice", strings.ReplaceAll(line+line+line, "30.00", "30.01") + sums("90.03", "18.01", "108.04", "108.04"), func(d *Document) bool {
			sum := decimal.Zero
			for _, l := range d.Order.Lines {
				sum = sum.Add(l.Taxes[0].Amount)
			}
			return sum.Equal(dec("18.01"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := ubl(t, tt.root, tt.elements); !tt.check(d) {
				t.Errorf("%+v\n%+v", d, d.Order)
			}
		})
	}
}

func TestADocumentThatIsNone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no XML":      "hello",
		"no currency": "<Invoice></Invoice>",
		"no number":   "<Invoice><DocumentCurrencyCode>EUR</DocumentCurrencyCode><LegalMonetaryTotal><PayableAmount>1,5</PayableAmount></LegalMonetaryTotal></Invoice>",
		"a tax on no line": "<Invoice><DocumentCurrencyCode>EUR</DocumentCurrencyCode>" + sums("1", "1", "2", "2") +
			"</Invoice>",
	} {
		if _, err := ReadUBL(name, strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// Every public document is read, and none of them contradicts itself: a reader that loses a part of one would see sums that
// don't hold.
func TestThePublicDocumentsAreSound(t *testing.T) {
	t.Parallel()
	if os.Getenv(testkit.EnvVectors) != "" {
		t.Skip("somebody else's documents: nobody says that they are sound")
	}
	for dir, read := range map[string]func(string) ([]*Document, []Refused, error){"en16931-ubl": UBL, "gobl": GOBL} {
		docs, refused, err := read(testkit.Vectors(t, dir))
		if len(docs) == 0 || len(refused) > 0 || err != nil {
			t.Errorf("%s: %d documents, %v, %v", dir, len(docs), refused, err)
		}
		for _, d := range docs {
			if len(d.Broken) > 0 {
				t.Errorf("%s: %v", d.Name, d.Broken)
			}
		}
	}
}
