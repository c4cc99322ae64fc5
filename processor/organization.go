package processor

import (
	"time"

	"github.com/shopspring/decimal"
)

// Organization is one Zoho Books company as the job sees it: the configured mapping, and what was read from Zoho at
// start (currencies, time zone, locks). It's immutable; a changed mapping is a new value with another Hash.
type Organization struct {
	// Name is what events carry in `organization`; ID is Zoho's organization_id.
	Name, ID string
	// Live organisations refuse test events (accounting rule 12).
	Live bool
	// Modes say how each workflow is worked; one that's not here is on.
	Modes map[Workflow]Mode
	// TimeZone turns instants into calendar days (accounting rule 1).
	TimeZone *time.Location
	// BaseCurrency is the organisation's own currency, ISO 4217.
	BaseCurrency string
	// CurrencyIDs maps ISO codes to Zoho's currency ids, as read from Zoho.
	CurrencyIDs map[string]string
	// Edition is Zoho's edition: us, uk, in, eu, gcc, au, ca, za, ke, mx or global. Edition-only fields go to theirs only.
	Edition string

	// Taxes maps the events' tax codes to Zoho's taxes. A line with several taxes uses their codes, sorted and joined by
	// "+", which must name a tax group here.
	Taxes map[string]TaxTarget
	// DefaultTax is the code of lines without any tax; "" means such lines carry no tax id, or are rejected where
	// TaxRequired says so (VAT and GST editions, accounting rule 7).
	DefaultTax  string
	TaxRequired bool
	// TaxRounding is how Zoho rounds this organisation's taxes: entity_level (its default) or item_level.
	TaxRounding string
	// RoundOff is the organisation's preference for totals, which the API does not show (accounting rule 15):
	// "" or "none", else the increment, such as "1" or "0.05".
	RoundOff string

	// Items maps SKUs to Zoho item ids; LineTargets says what to use for everything else, by line kind ("GOODS") or by
	// line kind and tax code ("GOODS/vat20"), the latter first. A line that finds neither is rejected.account.
	Items       map[string]string
	LineTargets map[string]LineTarget
	// StockItems are the Zoho item ids whose stock is tracked: a credit without returned goods must not restock them, so
	// it's rejected.unsupported by name (accounting rule 5).
	StockItems map[string]bool

	// Clearing maps "gateway/CURRENCY" to the clearing account's id; DefaultClearing is used for unmapped ones, "" rejects.
	Clearing        map[string]string
	DefaultClearing string
	// FeeAccount is where gateway fees go; "" with a fee in the event is rejected.account.
	FeeAccount string
	// PaymentModes maps the events' method to Zoho's payment_mode; unmapped ones are "others".
	PaymentModes map[string]string
	// Locations maps the events' location to Zoho's location_id; an unmapped one is rejected.account.
	Locations map[string]string

	// Fields are the API names of the custom fields that carry key and origin, per entity.
	Fields Fields
	// InvoicePolicy is "sent" (marked sent when created) or "draft".
	InvoicePolicy string
	// MismatchPolicy says what happens when Zoho's total differs by more than the tolerance: "flag" or "void".
	MismatchPolicy string
	// Tolerance is the largest difference, in minor units of the currency per tax rate, posted as adjustment.
	Tolerance int64
	// ZeroTotal is "post" or "skip" for orders whose total is zero.
	ZeroTotal string
	// PaymentTerms is the number of days until an invoice without due_at is due.
	PaymentTerms int
	// NegativeLines says that Zoho accepts lines with a negative rate (UNCONFIRMED, so false by default). With it, credit
	// notes that add up to an invoice equal it per tax and account in every case; without it a tax may end one minor unit
	// short where no positive lines give it, and the rounding line makes up for it.
	NegativeLines bool
	// LockedUntil is the last locked calendar day for sales documents, "" when nothing is locked.
	LockedUntil string
	// LockPolicy is "reject" or "next_open_date" (accounting rule 11).
	LockPolicy string
	// DependencyDeadline is how long a payment waits for its order, a refund for its payment.
	DependencyDeadline time.Duration
	// AppURL is where people open documents, such as https://books.zoho.eu/app/10234695; "" leaves links out.
	AppURL string
	// Hash names this mapping in every outcome.
	Hash string
}

// TaxTarget is what a tax code means in Zoho.
type TaxTarget struct {
	TaxID       string
	ExemptionID string          // instead of TaxID where the edition wants a reason
	Rate        decimal.Decimal // percent, for groups the sum of the components
	Components  []TaxComponent  // of a tax group, in Zoho's order
	// ReverseCharge needs the buyer's tax number.
	ReverseCharge bool
}

// TaxComponent is one tax of a tax group.
type TaxComponent struct {
	Name string
	Rate decimal.Decimal // percent
}

// LineTarget is the item, or the revenue account, that a line is booked on.
type LineTarget struct {
	ItemID    string
	AccountID string
}

// Fields names the custom fields by entity.
type Fields struct {
	Contact, Invoice, Payment, CreditNote EntityFields
}

// EntityFields are the API names of one entity's two fields (cf_...). Key is declared unique in Zoho.
type EntityFields struct {
	Key    string
	Origin string
}
