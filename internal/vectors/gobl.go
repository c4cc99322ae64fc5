package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/shopspring/decimal"
)

// The parts of a GOBL invoice that its totals follow from.
type (
	goblInvoice struct {
		Schema   string `json:"$schema"`
		Type     string `json:"type"`
		Currency string `json:"currency"`
		Tax      struct {
			PricesInclude string `json:"prices_include"`
		} `json:"tax"`
		Lines     []goblLine  `json:"lines"`
		Discounts []goblAllow `json:"discounts"`
		Charges   []goblAllow `json:"charges"`
		Totals    goblTotals  `json:"totals"`
	}
	goblLine struct {
		Quantity decimal.Decimal `json:"quantity"`
		Item     struct {
			Name  string          `json:"name"`
			Price decimal.Decimal `json:"price"`
		} `json:"item"`
		Discounts []goblAllow     `json:"discounts"`
		Charges   []goblAllow     `json:"charges"`
		Taxes     []goblTax       `json:"taxes"`
		Total     decimal.Decimal `json:"total"`
	}
	goblAllow struct {
		Reason string          `json:"reason"`
		Amount decimal.Decimal `json:"amount"`
		Taxes  []goblTax       `json:"taxes"`
	}
	goblTax struct {
		Category string `json:"cat"`
		Percent  string `json:"percent"`
	}
	goblTotals struct {
		Total, Tax, Payable decimal.Decimal
		Gross               decimal.Decimal `json:"total_with_tax"`
		Rounding, Advance   decimal.Decimal
		Retained            decimal.Decimal `json:"retained_tax"`
		Taxes               struct {
			Categories []struct {
				Code     string `json:"code"`
				Retained bool   `json:"retained"`
				Rates    []struct {
					Base      decimal.Decimal `json:"base"`
					Percent   string          `json:"percent"`
					Amount    decimal.Decimal `json:"amount"`
					Surcharge json.RawMessage `json:"surcharge"`
				} `json:"rates"`
			} `json:"categories"`
		} `json:"taxes"`
	}
)

// GOBL reads every pair <country>/in/<name>, <country>/out/<name>.json of a folder: quantities and prices from the document
// before its calculation, sums from the one after. What's no invoice, or has what an order can't say, is refused, each by itself.
func GOBL(dir string) (docs []*Document, refused []Refused, err error) {
	outs, err := filepath.Glob(filepath.Join(dir, "*", "out", "*.json"))
	for _, out := range outs {
		name, _ := filepath.Rel(dir, out)
		name = filepath.ToSlash(name)
		d, err := readGOBL(name, out)
		if err != nil {
			refused = append(refused, Refused{Name: name, Err: err})
			continue
		}
		docs = append(docs, d)
	}
	return docs, refused, err
}

func readGOBL(name, path string) (*Document, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var envelope struct {
		Doc goblInvoice `json:"doc"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return nil, err
	}
	if schema := envelope.Doc.Schema; !strings.HasSuffix(schema, "/bill/invoice") {
		return nil, fmt.Errorf("no invoice: %s", schema)
	}
	in, err := readGOBLSource(path)
	if err != nil {
		return nil, err
	}
	out := &envelope.Doc
	if len(in.Lines) != len(out.Lines) || in.Currency != "" && in.Currency != out.Currency {
		return nil, fmt.Errorf("in and out differ: %d and %d lines, %q and %q", len(in.Lines), len(out.Lines), in.Currency, out.Currency)
	}
	t := &out.Totals
	b := &bill{
		name: name, currency: out.Currency, credit: out.Type == "credit-note", inclusive: out.Tax.PricesInclude != "", net: t.Total, tax: t.Tax, gross: t.Gross,
		rounding: t.Rounding, prepaid: t.Advance.Add(t.Retained), payable: t.Payable.Sub(t.Advance),
	}
	retained := make(map[string]bool) // taxes that the buyer withholds: a part of the payment
	for _, cat := range t.Taxes.Categories {
		retained[cat.Code] = cat.Retained
		for _, r := range cat.Rates {
			if r.Surcharge != nil {
				return nil, errors.New("a tax has a surcharge")
			}
		}
	}
	for i := range out.Lines {
		l := &out.Lines[i]
		it := item{name: l.Item.Name, quantity: in.Lines[i].Quantity, price: in.Lines[i].Item.Price, amount: l.Total}
		for _, d := range l.Discounts {
			it.discount = it.discount.Add(d.Amount)
		}
		for _, c := range l.Charges {
			it.discount = it.discount.Sub(c.Amount)
		}
		if it.codes, err = goblCodes(l.Taxes, retained); err != nil {
			return nil, err
		}
		b.lines = append(b.lines, it)
	}
	for _, a := range out.Charges {
		it := item{name: a.Reason, kind: "FEE", quantity: decimal.NewFromInt(1), price: a.Amount, amount: a.Amount}
		if it.codes, err = goblCodes(a.Taxes, retained); err != nil {
			return nil, err
		}
		b.lines = append(b.lines, it)
	}
	for _, a := range out.Discounts {
		it := item{name: a.Reason, amount: a.Amount}
		if it.codes, err = goblCodes(a.Taxes, retained); err != nil {
			return nil, err
		}
		b.allowances = append(b.allowances, it)
	}
	for _, cat := range t.Taxes.Categories {
		if cat.Retained {
			continue
		}
		for _, r := range cat.Rates {
			c, err := goblCode(cat.Code, r.Percent)
			if err != nil {
				return nil, err
			}
			c.Base, c.Amount = r.Base, r.Amount
			b.addTax(c)
		}
	}
	return b.document()
}

// readGOBLSource reads the document before its calculation, YAML or JSON.
func readGOBLSource(out string) (*goblInvoice, error) {
	base := strings.TrimSuffix(filepath.Join(filepath.Dir(filepath.Dir(out)), "in", filepath.Base(out)), ".json")
	for _, ext := range []string{".yaml", ".json"} {
		raw, err := os.ReadFile(base + ext)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		asJSON, err := yaml.YAMLToJSON(raw) // JSON is YAML
		if err != nil {
			return nil, err
		}
		var in struct {
			goblInvoice
			Doc *goblInvoice `json:"doc"` // in an envelope
		}
		if err := json.Unmarshal(asJSON, &in); err != nil {
			return nil, err
		}
		if in.Doc != nil {
			return in.Doc, nil
		}
		return &in.goblInvoice, nil
	}
	return nil, fmt.Errorf("no document before its calculation: %s.yaml or .json", base)
}

func goblCodes(taxes []goblTax, retained map[string]bool) ([]Category, error) {
	var codes []Category
	for _, t := range taxes {
		if retained[t.Category] {
			continue
		}
		c, err := goblCode(t.Category, t.Percent)
		if err != nil {
			return nil, err
		}
		codes = append(codes, c)
	}
	slices.SortFunc(codes, func(a, b Category) int { return strings.Compare(a.Code, b.Code) })
	return codes, nil
}

// goblCode is a category and percentage as a tax code; without a percentage it's exempt.
func goblCode(category, percent string) (Category, error) {
	if percent == "" {
		return Category{Code: category}, nil
	}
	rate, err := decimal.NewFromString(strings.TrimSuffix(percent, "%"))
	return Category{Code: category + " " + rate.String(), Rate: rate}, err
}
