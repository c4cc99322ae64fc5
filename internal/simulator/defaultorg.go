package simulator

import "slices"

// Names of what DefaultOrg has beside the system accounts. Ids: ID(org, KindAccount, name), Org.AccountID(name) and so on.
const (
	AccountOther      = "Other Charges"
	AccountTips       = "Tips Liability"
	AccountGiftCards  = "Gift Card Liability"
	AccountStripe     = "Stripe Clearing"
	AccountPayPal     = "PayPal Clearing"
	AccountRazorpay   = "Razorpay Clearing"
	AccountBank       = "Operating Bank"
	AccountDisputes   = "Disputed Payments"
	ItemGoods         = "Goods"
	ItemService       = "Service"
	ItemShipping      = "Shipping"
	ItemFee           = "Fee"
	ItemTip           = "Tip"
	ItemGiftCard      = "Gift Card"
	ItemRounding      = "Rounding"
	TaxZero           = "Zero Rate"
	TaxExempt         = "Exempt"
	ExemptionResale   = "RESALE"
	ExemptionExport   = "EXPORT"
	defaultKeyField   = "cf_booksync_key"
	defaultOriginName = "cf_booksync_origin"
)

// country is what differs between the countries DefaultOrg knows.
type country struct {
	currency, zone string
	taxes          []Tax
	groups         []TaxGroup
	state          string
}

var countries = map[string]country{
	"US": {"USD", "America/New_York", []Tax{
		{Name: "NY Sales Tax", Percentage: "8.875"}, {Name: "NJ Sales Tax", Percentage: "6.625"}, {Name: "TX Sales Tax", Percentage: "8.25"},
		{Name: "CA Sales Tax", Percentage: "7.25"}}, nil, ""},
	"GB": {"GBP", "Europe/London", []Tax{{Name: "VAT 20", Percentage: "20"}, {Name: "VAT 5", Percentage: "5"}}, nil, ""},
	"DE": {"EUR", "Europe/Berlin", []Tax{{Name: "USt 19", Percentage: "19"}, {Name: "USt 7", Percentage: "7"}}, nil, ""},
	"IN": {"INR", "Asia/Kolkata", []Tax{
		{Name: "IGST18", Percentage: "18", Specific: "igst"}, {Name: "IGST12", Percentage: "12", Specific: "igst"},
		{Name: "IGST5", Percentage: "5", Specific: "igst"},
		{Name: "CGST9", Percentage: "9", Specific: "cgst"}, {Name: "SGST9", Percentage: "9", Specific: "sgst"},
		{Name: "CGST6", Percentage: "6", Specific: "cgst"}, {Name: "SGST6", Percentage: "6", Specific: "sgst"},
		{Name: "CGST2.5", Percentage: "2.5", Specific: "cgst"}, {Name: "SGST2.5", Percentage: "2.5", Specific: "sgst"}},
		[]TaxGroup{{Name: "GST18", Taxes: []string{"CGST9", "SGST9"}}, {Name: "GST12", Taxes: []string{"CGST6", "SGST6"}},
			{Name: "GST5", Taxes: []string{"CGST2.5", "SGST2.5"}}}, "MH"},
	"AE": {"AED", "Asia/Dubai", []Tax{{Name: "VAT 5", Percentage: "5"}}, nil, "DU"},
	"AU": {"AUD", "Australia/Sydney", []Tax{{Name: "GST 10", Percentage: "10"}}, nil, ""},
	"CA": {"CAD", "America/Toronto", []Tax{
		{Name: "GST 5", Percentage: "5"}, {Name: "HST 13", Percentage: "13"}, {Name: "PST 7", Percentage: "7"}, {Name: "QST 9.975", Percentage: "9.975"}},
		[]TaxGroup{{Name: "GST+PST", Taxes: []string{"GST 5", "PST 7"}}, {Name: "GST+QST", Taxes: []string{"GST 5", "QST 9.975"}}}, ""},
}

