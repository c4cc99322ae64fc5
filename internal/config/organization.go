package config

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/secret"
)

// Organization is one Zoho Books company: how to reach it, and how events map to its books. Its key in the configuration
// is the name that events carry in `organization`. What is marked `hash:"-"` is not part of the mapping.
type Organization struct {
	// Zoho's organization_id. Required. Default empty.
	ID string `yaml:"id"`
	// OAuth client id. Required. Default empty.
	ClientID string `yaml:"client_id" hash:"-"`
	// OAuth client secret. Required. Default empty.
	ClientSecret secret.String `yaml:"client_secret" hash:"-"`
	// OAuth refresh token, from `booksync auth login`. Required. Default empty.
	RefreshToken secret.String `yaml:"refresh_token" hash:"-"`
	// Data centre; empty: zoho.data_center. Default empty.
	DataCenter string `yaml:"data_center" hash:"-" enum:",us,eu,in,au,jp,ca,sa,cn,uk,ae"`
	// Base URL of the API; empty: zoho.api_base. Default empty.
	APIBase string `yaml:"api_base" hash:"-"`
	// Base URL of the accounts server; empty: zoho.accounts_base. Default empty.
	AccountsBase string `yaml:"accounts_base" hash:"-"`
	// Calls in flight; 0: zoho.concurrency. Default 0.
	Concurrency int `yaml:"concurrency" hash:"-" min:"0" max:"1000"`
	// Calls per minute; 0: zoho.calls_per_minute. Default 0.
	CallsPerMinute int `yaml:"calls_per_minute" hash:"-" min:"0" max:"1000000"`

	// Where people open documents; empty: the data centre's https://books.zoho.../app/<id>. Default empty.
	AppURL string `yaml:"app_url" hash:"-"`
	// A live organisation refuses test events. Default true.
	Live bool `yaml:"live"`
	// IANA time zone that turns instants into days; empty: as Zoho says. `explain` needs it, else it uses UTC. Default empty.
	TimeZone string `yaml:"time_zone"`
	// The organisation's own currency, ISO 4217; empty: as Zoho says. `explain` needs it. Default empty.
	BaseCurrency string `yaml:"base_currency"`
	// Zoho's edition: us, uk, in, eu, gcc, au, ca, za, ke, mx or global. Edition-only fields are sent to theirs only.
	// Default global.
	Edition string `yaml:"edition" enum:"us,uk,in,eu,gcc,au,ca,za,ke,mx,global"`

	Workflows Workflows `yaml:"workflows" hash:"-"`

	// Tax codes of the events and what they mean in Zoho. A line with several taxes needs a tax group under its codes, sorted
	// and joined by `+`. Default empty.
	Taxes map[string]TaxTarget `yaml:"taxes"`
	// Code of lines without a tax; empty: no tax id, or rejected where tax_required. Default empty.
	DefaultTax string `yaml:"default_tax"`
	// Reject lines without a tax; for VAT and GST editions. Default false.
	TaxRequired bool `yaml:"tax_required"`
	// How Zoho rounds this organisation's taxes: entity_level or item_level. Default entity_level.
	TaxRounding string `yaml:"tax_rounding" enum:"entity_level,item_level"`
	// The organisation's round-off of totals, which the API does not show: none, or the increment, such as 1 or 0.05.
	// Default none.
	RoundOff string `yaml:"round_off"`

	// SKUs and their Zoho item ids. Default empty.
	Items map[string]string `yaml:"items"`
	// What lines without a mapped SKU are booked on: by kind (`GOODS`), or by kind and tax code (`GOODS/vat20`), which wins.
	// Default empty.
	LineTargets map[string]LineTarget `yaml:"line_targets"`
	// Zoho item ids whose stock is tracked: a refund without returned goods must not restock them and is rejected. Default empty.
	StockItems []string `yaml:"stock_items"`
	// Clearing accounts by `gateway/CURRENCY`. Default empty.
	Clearing map[string]string `yaml:"clearing"`
	// Clearing account of all others; empty: they are rejected. Default empty.
	DefaultClearing string `yaml:"default_clearing"`
	// Account of gateway fees; empty: an event with a fee is rejected. Default empty.
	FeeAccount string `yaml:"fee_account"`
	// Payment methods of the events and Zoho's payment modes; others are `others`. Default empty.
	PaymentModes map[string]string `yaml:"payment_modes"`
	// Locations of the events and Zoho's location ids. Default empty.
	Locations map[string]string `yaml:"locations"`
	Fields    Fields            `yaml:"fields"`

	// New invoices are marked `sent`, or left `draft`, which is not in the ledger. Default sent.
	InvoicePolicy string `yaml:"invoice_policy" enum:"sent,draft"`
	// When Zoho's total differs by more than the tolerance: `flag` it in the outcome, or `void` and reject. Default flag.
	MismatchPolicy string `yaml:"mismatch_policy" enum:"flag,void"`
	// Largest difference posted as adjustment, in minor units of the currency per tax rate. Default 1.
	Tolerance int64 `yaml:"tolerance" min:"0" max:"1000"`
	// Orders whose total is zero: `post` or `skip`. Default post.
	ZeroTotal string `yaml:"zero_total" enum:"post,skip"`
	// Days until an invoice is due that has no due date. Default 0 days.
	PaymentTerms int `yaml:"payment_terms" min:"0" max:"3650"`
	// Zoho accepts lines with a negative rate; nobody has confirmed that it does. Default false.
	NegativeLines bool `yaml:"negative_lines"`
	// Last locked day for sales documents, YYYY-MM-DD, besides the locks that Zoho answers. Default empty.
	LockedUntil string `yaml:"locked_until"`
	// Documents dated in a locked period: `reject`, or post on the `next_open_date`. Default reject.
	LockPolicy string `yaml:"lock_policy" enum:"reject,next_open_date"`
	// How long a payment waits for its order, and a refund for its payment. It runs only while their topic is settled up to
	// the present. Default 1h.
	DependencyDeadline time.Duration `yaml:"dependency_deadline" min:"0s"`
}

