package reconcile

// Status is the verdict on one transaction.
type Status string

// The statuses. The first three need nobody.
const (
	Matched         Status = "matched"
	MatchedRounding Status = "matched_rounding" // differs within the organisation's tolerance
	Expected        Status = "expected"         // under way: younger than the grace period
	Ignored         Status = "ignored"          // an exception that a person accepted, or that is no business of the books

	MissingInBooks   Status = "missing_in_books"
	MissingInSource  Status = "missing_in_source"
	AmountMismatch   Status = "amount_mismatch"
	TaxMismatch      Status = "tax_mismatch"
	CurrencyMismatch Status = "currency_mismatch" // currency or exchange rate
	DuplicateInBooks Status = "duplicate_in_books"
	StatusMismatch   Status = "status_mismatch"  // void, draft, balance, account, date or an outcome that is missing
	EditedByPerson   Status = "edited_by_person" // event and outcome agree, the document was changed since
	UnappliedPayment Status = "unapplied_payment"
)

// Statuses are all of them, the harmless ones first.
func Statuses() []Status {
	return []Status{
		Matched, MatchedRounding, Expected, Ignored, MissingInBooks, MissingInSource, DuplicateInBooks, CurrencyMismatch,
		AmountMismatch, TaxMismatch, EditedByPerson, StatusMismatch, UnappliedPayment,
	}
}

// Exception says whether somebody has to look.
func (s Status) Exception() bool {
	switch s {
	case Matched, MatchedRounding, Expected, Ignored:
		return false
	}
	return true
}

// weight orders the verdicts on one transaction: the heaviest is its status.
var weight = map[Status]int{
	Matched: 0, MatchedRounding: 1, Expected: 2, UnappliedPayment: 3, StatusMismatch: 4, EditedByPerson: 5, TaxMismatch: 6, AmountMismatch: 7,
	CurrencyMismatch: 8, DuplicateInBooks: 9, MissingInSource: 10, MissingInBooks: 11, Ignored: 12,
}
