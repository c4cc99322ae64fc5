package app

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
)

// TestAnOrganisationThatIsNotUsableHoldsUpNobodyElse starts a replica while one of two organisations has no unique fields: the records of the
// other are posted meanwhile, and its own go on without a restart once the fields are there.
func TestAnOrganisationThatIsNotUsableHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	const late, lateID = "late-shop", "20345678"
	bare := simulator.DefaultOrg(lateID)
	other := simulator.New(simulator.Config{Organizations: []simulator.Org{bare}, TokenRequests: -1})
	url, stop, err := other.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	var fields config.EntityFields
	w := newWorld(t, simulator.Switches{}, configured(func(cfg *config.Config) {
		for _, o := range cfg.Organizations {
			fields = o.Fields.Invoice
			o.ID, o.APIBase, o.AccountsBase = lateID, url+"/books/v3", url
			o.LineTargets = map[string]config.LineTarget{
				"GOODS": {ItemID: bare.ItemID(simulator.ItemGoods), AccountID: bare.AccountID(simulator.AccountSales)},
			}
			o.Taxes = map[string]config.TaxTarget{}
			for _, tax := range bare.Taxes {
				o.Taxes[tax.Name] = config.TaxTarget{TaxID: bare.TaxID(tax.Name), Rate: decimal.RequireFromString(tax.Percentage)}
			}
			cfg.Organizations[late] = o
			break
		}
	}))
	r := w.start()
	order := w.order("O1")
	order.Organization = late
	waits := w.one(order)
	w.posted(w.one(w.order("O2")))
	r.parked("unusable", 1)
	if err := r.why(); err == nil || !strings.Contains(err.Error(), "organisation "+late) {
		t.Errorf("readiness says %v", err)
	}
	if w.outcome(waits) != nil {
		t.Error("the record of an organisation that is not usable was settled")
	}

	other.AddFields(lateID, fields.Key, fields.Origin)
	w.posted(waits)
	if err := r.why(); err != nil {
		t.Errorf("readiness says %v", err)
	}
}