// Workflows says how each workflow of an organisation is worked: `on` writes to the books; `shadow` plans and compares with what
// the books hold, and never writes; of one that is `off` the records wait.
type Workflows struct {
	// Order events: `on`, `shadow` or `off`. Default on.
	Order string `yaml:"order" enum:"on,shadow,off"`
	// Payment events: `on`, `shadow` or `off`; not `on` while orders are in shadow. Default on.
	Payment string `yaml:"payment" enum:"on,shadow,off"`
	// Refund events: `on`, `shadow` or `off`; not `on` while orders or payments are in shadow. Default on.
	Refund string `yaml:"refund" enum:"on,shadow,off"`
}

// Of is how a workflow (order, payment, refund) is worked.
func (w Workflows) Of(workflow string) string {
	return map[string]string{"order": w.Order, "payment": w.Payment, "refund": w.Refund}[workflow]
}

// TaxTarget is what a tax code means in Zoho.
type TaxTarget struct {
	// Zoho's tax or tax group id. Default empty.
	TaxID string `yaml:"tax_id"`
	// Zoho's exemption id, where the edition wants a reason instead of a tax. Default empty.
	ExemptionID string `yaml:"exemption_id"`
	// Percent; of a group, the sum of its components. Default 0.
	Rate decimal.Decimal `yaml:"rate"`
	// Components of a tax group, in Zoho's order. Default empty.
	Components []TaxComponent `yaml:"components"`
	// Reverse charge: the buyer's tax number is needed. Default false.
	ReverseCharge bool `yaml:"reverse_charge"`
}

// TaxComponent is one tax of a tax group.
type TaxComponent struct {
	// Its name in Zoho. Default empty.
	Name string `yaml:"name"`
	// Percent. Default 0.
	Rate decimal.Decimal `yaml:"rate"`
}

// LineTarget is the item, or the revenue account, that lines are booked on.
type LineTarget struct {
	// Zoho's item id. Default empty.
	ItemID string `yaml:"item_id"`
	// Zoho's account id. Default empty.
	AccountID string `yaml:"account_id"`
}

// Fields are the API names of the custom fields that carry key and origin; setup creates them.
type Fields struct {
	Contact    EntityFields `yaml:"contact"`
	Invoice    EntityFields `yaml:"invoice"`
	Payment    EntityFields `yaml:"payment"`
	CreditNote EntityFields `yaml:"credit_note"`
}

// EntityFields are one entity's two fields.
type EntityFields struct {
	// API name of the field with the document's key, unique in Zoho. Default cf_booksync_key.
	Key string `yaml:"key"`
	// API name of the field with the document's origin. Default cf_booksync_origin.
	Origin string `yaml:"origin"`
}
