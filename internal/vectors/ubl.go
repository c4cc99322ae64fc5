package vectors

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shopspring/decimal"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/booksync/booksync/schemas"
)

// The parts of UBL's Invoice and CreditNote that EN 16931 computes with. BT numbers are the standard's business terms.
type (
	ublDocument struct {
		XMLName       xml.Name
		TypeCode      string        `xml:"InvoiceTypeCode"`
		Currency      string        `xml:"DocumentCurrencyCode"` // BT-5
		Allowances    []ublAllow    `xml:"AllowanceCharge"`      // BG-20, BG-21
		TaxTotals     []ublTaxTotal `xml:"TaxTotal"`             // BT-110, BG-23; one more in the accounting currency
		Total         ublTotal      `xml:"LegalMonetaryTotal"`
		InvoiceLines  []ublLine     `xml:"InvoiceLine"`
		CreditedLines []ublLine     `xml:"CreditNoteLine"`
	}
	ublTotal struct {
		Net      ublAmount `xml:"TaxExclusiveAmount"`    // BT-109
		Gross    ublAmount `xml:"TaxInclusiveAmount"`    // BT-112
		Prepaid  ublAmount `xml:"PrepaidAmount"`         // BT-113
		Rounding ublAmount `xml:"PayableRoundingAmount"` // BT-114
		Payable  ublAmount `xml:"PayableAmount"`         // BT-115
	}
	ublTaxTotal struct {
		Amount    ublMoney `xml:"TaxAmount"`
		Subtotals []struct {
			Base     ublAmount   `xml:"TaxableAmount"` // BT-116
			Amount   ublAmount   `xml:"TaxAmount"`     // BT-117
			Category ublCategory `xml:"TaxCategory"`
		} `xml:"TaxSubtotal"`
	}
	ublCategory struct {
		ID      string    `xml:"ID"`      // BT-118, BT-151
		Percent ublAmount `xml:"Percent"` // absent of what is out of scope
	}
	ublAllow struct {
		Charge   string      `xml:"ChargeIndicator"`
		Reason   string      `xml:"AllowanceChargeReason"`
		Amount   ublAmount   `xml:"Amount"` // BT-92, BT-99; of lines BT-136, BT-141
		Category ublCategory `xml:"TaxCategory"`
	}
	ublLine struct {
		Invoiced   ublAmount  `xml:"InvoicedQuantity"` // BT-129
		Credited   ublAmount  `xml:"CreditedQuantity"`
		Amount     ublAmount  `xml:"LineExtensionAmount"` // BT-131
		Allowances []ublAllow `xml:"AllowanceCharge"`
		Item       struct {
			Name     string      `xml:"Name"`
			Category ublCategory `xml:"ClassifiedTaxCategory"`
		} `xml:"Item"`
		Price ublAmount `xml:"Price>PriceAmount"`  // BT-146, of
		Per   ublAmount `xml:"Price>BaseQuantity"` // BT-149
	}
	ublMoney struct {
		Currency string    `xml:"currencyID,attr"`
		Value    ublAmount `xml:",chardata"`
	}
)

// ublAmount is a number; zero where the element is absent or empty.
type ublAmount struct{ decimal.Decimal }

// UnmarshalText reads a decimal.
func (a *ublAmount) UnmarshalText(text []byte) (err error) {
	if s := strings.TrimSpace(string(text)); s != "" {
		a.Decimal, err = decimal.NewFromString(s)
	}
	return err
}

// UBL reads every document (*.xml, in any case) in a folder and below it, in order of their names. What's no EN 16931
// invoice or credit note in UBL is refused, each by itself.
func UBL(dir string) (docs []*Document, refused []Refused, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.EqualFold(filepath.Ext(path), ".xml") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		name, _ := filepath.Rel(dir, path)
		d, err := ReadUBL(filepath.ToSlash(name), f)
		if err != nil {
			refused = append(refused, Refused{Name: filepath.ToSlash(name), Err: err})
			return nil
		}
		docs = append(docs, d)
		return nil
	})
	return docs, refused, err
}

