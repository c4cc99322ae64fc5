package simulator

// Switches are the answers to questions that Zoho's documents leave open. Each zero value is the likeliest answer; set
// one to see what the caller does when Zoho turns out to be the other way. Section numbers are those of the dossier
// of Zoho facts; every switch stands for something marked UNCONFIRMED there.
type Switches struct {
	// RefusePaymentOnDraft refuses a payment that is applied to a draft invoice. Off: the payment is accepted and
	// issues the invoice. Section 4.6: "Payment against a draft invoice: reported to be accepted and to flip the
	// invoice to paid (one report); another integrator forbids it."
	RefusePaymentOnDraft bool

	// AcceptPaymentWithoutInvoices takes a payment whose invoices are empty: a pure advance. Section 4.6: "Payment with
	// empty invoices: UNCONFIRMED, documented as required."
	AcceptPaymentWithoutInvoices bool

	// RefuseBankChargesAccount refuses bank_charges_account_id in a payment's request. Section 4.6: the answer has it,
	// the documented request has bank_charges alone.
	RefuseBankChargesAccount bool

	// PaymentRowsCarryFields puts custom fields into the rows of payment and credit note lists. Recorded rows had
	// none, in an organisation without custom fields (section 4.6).
	PaymentRowsCarryFields bool

	// PaymentRefundAsArray answers a payment's refund as payment_refunds: [..]. Off: payment_refund: {..}. Section 4.6:
	// "response key payment_refunds (array in OAS; probably an object payment_refund, UNCONFIRMED)".
	PaymentRefundAsArray bool

	// DuplicateField is the refusal of a value that a unique custom field already holds. Section 3.1: "rejected, code and
	// message UNCONFIRMED (no public trace found)". Default: 400, 120203.
	DuplicateField Refusal

	// LockedPeriod is the refusal of a document dated in a locked period. Section 5: "Not found publicly". Default: 400, 28503.
	LockedPeriod Refusal

	// RefundAboveBalance is the refusal of a refund larger than the credit. Section 4.7: "Refund > balance: error code
	// UNCONFIRMED". Default: 400, 12010.
	RefundAboveBalance Refusal

	// DraftPayment is the refusal that RefusePaymentOnDraft asks for. Default: 400, 24019.
	DraftPayment Refusal

	// InvalidElementCode is the code of `Invalid Element <field>`. Section 5: "4 | UNCONFIRMED number". Default 4.
	InvalidElementCode int

	// UpsertCreates201 answers an upsert that creates with 201. Off: 200. Section 3.1: "Documented status: 200 only. Public
	// code distinguishes 201 from 200; UNCONFIRMED".
	UpsertCreates201 bool

	// UpsertNeedsField leaves the unique field empty unless the body names it too. Off: the header's value is stored.
	// Section 3.1: "does the header set it on create? UNCONFIRMED."
	UpsertNeedsField bool

	// UnknownFieldsIgnored drops custom fields the organisation does not have. Off: refused. (Not in the dossier.)
	UnknownFieldsIgnored bool

	// ItemLevelTax rounds each line's tax and sums. Off: one rounding per tax over the document. Section 8: recorded
	// tax_rounding is entity_level; what that means exactly is UNCONFIRMED.
	ItemLevelTax bool

	// AcceptNegativeRates takes lines with a negative rate. Section 8, assumption 7: "Negative quantities/rates rejected".
	AcceptNegativeRates bool

	// AnyTaxAtAnyPlace takes IGST within the state and CGST with SGST to others (India). Section 5: "Not found publicly: wrong
	// place_of_supply/tax pairing (IN)".
	AnyTaxAtAnyPlace bool

	// ForeignCurrencyRefused refuses an invoice whose currency_id is not its contact's currency. Section 4.2: "behaviour
	// when it differs from the contact's currency UNCONFIRMED".
	ForeignCurrencyRefused bool

	// RateRequired refuses a document in a foreign currency without exchange_rate. Off: the rate is 1, which books EUR 100
	// as USD 100. Section 4.5: "rate required when currency differs from base".
	RateRequired bool

	// ReuseVoidNumbers lets a number be used again once its document is void. Section 3.2: "whether the number can be
	// reused: UNCONFIRMED (assume not)".
	ReuseVoidNumbers bool

	// VoidReleasesFields frees the unique values of a void document. (Not in the dossier.)
	VoidReleasesFields bool

	// InactiveContactsUsable lets new documents name an inactive contact. Section 5: "Not found publicly: inactive contact".
	InactiveContactsUsable bool

	// NamesCaseSensitive lets two contacts differ by case alone. Section 4.2: "Case sensitivity UNCONFIRMED (assume insensitive)".
	NamesCaseSensitive bool

	// LinkedCreditApplies applies a credit note created with ?invoice_id= to that invoice. Section 4.7: "Does ?invoice_id=
	// auto-apply the credit to that invoice if it has a balance? UNCONFIRMED."
	LinkedCreditApplies bool

	// CreditAboveLineRefused refuses a credit note line larger than the invoice line it names. Section 4.7: "Credit larger
	// than the invoice line/quantity: UNCONFIRMED whether Zoho checks."
	CreditAboveLineRefused bool

	// VoidSpentCredits voids a credit note that was applied or refunded, undoing the applications; refunds still refuse.
	// Section 4.7: "Void with refunds/applied credits: UNCONFIRMED (assume refused)".
	VoidSpentCredits bool

	// BulkSkipsBadIDs lets a bulk status change go on past ids it cannot change. Off: all or nothing. (Not in the dossier.)
	BulkSkipsBadIDs bool

	// ExactEmailSearch compares the email filter as a whole. Off: it matches parts. Section 3.4: "email on contacts may match partially".
	ExactEmailSearch bool

	// CustomFieldQuery takes cf_xxx=value as a filter of lists. Section 3.4: "A direct cf_xxx=value query parameter on
	// lists: UNCONFIRMED."
	CustomFieldQuery bool

	// CustomFieldFilterIgnored ignores the documented custom_field filter of invoices, whose form is not documented.
	// Off: custom_field=value matches any field, and custom_field_<api name>, too.
	CustomFieldFilterIgnored bool

	// NoRateHeadersOn429 leaves the x-rate-limit headers out of 429 answers. Section 2.2: "Whether a 429 carries Retry-After or the
	// x-rate-limit headers: UNCONFIRMED".
	NoRateHeadersOn429 bool

	// RetryAfterOn429 names the seconds to wait in a Retry-After header; 0: no header. Section 2.2: in no recorded answer.
	RetryAfterOn429 int

	// RefusedCallsFree leaves calls answered 429 out of the day's count. Section 2.2: "Whether rejected (429) calls count
	// against the day: UNCONFIRMED. Assume yes."
	RefusedCallsFree bool

	// MinuteBlock is for how many seconds everything is refused once code 44 was answered; negative: no block, only the
	// sliding window. Section 2.2: "undocumented ... Assume >= 60 s". Default 60.
	MinuteBlock int

	// BlockExtends starts the block anew with every call made during it. Section 2.2: "retrying may extend it, UNCONFIRMED".
	BlockExtends bool

	// TokenRefusalEnds lets the ten minutes of refused token requests run out although the caller keeps asking. Off: each
	// request extends them. Section 1.3: one operator reports that asking again extends.
	TokenRefusalEnds bool

	// BearerRefused takes only "Zoho-oauthtoken". Section 1.5: Bearer works in practice, the Books documents name the other.
	BearerRefused bool
}

// Refusal is a status, code and message; the zero value asks for the default.
type Refusal struct {
	Status  int
	Code    int
	Message string
}

func (r Refusal) or(status, code int, message string) *failure {
	f := failure{status: status, code: code, message: message}
	if r.Status != 0 {
		f.status = r.Status
	}
	if r.Code != 0 {
		f.code = r.Code
	}
	if r.Message != "" {
		f.message = r.Message
	}
	return &f
}
