package tale

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
)

// Organization is the company's name in the events, ZohoID its organisation id in Zoho Books.
const (
	Organization = "shop"
	ZohoID       = "10234695"
)

// Company is the company whose books are kept: the simulator's usual one, set up for booksync.
func Company() simulator.Org { return simulator.DefaultOrg(ZohoID).WithFields() }

// Clearing are the accounts that the gateways of a tale pay to and take from.
var Clearing = map[string]string{"stripe": simulator.AccountStripe, "paypal": simulator.AccountPayPal}

// Mapping is the company as booksync is configured for it.
func Mapping() config.Organization {
	org, creds := Company(), simulator.DefaultCredentials()
	o := config.DefaultOrganization()
	o.ID, o.ClientID = ZohoID, creds.ClientID
	o.ClientSecret, o.RefreshToken = secret.New(creds.ClientSecret), secret.New(creds.RefreshToken)
	o.Live, o.Edition = true, "us"
	o.Taxes = map[string]config.TaxTarget{}
	for _, t := range org.Taxes {
		o.Taxes[t.Name] = config.TaxTarget{TaxID: org.TaxID(t.Name), Rate: decimal.RequireFromString(t.Percentage)}
	}
	o.LineTargets = map[string]config.LineTarget{}
	for kind, item := range map[string]string{"GOODS": simulator.ItemGoods, "SHIPPING": simulator.ItemShipping, "ROUNDING": simulator.ItemRounding} {
		o.LineTargets[kind] = config.LineTarget{ItemID: org.ItemID(item)}
	}
	o.Clearing = map[string]string{}
	for gateway, account := range Clearing {
		for _, currency := range []string{"USD", "EUR"} {
			o.Clearing[gateway+"/"+currency] = org.AccountID(account)
		}
	}
	o.FeeAccount = org.AccountID(simulator.AccountFees)
	o.PaymentModes = map[string]string{"card": "creditcard"}
	return o
}
