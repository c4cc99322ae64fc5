package schemas

import (
	"time"

	"github.com/shopspring/decimal"
)

// Event is what the three kinds of events have in common. Optional strings are "" when the record holds null.
type Event struct {
	// EventID identifies this emission; a producer that sends the same transaction again uses another one.
	EventID string
	// OccurredAt is the instant the producer says it happened, UTC.
	OccurredAt time.Time
	// Source names the producing system, for people.
	Source string
	// Organization is booksync's name of the Zoho Books company (a key of the configuration).
	Organization string
	// Location is the branch; "" when absent.
	Location string
	// Test marks events that must never reach a live organisation.
	Test bool
	// Attributes are free text for people; never part of the business content.
	Attributes map[string]string
}

// OrderKind says what happened to an order.
type OrderKind string

// The kinds of order events.
const (
	OrderCreated   OrderKind = "CREATED"
	OrderUpdated   OrderKind = "UPDATED"
	OrderCancelled OrderKind = "CANCELLED"
)

// Order is a sale as the shop sees it.
type Order struct {
	Event
	Kind             OrderKind
	Revision         int64
	OrderID          string
	OrderNumber      string
	Currency         string              // ISO 4217 alphabetic code
	ExchangeRate     decimal.NullDecimal // one unit of Currency in the organisation's base currency
	PricesIncludeTax bool
	Customer         Party
	Lines            []Line
	Discounts        []Discount
	Totals           Totals
	PlaceOfSupply    string
	PlacedAt         time.Time
	DueAt            time.Time // zero when absent
	Notes            string
}

// Party is a customer.
type Party struct {
	ID              string
	Name            string
	Email           string
	Phone           string
	Company         string
	TaxNumber       string
	TaxTreatment    string
	BillingAddress  *Address // never nil after decoding an Order
	ShippingAddress *Address // nil when absent
}

// Address is a postal address; every field may be empty.
type Address struct {
	Attention  string
	Line1      string
	Line2      string
	City       string
	State      string
	PostalCode string
	Country    string // ISO 3166-1 alpha-2 where known
	Phone      string
}

// LineKind says what a line sells.
type LineKind string

// The kinds of lines.
const (
	LineGoods    LineKind = "GOODS"
	LineService  LineKind = "SERVICE"
	LineShipping LineKind = "SHIPPING"
	LineFee      LineKind = "FEE"
	LineTip      LineKind = "TIP"
	LineGiftCard LineKind = "GIFT_CARD"
	LineRounding LineKind = "ROUNDING"
)

// Line is one line of an order.
type Line struct {
	LineID      string
	Kind        LineKind
	SKU         string
	Name        string
	Description string
	Quantity    decimal.Decimal     // scale 6
	UnitPrice   decimal.Decimal     // scale 6; includes tax if the order's prices do
	Discount    decimal.Decimal     // amount off this line, in the order's currency
	Net         decimal.NullDecimal // the producer's own net (untaxed) amount, if it says one
	Taxes       []Tax
	HSNOrSAC    string
}

// TaxCollector says who owes a tax to the authority.
type TaxCollector string

// Who collects.
const (
	CollectedBySeller      TaxCollector = "SELLER"
	CollectedByMarketplace TaxCollector = "MARKETPLACE"
)

// Tax is one tax on a line.
type Tax struct {
	Code        string
	Rate        decimal.NullDecimal // percent: 19 means 19 %
	Amount      decimal.Decimal
	CollectedBy TaxCollector
}

// Discount is a discount of the whole order.
type Discount struct {
	Amount    decimal.Decimal
	BeforeTax bool
	Code      string
	Taxes     []Tax // non-empty: spread over the lines with these taxes only
}

// Totals are the producer's own sums.
type Totals struct {
	Net, Tax, Gross decimal.Decimal
}

// PaymentKind says what happened to a payment.
type PaymentKind string

// The kinds of payment events.
const (
	PaymentCaptured   PaymentKind = "CAPTURED"
	PaymentReversed   PaymentKind = "REVERSED"
	PaymentDisputed   PaymentKind = "DISPUTED"
	PaymentDisputeWon PaymentKind = "DISPUTE_WON"
	// PaymentFee tells the fee of a payment that was captured without one, as when only the payout knows it.
	PaymentFee PaymentKind = "FEE"
)

// Payment is money received through a gateway.
type Payment struct {
	Event
	Kind             PaymentKind
	PaymentID        string
	OrderID          string
	Amount           decimal.Decimal // gross, before the gateway's fee
	Currency         string
	ExchangeRate     decimal.NullDecimal
	Method           string
	Gateway          string
	GatewayReference string
	Fee              *Fee // nil when unknown
	PayoutID         string
	ReceivedAt       time.Time
	Allocations      []Allocation // empty: everything to OrderID
}

// Fee is what a gateway keeps.
type Fee struct {
	Amount   decimal.Decimal
	Currency string
}

// Allocation is the part of a payment that belongs to one order.
type Allocation struct {
	OrderID string
	Amount  decimal.Decimal
}

// Refund is money or value given back.
type Refund struct {
	Event
	RefundID         string
	OrderID          string
	PaymentID        string
	Amount           decimal.Decimal     // money returned
	CreditTotal      decimal.NullDecimal // value credited; absent: the same as Amount
	Currency         string
	ExchangeRate     decimal.NullDecimal
	Reason           string
	Lines            []RefundLine // empty: by amount only
	Method           string
	Gateway          string
	GatewayReference string
	FeeReturned      *Fee
	RefundedAt       time.Time
}

// RefundLine takes back (a part of) one line of the order.
type RefundLine struct {
	LineID   string
	Quantity decimal.Decimal
	Amount   decimal.Decimal // value credited for this line, tax included
	Taxes    []Tax
}

// Customer is a changed customer; its topic comes later.
type Customer struct {
	Event
	Customer  Party
	ChangedAt time.Time
}
