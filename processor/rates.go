package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// ratesOfZoho is the setting that takes Zoho's exchange rate of the day where an event has none.
const ratesOfZoho = "zoho"

const (
	cacheRates   = "rate"
	rateCacheTTL = 24 * time.Hour
)

// fillRate gives an event in another currency than the organisation's Zoho's exchange rate of the event's day, where it has
// none of its own and the organisation wants it so. A rate is read once a day and currency.
func (a *attempt) fillRate() *ending {
	org := a.tenant.org()
	var rate *decimal.NullDecimal
	var at time.Time
	switch {
	case org.ExchangeRates != ratesOfZoho || a.currency() == org.BaseCurrency:
		return nil
	case a.order != nil && a.order.Kind != schemas.OrderCancelled:
		rate, at = &a.order.ExchangeRate, a.order.PlacedAt
	case a.payment != nil:
		rate, at = &a.payment.ExchangeRate, a.payment.ReceivedAt
		if a.payment.Kind != schemas.PaymentCaptured { // its journal is of the day it happened
			at = a.payment.OccurredAt
		}
	case a.refund != nil && a.refund.Amount.Sign() > 0:
		rate, at = &a.refund.ExchangeRate, a.refund.RefundedAt
	}
	if rate == nil || rate.Valid {
		return nil
	}
	found, end := a.rateOn(org, a.currency(), at)
	if end == nil {
		*rate = decimal.NewNullDecimal(found)
		a.ratedByZoho = true
	}
	return end
}

// rateOfChange gives what an issued order's revision changes Zoho's rate of the day of the change, where the rate is Zoho's.
func (a *attempt) rateOfChange(target *invoicePlan) *ending {
	if !a.ratedByZoho {
		return nil
	}
	found, end := a.rateOn(a.tenant.org(), a.order.Currency, a.order.OccurredAt)
	if end == nil {
		a.order.ExchangeRate = decimal.NewNullDecimal(found)
		target.Request.ExchangeRate = zohobooks.NewAmount(found)
	}
	return end
}

// rateOn is Zoho's rate of a currency on the organisation's day of an instant.
func (a *attempt) rateOn(org *Organization, currency string, at time.Time) (decimal.Decimal, *ending) {
	day, _ := org.posting(at)
	key := currency + ":" + day
	cached, err := a.p.claims.CacheGet(a.ctx, a.Organization, cacheRates, key)
	if err != nil {
		return decimal.Zero, a.storeAway(err)
	}
	if rate, err := decimal.NewFromString(string(cached)); err == nil && rate.IsPositive() {
		return rate, nil
	}
	var rate zohobooks.Amount
	if err := a.read(func(ctx context.Context) (err error) {
		rate, err = a.tenant.books.ExchangeRateOn(ctx, org.CurrencyIDs[currency], day)
		return err
	}); err != nil {
		return decimal.Zero, a.failed("reading the exchange rate", err)
	}
	if !rate.IsPositive() {
		return decimal.Zero, &ending{reject: reject(classCurrency, "exchange_rate is missing, and Zoho has no rate of %s for %s or before: set one under "+
			"Settings, Currencies, or send exchange_rate, then replay", currency, day)}
	}
	if err := a.p.claims.CacheSet(a.ctx, a.Organization, cacheRates, key, []byte(rate.String()), rateCacheTTL); err != nil {
		return decimal.Zero, a.storeAway(err)
	}
	return rate.Decimal, nil
}

// convertPayment turns a payment in a foreign currency into one in the organisation's own, where that's what its invoices
// are in: the payment's exchange rate is what was settled. The original is named in the description and in the outcome.
func (a *attempt) convertPayment(orders map[string]*OrderState) *Rejection {
	org, p := a.tenant.org(), a.payment
	if a.event.converted == "" {
		if p.Currency == org.BaseCurrency || !p.ExchangeRate.Valid {
			return nil
		}
		for _, st := range orders {
			if st.Currency != org.BaseCurrency {
				return nil // the invoice's currency, or another that planPayment names
			}
		}
		into, r := convertedPayment(p, org)
		if r != nil {
			return r
		}
		a.event.converted = fmt.Sprintf("%s %s at %s", p.Currency, amountText(p.Amount, p.Currency), p.ExchangeRate.Decimal)
		a.event.payment = into
	}
	a.result.Remark = "paid as " + a.event.converted
	return nil
}

// convertedPayment is a payment in the organisation's own currency, at its exchange rate; rounded half away from zero, its
// allocations by largest remainder. It's deposited where the gateway's money in that currency is.
func convertedPayment(p *schemas.Payment, org *Organization) (*schemas.Payment, *Rejection) {
	base, rate := org.BaseCurrency, p.ExchangeRate.Decimal
	into := *p
	into.Currency, into.ExchangeRate = base, decimal.NullDecimal{}
	into.Amount = money.Round(p.Amount.Mul(rate), base)
	if into.Amount.Sign() <= 0 {
		return nil, reject(classCurrency, "the payment of %s %s is nothing in %s, the currency of its invoice", p.Currency, p.Amount, base)
	}
	if p.Fee != nil {
		into.Fee = &schemas.Fee{Amount: money.Round(p.Fee.Amount.Mul(rate), base), Currency: base}
	}
	if len(p.Allocations) > 0 {
		weights := make([]decimal.Decimal, len(p.Allocations))
		for i, al := range p.Allocations {
			weights[i] = al.Amount
		}
		into.Allocations = make([]schemas.Allocation, len(p.Allocations))
		for i, share := range money.Spread(into.Amount, weights, base) {
			into.Allocations[i] = schemas.Allocation{OrderID: p.Allocations[i].OrderID, Amount: share}
		}
	}
	_, r := org.clearingAccount(p.Gateway, base)
	return &into, r
}

// planPayment plans this payment; what it was converted from stands in its description.
func (a *attempt) planPayment(orders map[string]*OrderState) (*paymentPlan, *Rejection) {
	plan, r := planPayment(a.payment, a.tenant.org(), orders, a.originField())
	if r == nil && a.converted != "" {
		plan.Request.Description = cleanLines("Paid as "+a.converted+". "+plan.Request.Description, maxDescription)
	}
	return plan, r
}

// inBase is a document's total in the organisation's own currency: Zoho's figure, else the total at the document's rate.
func (a *attempt) inBase(answered, total zohobooks.Amount, currency string, rate zohobooks.Amount) decimal.NullDecimal {
	base := a.tenant.org().BaseCurrency
	switch {
	case !answered.IsZero():
		return decimal.NewNullDecimal(answered.Decimal)
	case currency == base, currency == "" && rate.IsZero():
		return optional(total.Decimal)
	case rate.IsPositive():
		return optional(money.Round(total.Mul(rate.Decimal), base))
	}
	return decimal.NullDecimal{}
}
