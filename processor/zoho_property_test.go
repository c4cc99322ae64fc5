package processor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// The simulator computes every planned invoice, and every credit note of what an order takes back itself, to the event's
// totals; what it would compute to something else is rejected beforehand. That happens only where the shop rounds otherwise
// than Zoho, and not to many: a plan that rejects everything is right, too.
func TestZohoComputesWhatWasPlanned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rounding, roundOff string
		returns            bool
		refused            int // percent of all orders, at most
	}{
		{"entity_level", "", false, 12},
		{"entity_level", "", true, 15},
		{"item_level", "", false, 12},
		{"item_level", "", true, 25},
		{"entity_level", "1", false, 12},
		{"item_level", "0.05", false, 12},
	} {
		t.Run(fmt.Sprintf("%s %s returns %t", tt.rounding, tt.roundOff, tt.returns), func(t *testing.T) {
			t.Parallel()
			const seed = 20261122
			rnd := rand.New(rand.NewPCG(seed, uint64(len(tt.rounding+tt.roundOff))))
			org := company(t, "gcc", "GBP", "Europe/London")
			org.TaxRounding, org.RoundOff = tt.rounding, tt.roundOff
			z := newZoho(t, org)
			contacts := map[string]string{}
			kinds := map[string]int{}
			for n := range propertyRuns() {
				s := newShop(rnd)
				s.returns, s.afterTax = tt.returns, true
				if n%2 == 0 {
					s.shareTaxes()
				}
				o := s.order(60)
				name := fmt.Sprintf("seed %d order %d in %s", seed, n, o.Currency)
				o.OrderID = fmt.Sprintf("O%d", n)
				if contacts[o.Currency] == "" {
					contacts[o.Currency] = z.contact(o.Currency)
				}
				a, r := checkOrder(o, org)
				if r != nil {
					t.Fatalf("%s: a right order is rejected: %v\n%s", name, r, a)
				}
				plan, r := planInvoice(o, org, contacts[o.Currency], testOrigin)
				if r != nil {
					same := s.perLine == (tt.rounding == itemLevel) && !(tt.returns && s.perLine)
					if why := r.Class == classUnsupported && strings.Contains(r.Message, "another after tax"); same && !why || r.Message == "" {
						t.Fatalf("%s: Zoho rounds as the shop does, but: %v", name, r)
					}
					kinds["refused"]++
					continue
				}
				if c := plan.Returned; c != nil {
					c.Request.CustomerID = plan.Request.CustomerID
					kinds["took back"]++
				}
				z.planned(name, plan, o.Totals.Gross, o.Totals.Tax)
				kinds["accepted"]++
				if !plan.Difference.IsZero() {
					kinds["with a difference"]++
				}
				if wrong := s.spoil(o); wrong != "" {
					if _, r := checkOrder(o, org); r == nil || r.Class != classTotals {
						t.Fatalf("%s: %s is a minor unit off, and the check says %v", name, wrong, r)
					}
				}
			}
			z.balanced("in the end")
			t.Logf("%v", kinds)
			if kinds["refused"]*100 > propertyRuns()*tt.refused {
				t.Errorf("%d of %d orders are refused, more than %d %%", kinds["refused"], propertyRuns(), tt.refused)
			}
			if tt.returns && kinds["took back"] == 0 {
				t.Error("no order took anything back")
			}
		})
	}
}

// shareTaxes makes a tax stand alone on some lines and in a group on others.
func (s *shop) shareTaxes() {
	for i := range s.codes {
		s.codes[i] = strings.ReplaceAll(s.codes[i], "region", "state")
	}
}

// spoil makes one of the order's sums a minor unit wrong, and says which.
func (s *shop) spoil(o *schemas.Order) string {
	unit := money.Unit(s.currency)
	if s.rnd.IntN(2) == 0 {
		unit = unit.Neg()
	}
	sums := []struct {
		name string
		of   *decimal.Decimal
	}{{"totals.net", &o.Totals.Net}, {"totals.tax", &o.Totals.Tax}, {"totals.gross", &o.Totals.Gross}, {"the price of line 1", &o.Lines[0].UnitPrice}}
	pick := sums[s.rnd.IntN(len(sums))]
	if pick.of == &o.Lines[0].UnitPrice && !o.Lines[0].Quantity.Equal(one) {
		return "" // a part of it may round away
	}
	*pick.of = pick.of.Add(unit)
	return pick.name
}
