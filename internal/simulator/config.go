package simulator

import (
	"math/rand/v2"
	"time"

	"github.com/shopspring/decimal"
)

// Config says what the simulated Zoho holds. The zero value works: one DefaultOrg, default credentials, real time.
type Config struct {
	Organizations []Org       // default: DefaultOrg("10234695")
	Credentials   Credentials // default: DefaultCredentials()
	Switches      Switches    // everything Zoho has not confirmed; the zero value is the likeliest

	Seed    int64         // decides faults with a probability and the jitter of Latency; default 0
	Latency time.Duration // how long every API answer takes; default 0
	Jitter  time.Duration // added to Latency, uniform between 0 and this; default 0

	// WriteHorizon is how long a "late-landing" fault without a delay of its own waits before it applies the write;
	// default 2 minutes.
	WriteHorizon time.Duration

	TokenLife     time.Duration // life of an access token; default 1 h, as Zoho's
	TokenRequests int           // token requests allowed per TokenWindow and refresh token; default 10, negative: no limit
	TokenWindow   time.Duration // default 10 min
	ActiveTokens  int           // access tokens alive per refresh token, the oldest dies; default 10

	// APIDomain is what token answers name as api_domain; default "http://" + the host the request named.
	APIDomain string

	// Now is the clock; default time.Now. AfterFunc runs f once d has passed, for answers that take time and writes that
	// land late, and returns a function that cancels it; default time.AfterFunc. A clock that is driven by hand drives both.
	Now       func() time.Time
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

// Credentials are an OAuth client with one refresh token, as `auth login` would leave them behind.
type Credentials struct {
	ClientID     string
	ClientSecret string
	RefreshToken string
	Code         string   // a grant code that may be exchanged once for a further refresh token; may be empty
	Scopes       []string // default: ZohoBooks.fullaccess.all
}

// DefaultCredentials are known to everyone: the simulator's door is not a safe.
func DefaultCredentials() Credentials {
	return Credentials{
		ClientID:     "1000.SIMULATORCLIENT",
		ClientSecret: "simulator-client-secret",
		RefreshToken: "1000.simulator.refresh-token",
		Code:         "1000.simulator.grant-code",
		Scopes:       []string{scopeEverything},
	}
}

// Org is one company. Ids of what is configured by name are derived from the names: see ID.
type Org struct {
	ID       string // decimal digits
	Name     string
	TimeZone string // IANA; default America/New_York
	Currency string // base currency, ISO 4217; default USD
	Country  string // ISO 3166 alpha-2; default US
	State    string // India: the state it's registered in, as place_of_supply codes it; "": places are not compared with taxes
	Edition  string // Zoho's edition; default by Country: us, uk, in, gcc, au, ca, mx, ke, za, else global

	Plan        string // default Professional
	PlanQuota   int    // calls a day; 0: 10000, negative: no limit
	MinuteLimit int    // calls in 60 s; 0: 100, negative: no limit
	Concurrency int    // calls in flight; 0: 10, negative: no limit

	Taxes      []Tax
	TaxGroups  []TaxGroup
	Exemptions []Exemption
	Currencies []Currency
	Items      []Item
	Accounts   []Account
	Fields     []Field
	Locks      []Lock

	RoundOff RoundOff // the organisation's preference for totals; default none

	SearchLag   time.Duration // lists and searches do not show documents younger than this; default 0
	OriginField string        // api name of the custom field the ledger reports as a document's origin; default cf_booksync_origin

	Credentials *Credentials // of this organisation alone; nil: Config.Credentials open it
}

// Tax is one rate, in percent. Zero-rated and exempt are taxes of their own with rate 0 unless an Exemption is meant.
type Tax struct {
	Name       string
	Percentage string // decimal, e.g. "8.875"
	Compound   bool   // computed on the amount plus the other taxes of its group
	Specific   string // India: igst, cgst, sgst, utgst, cess
	Inactive   bool
}

// TaxGroup is used as a tax and split into its members.
type TaxGroup struct {
	Name  string
	Taxes []string // names
}

// Exemption is a reason why a line bears no tax (US, IN, CA, AU).
type Exemption struct {
	Code string
	Type string // customer or item; default item
}

// Currency beside the base currency. Rate is what settings show; documents without a rate get 1 all the same.
type Currency struct {
	Code      string
	Name      string // default Code
	Symbol    string // default Code
	Precision int32  // digits after the point
	Rate      string // decimal; default "0", as live organisations show
}

// Item of the catalogue. Account and Tax are names.
type Item struct {
	Name     string
	SKU      string
	Rate     string // decimal; default "0"
	Unit     string
	Account  string // default Sales
	Tax      string // a tax or tax group; default none
	Goods    bool   // product_type goods, else service
	Inactive bool
}

// Account of the chart of accounts. Type is Zoho's: cash, bank, accounts_receivable, income, expense,
// other_current_liability, other_current_asset, other_expense, equity...
type Account struct {
	Name     string
	Type     string
	Currency string // default the base currency
	Code     string
	Inactive bool
}

// Field is a custom field of an entity: contact, item, invoice, creditnote or customer_payment.
type Field struct {
	Entity   string
	Label    string
	APIName  string // default "cf_" and the label in lower case, spaces as underscores
	DataType string // default string
	Unique   bool
}

// Lock closes the books up to and including Date (yyyy-mm-dd).
type Lock struct {
	Date   string
	Scope  int // 0: everything; 1: sales
	Reason string
}

// RoundOff is the preference "Rounding off in sales transactions". The zero value rounds nothing.
type RoundOff struct {
	Type      string // no_rounding, nearest_whole_number or nearest_increment; default no_rounding
	Increment string // decimal, of nearest_increment
}

func (r RoundOff) increment() decimal.Decimal {
	switch r.Type {
	case "nearest_whole_number":
		return decimal.NewFromInt(1)
	case "nearest_increment":
		return mustDecimal(r.Increment)
	}
	return decimal.Zero
}

func (r RoundOff) name() string {
	if r.Type == "" {
		return "no_rounding"
	}
	return r.Type
}

// Zoho's documented limits: dossier 2.1 and 1.4.
const (
	defaultPlanQuota     = 10000
	defaultMinuteLimit   = 100
	defaultConcurrency   = 10
	defaultTokenRequests = 10
	defaultTokenWindow   = 10 * time.Minute
	defaultTokenLife     = time.Hour
	defaultActiveTokens  = 10
	defaultWriteHorizon  = 2 * time.Minute
)

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	if len(c.Organizations) == 0 {
		c.Organizations = []Org{DefaultOrg("10234695")}
	}
	if c.Credentials.RefreshToken == "" {
		c.Credentials = DefaultCredentials()
	}
	if c.WriteHorizon == 0 {
		c.WriteHorizon = defaultWriteHorizon
	}
	if c.TokenLife == 0 {
		c.TokenLife = defaultTokenLife
	}
	if c.TokenRequests == 0 {
		c.TokenRequests = defaultTokenRequests
	}
	if c.TokenWindow == 0 {
		c.TokenWindow = defaultTokenWindow
	}
	if c.ActiveTokens == 0 {
		c.ActiveTokens = defaultActiveTokens
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AfterFunc == nil {
		c.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return c
}

// WithDefaults fills in what is not set; taxes, items and accounts are left as they are.
func (o Org) WithDefaults() Org {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&o.ID, "10234695")
	set(&o.Name, "Organisation "+o.ID)
	set(&o.TimeZone, "America/New_York")
	set(&o.Currency, "USD")
	set(&o.Country, "US")
	set(&o.Edition, editionOf(o.Country))
	set(&o.Plan, "Professional")
	set(&o.OriginField, "cf_booksync_origin")
	if o.PlanQuota == 0 {
		o.PlanQuota = defaultPlanQuota
	}
	if o.MinuteLimit == 0 {
		o.MinuteLimit = defaultMinuteLimit
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	return o
}

func mustDecimal(s string) decimal.Decimal {
	if s == "" {
		return decimal.Zero
	}
	return decimal.RequireFromString(s)
}

// draw turns a seed and a key into a number in [0, 1) that does not depend on the order of calls.
func draw(seed int64, key uint64) float64 {
	return rand.New(rand.NewPCG(uint64(seed), key)).Float64()
}
