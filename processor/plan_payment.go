package processor

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// planPayment plans the customer payment of a payment that passed checkPayment, applied to its orders' invoices up to what
// each still owes; what no invoice takes stays as excess (Zoho refuses a payment above the balance, and money that came in
// is never left out). orders holds the state of every order that the payment names.
func planPayment(p *schemas.Payment, org *Organization, orders map[string]*OrderState, origin string) (*paymentPlan, *Rejection) {
	account, r := org.clearingAccount(p.Gateway, p.Currency)
	if r != nil {
		return nil, r
	}
	day, trueDate := org.posting(p.ReceivedAt)
	req := &zohobooks.PaymentRequest{
		PaymentMode:  org.paymentMode(p.Method),
		Amount:       zohobooks.NewAmount(p.Amount),
		Date:         day,
		Reference:    paymentReference(p),
		Description:  cleanLines(withTrueDate(paymentDescription(p), trueDate), maxDescription),
		AccountID:    account,
		Invoices:     []zohobooks.AppliedInvoice{},
		LocationID:   org.Locations[p.Location],
		CustomFields: customFields(org.Fields.Payment, "payment:"+p.PaymentID, origin),
	}
	if p.Currency != org.BaseCurrency && p.ExchangeRate.Valid {
		req.ExchangeRate = zohobooks.NewAmount(p.ExchangeRate.Decimal)
	}
	if p.Fee != nil && p.Fee.Amount.Sign() > 0 {
		req.BankCharges = zohobooks.NewAmount(p.Fee.Amount)
		req.BankChargesAccountID = org.FeeAccount
	}
	plan := &paymentPlan{Request: req, Applied: make(map[string]decimal.Decimal), Excess: p.Amount, TrueDate: trueDate}
	for _, al := range allocations(p) {
		if r := plan.allocate(al, p, org, orders[al.OrderID]); r != nil {
			return nil, r
		}
	}
	if len(req.Invoices) == 0 && org.Advances != advanceUnapplied {
		return nil, reject(classUnsupported, "no invoice of order %s owes anything: the money came twice, or somebody has recorded it by hand; "+
			"compare them, then discard this event, or set advances to `advance` to hold it as the customer's credit", allocations(p)[0].OrderID)
	}
	return plan, nil
}

// allocate applies one order's part.
func (plan *paymentPlan) allocate(al schemas.Allocation, p *schemas.Payment, org *Organization, st *OrderState) *Rejection {
	req := plan.Request
	contact := ""
	if st != nil {
		contact = st.ContactID
	}
	if contact == "" && org.Advances == advanceUnapplied { // the order is not there, or was cancelled before it was posted
		contact = org.AdvanceContact
	}
	switch {
	case contact == "":
		return reject("dependency.missing", "order %s has no invoice and no contact: the payment can't be booked on anybody; "+
			"replay it when the order is posted, or book it by hand", al.OrderID)
	case req.CustomerID != "" && req.CustomerID != contact:
		return reject(classUnsupported, "the payment pays orders of two contacts (%s and %s, by order %s): a payment has one customer; split it",
			req.CustomerID, contact, al.OrderID)
	case st.Currency != "" && st.Currency != p.Currency:
		return reject(classCurrency, "the payment is in %s and the invoice of order %s in %s: send the payment in the invoice's currency, with the "+
			"amount as settled against it; only to the organisation's own currency, %s, does a payment's exchange_rate convert it", p.Currency, al.OrderID,
			st.Currency, org.BaseCurrency)
	}
	req.CustomerID = contact
	parts := st.owing(al.Amount)
	plan.Applied[al.OrderID] = sumOfParts(parts)
	plan.Excess = plan.Excess.Sub(plan.Applied[al.OrderID])
	if further := st.further(parts); further != nil {
		if plan.Further == nil {
			plan.Further = make(map[string]map[string]decimal.Decimal, 1)
		}
		plan.Further[al.OrderID] = further
	}
	for _, p := range parts {
		req.Invoices = append(req.Invoices, zohobooks.AppliedInvoice{InvoiceID: p.InvoiceID, AmountApplied: zohobooks.NewAmount(p.Amount)})
	}
	return nil
}

// allocations are the orders that a payment pays: one, where the event doesn't say more.
func allocations(p *schemas.Payment) []schemas.Allocation {
	if len(p.Allocations) > 0 {
		return p.Allocations
	}
	return []schemas.Allocation{{OrderID: p.OrderID, Amount: p.Amount}}
}

// paymentReference is the payment's reference_number: the gateway's reference, else the payment's id.
func paymentReference(p *schemas.Payment) string {
	if clean(p.GatewayReference, maxReference) != "" {
		return reference(p.GatewayReference)
	}
	return reference(p.PaymentID)
}

func paymentDescription(p *schemas.Payment) string {
	var parts []string
	for _, part := range [][2]string{{"Gateway ", p.Gateway}, {"payment ", p.PaymentID}, {"payout ", p.PayoutID}} {
		if part[1] != "" {
			parts = append(parts, part[0]+part[1])
		}
	}
	return strings.Join(parts, ", ")
}

// paymentMode is Zoho's payment_mode of a method; "others" where the mapping doesn't know it.
func (o *Organization) paymentMode(method string) string {
	if mode := o.PaymentModes[method]; mode != "" {
		return mode
	}
	if mode := o.PaymentModes[strings.ToLower(method)]; mode != "" {
		return mode
	}
	return "others"
}
