package config

import (
	"fmt"

	"github.com/booksync/booksync/processor"
)

// Mapping is [Organization.Mapping] of the organisation with this name, with links to documents at its data centre.
func (c *Config) Mapping(name string) (processor.Organization, error) {
	o, ok := c.Organizations[name]
	if !ok {
		return processor.Organization{}, fmt.Errorf("organisation %q is not configured", clip(name))
	}
	o.AppURL = c.appURL(o)
	return o.Mapping(name)
}

// Mapping is the organisation as the job sees it, as far as the configuration knows it: CurrencyIDs, and the time zone and
// base currency where they are not configured, are read from Zoho by the caller. TimeZone is nil when it is not configured.
func (o Organization) Mapping(name string) (processor.Organization, error) {
	out := processor.Organization{
		Name: name, ID: o.ID, Live: o.Live,
		Modes: map[processor.Workflow]processor.Mode{
			processor.WorkflowOrder: processor.Mode(o.Workflows.Order), processor.WorkflowPayment: processor.Mode(o.Workflows.Payment),
			processor.WorkflowRefund: processor.Mode(o.Workflows.Refund),
		},
		BaseCurrency: o.BaseCurrency, Edition: o.Edition,
		Taxes:      make(map[string]processor.TaxTarget, len(o.Taxes)),
		DefaultTax: o.DefaultTax, TaxRequired: o.TaxRequired, TaxRounding: o.TaxRounding,
		Items: o.Items, LineTargets: make(map[string]processor.LineTarget, len(o.LineTargets)),
		Clearing: o.Clearing, DefaultClearing: o.DefaultClearing, FeeAccount: o.FeeAccount,
		PaymentModes: o.PaymentModes, Locations: o.Locations,
		Fields: processor.Fields{
			Contact: processor.EntityFields(o.Fields.Contact), Invoice: processor.EntityFields(o.Fields.Invoice),
			Payment: processor.EntityFields(o.Fields.Payment), CreditNote: processor.EntityFields(o.Fields.CreditNote),
		},
		InvoicePolicy: o.InvoicePolicy, MismatchPolicy: o.MismatchPolicy, Tolerance: o.Tolerance, ZeroTotal: o.ZeroTotal,
		PaymentTerms: o.PaymentTerms, LockedUntil: o.LockedUntil, LockPolicy: o.LockPolicy,
		DependencyDeadline: o.DependencyDeadline,
		NegativeLines:      o.NegativeLines,
		AppURL:             o.AppURL,
		Hash:               o.Hash(),
	}
	if len(o.StockItems) > 0 {
		out.StockItems = make(map[string]bool, len(o.StockItems))
		for _, id := range o.StockItems {
			out.StockItems[id] = true
		}
	}
	if o.RoundOff != "none" {
		out.RoundOff = o.RoundOff
	}
	if o.TimeZone != "" {
		zone, err := loadLocation(o.TimeZone)
		if err != nil {
			return processor.Organization{}, fmt.Errorf("loading the time zone %q: %w", clip(o.TimeZone), err)
		}
		out.TimeZone = zone
	}
	for code, t := range o.Taxes {
		target := processor.TaxTarget{TaxID: t.TaxID, ExemptionID: t.ExemptionID, Rate: t.Rate, ReverseCharge: t.ReverseCharge}
		for _, part := range t.Components {
			target.Components = append(target.Components, processor.TaxComponent(part))
		}
		out.Taxes[code] = target
	}
	for key, t := range o.LineTargets {
		out.LineTargets[key] = processor.LineTarget(t)
	}
	return out, nil
}

// appHosts are where people open Zoho Books, by data centre. Canada's is on a domain of its own.
var appHosts = map[string]string{
	"us": "books.zoho.com", "eu": "books.zoho.eu", "in": "books.zoho.in", "au": "books.zoho.com.au", "jp": "books.zoho.jp",
	"ca": "books.zohocloud.ca", "sa": "books.zoho.sa", "cn": "books.zoho.com.cn", "uk": "books.zoho.uk", "ae": "books.zoho.ae",
}

// appURL is the base of links to documents; none where the API is not Zoho's own.
func (c *Config) appURL(o Organization) string {
	if o.AppURL != "" {
		return o.AppURL
	}
	host := appHosts[firstText(o.DataCenter, c.Zoho.DataCenter)]
	if host == "" || o.ID == "" || firstText(o.APIBase, c.Zoho.APIBase) != "" {
		return ""
	}
	return "https://" + host + "/app/" + o.ID
}