// ReadUBL reads one document, which may be in an envelope.
func ReadUBL(name string, r io.Reader) (*Document, error) {
	dec := xml.NewDecoder(r)
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		enc, err := ianaindex.IANA.Encoding(charset)
		if err != nil || enc == nil {
			return nil, fmt.Errorf("charset %q", charset)
		}
		return enc.NewDecoder().Reader(in), nil
	}
	root, err := ublRoot(dec)
	if err != nil {
		return nil, err
	}
	var u ublDocument
	if err := dec.DecodeElement(&u, root); err != nil {
		return nil, err
	}
	b := &bill{
		name: name, currency: strings.TrimSpace(u.Currency), credit: u.XMLName.Local == "CreditNote" || strings.TrimSpace(u.TypeCode) == "381",
		net: u.Total.Net.Decimal, gross: u.Total.Gross.Decimal, rounding: u.Total.Rounding.Decimal, prepaid: u.Total.Prepaid.Decimal,
		payable: u.Total.Payable.Decimal,
	}
	for _, l := range append(u.InvoiceLines, u.CreditedLines...) {
		b.lines = append(b.lines, l.item())
	}
	for _, a := range u.Allowances {
		it := item{name: strings.TrimSpace(a.Reason), amount: a.Amount.Decimal, codes: a.Category.codes()}
		switch {
		case !a.isCharge():
			b.allowances = append(b.allowances, it)
		case !it.amount.IsZero():
			it.kind, it.quantity, it.price = schemas.LineFee, decimal.NewFromInt(1), it.amount
			if reason := strings.ToLower(it.name); strings.Contains(reason, "freight") || strings.Contains(reason, "shipping") {
				it.kind = schemas.LineShipping
			}
			b.lines = append(b.lines, it)
		}
	}
	for i, t := range u.TaxTotals {
		if t.Amount.Currency != "" && t.Amount.Currency != b.currency || i > 0 && len(t.Subtotals) == 0 {
			continue // the accounting currency's, which may be the same
		}
		b.tax = b.tax.Add(t.Amount.Value.Decimal)
		for _, s := range t.Subtotals {
			codes := s.Category.codes()
			if codes == nil {
				return nil, errors.New("a tax has no category")
			}
			c := codes[0]
			c.Base, c.Amount = s.Base.Decimal, s.Amount.Decimal
			b.addTax(c)
		}
	}
	return b.document()
}

// ublRoot goes to the document's own element.
func ublRoot(dec *xml.Decoder) (*xml.StartElement, error) {
	for {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("no Invoice and no CreditNote of UBL: %w", err)
		}
		if e, ok := t.(xml.StartElement); ok && (e.Name.Local == "Invoice" || e.Name.Local == "CreditNote") {
			return &e, nil
		}
	}
}

func (a *ublAllow) isCharge() bool {
	s := strings.TrimSpace(a.Charge)
	return s == "true" || s == "1"
}

func (l *ublLine) item() item {
	it := item{
		name: strings.TrimSpace(l.Item.Name), quantity: l.Invoiced.Add(l.Credited.Decimal), price: l.Price.Decimal,
		amount: l.Amount.Decimal, codes: l.Item.Category.codes(),
	}
	if l.Per.IsPositive() {
		it.price = it.price.Div(l.Per.Decimal)
	}
	for _, a := range l.Allowances {
		if a.isCharge() {
			it.discount = it.discount.Sub(a.Amount.Decimal)
		} else {
			it.discount = it.discount.Add(a.Amount.Decimal)
		}
	}
	return it
}

// codes is the category as a tax code: its letter and, unless it's out of scope, its percentage; nil where there's none.
func (c *ublCategory) codes() []Category {
	id := strings.TrimSpace(c.ID)
	if id == "" {
		return nil
	}
	if id == "O" {
		return []Category{{Code: id}}
	}
	return []Category{{Code: id + " " + c.Percent.String(), Rate: c.Percent.Decimal}}
}
