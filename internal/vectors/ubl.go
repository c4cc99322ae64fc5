package vectors

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
		Currency string `xml:"currencyID,attr"`
		Text     string `xml:",chardata"`
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

// UBL reads every document (*.xml, in any case) of a folder, in order of their names. An invoice and a credit note that are
// no EN 16931 documents are errors.
func UBL(dir string) ([]*Document, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var docs []*Document
	for _, e := range entries {
		if e.IsDir() || !strings.EqualFold(filepath.Ext(e.Name()), ".xml") {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		d, err := ReadUBL(e.Name(), f)
		f.Close()
		if err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// ReadUBL reads one document.
func ReadUBL(name string, r io.Reader) (*Document, error) {
	dec := xml.NewDecoder(r)
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		enc, err := ianaindex.IANA.Encoding(charset)
		if err != nil || enc == nil {
			return nil, fmt.Errorf("charset %q", charset)
		}
		return enc.NewDecoder().Reader(in), nil
	}
	var u ublDocument
	if err := dec.Decode(&u); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b := &bill{
		name: name, currency: strings.TrimSpace(u.Currency), credit: u.XMLName.Local == "CreditNote" || strings.TrimSpace(u.TypeCode) == "381",
		net: u.Total.Net.Decimal, gross: u.Total.Gross.Decimal, rounding: u.Total.Rounding.Decimal, prepaid: u.Total.Prepaid.Decimal,
		payable: u.Total.Payable.Decimal,
	}
	b.tax = b.gross.Sub(b.net)
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
	for _, t := range u.TaxTotals {
		if t.Amount.Currency != "" && t.Amount.Currency != b.currency {
			continue // the accounting currency's
		}
		for _, s := range t.Subtotals {
			c := s.Category.codes()[0]
			c.Base, c.Amount = s.Base.Decimal, s.Amount.Decimal
			// A category that is there for several reasons is one tax.
			if i := slices.IndexFunc(b.taxes, func(o Category) bool { return o.Code == c.Code }); i >= 0 {
				b.taxes[i].Base, b.taxes[i].Amount = b.taxes[i].Base.Add(c.Base), b.taxes[i].Amount.Add(c.Amount)
				continue
			}
			b.taxes = append(b.taxes, c)
		}
	}
	return b.document()
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

// codes is the category as a tax code: its letter and, unless it's out of scope, its percentage.
func (c *ublCategory) codes() []Category {
	id := strings.TrimSpace(c.ID)
	if id == "O" {
		return []Category{{Code: id}}
	}
	return []Category{{Code: id + " " + c.Percent.String(), Rate: c.Percent.Decimal}}
}