// Currencies with their ISO 4217 minor units.
var currenciesKnown = []Currency{
	{Code: "USD", Name: "United States Dollar", Symbol: "$", Precision: 2},
	{Code: "EUR", Name: "Euro", Symbol: "€", Precision: 2},
	{Code: "GBP", Name: "Pound Sterling", Symbol: "£", Precision: 2},
	{Code: "INR", Name: "Indian Rupee", Symbol: "₹", Precision: 2},
	{Code: "JPY", Name: "Japanese Yen", Symbol: "¥", Precision: 0},
	{Code: "KWD", Name: "Kuwaiti Dinar", Symbol: "KWD", Precision: 3},
	{Code: "AED", Name: "UAE Dirham", Symbol: "AED", Precision: 2},
	{Code: "AUD", Name: "Australian Dollar", Symbol: "$", Precision: 2},
	{Code: "CAD", Name: "Canadian Dollar", Symbol: "$", Precision: 2},
	{Code: "CHF", Name: "Swiss Franc", Symbol: "CHF", Precision: 2},
	{Code: "SGD", Name: "Singapore Dollar", Symbol: "$", Precision: 2},
	{Code: "NZD", Name: "New Zealand Dollar", Symbol: "$", Precision: 2},
	{Code: "CLP", Name: "Chilean Peso", Symbol: "$", Precision: 0},
	{Code: "BHD", Name: "Bahraini Dinar", Symbol: "BHD", Precision: 3},
}

// DefaultOrg is a plausible US company; DefaultOrgIn one of another country. They have no custom fields yet: AddFields.
func DefaultOrg(id string) Org { return DefaultOrgIn(id, "US") }

// DefaultOrgIn is a plausible company in US, GB, DE, IN, AE, AU or CA (else: as in the US): currency, time zone, taxes
// with a zero rate and an exempt one, tax groups where the country has them, an item per kind of line, and accounts for
// revenue, liabilities, gateways and fees.
func DefaultOrgIn(id, countryCode string) Org {
	c, ok := countries[countryCode]
	if !ok {
		c = countries["US"]
	}
	taxes := append(slices.Clone(c.taxes), Tax{Name: TaxZero, Percentage: "0"}, Tax{Name: TaxExempt, Percentage: "0"})
	return Org{
		ID: id, Name: "Simulated Company " + id, Country: countryCode, Currency: c.currency, TimeZone: c.zone, State: c.state,
		Taxes: taxes, TaxGroups: slices.Clone(c.groups),
		Exemptions: []Exemption{{Code: ExemptionResale, Type: "customer"}, {Code: ExemptionExport, Type: "item"}},
		Currencies: slices.Clone(currenciesKnown),
		Accounts: []Account{
			{Name: AccountReceivable, Type: "accounts_receivable"},
			{Name: AccountUndeposited, Type: "cash"},
			{Name: AccountBank, Type: "bank"},
			{Name: AccountStripe, Type: "bank"},
			{Name: AccountPayPal, Type: "bank"},
			{Name: AccountRazorpay, Type: "bank"},
			{Name: AccountDisputes, Type: "other_current_asset"},
			{Name: AccountTaxPayable, Type: "other_current_liability"},
			{Name: AccountTips, Type: "other_current_liability"},
			{Name: AccountGiftCards, Type: "other_current_liability"},
			{Name: AccountSales, Type: "income"},
			{Name: AccountShipping, Type: "income"},
			{Name: AccountOther, Type: "income"},
			{Name: AccountFees, Type: "expense"},
			{Name: AccountRounding, Type: "expense"},
			{Name: AccountExchange, Type: "other_expense"},
		},
		Items: []Item{
			{Name: ItemGoods, SKU: "GOODS", Account: AccountSales, Goods: true},
			{Name: ItemService, SKU: "SERVICE", Account: AccountSales},
			{Name: ItemShipping, SKU: "SHIPPING", Account: AccountShipping},
			{Name: ItemFee, SKU: "FEE", Account: AccountOther},
			{Name: ItemTip, SKU: "TIP", Account: AccountTips},
			{Name: ItemGiftCard, SKU: "GIFT_CARD", Account: AccountGiftCards},
			{Name: ItemRounding, SKU: "ROUNDING", Account: AccountRounding},
		},
		OriginField: defaultOriginName,
	}.WithDefaults()
}

// WithFields adds booksync's two custom fields, cf_booksync_key (unique) and cf_booksync_origin, to every kind of document.
func (o Org) WithFields() Org {
	o.Fields = append(slices.Clone(o.Fields), BooksyncFields(defaultKeyField, defaultOriginName)...)
	return o
}
