package zohobooks

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Action is what to do about the outcome of a call.
type Action int

// Actions.
const (
	// ActionNone: there was no error.
	ActionNone Action = iota
	// ActionRetry: nothing was written; the same call later, for this record.
	ActionRetry
	// ActionWaitOrganization: no call of the organisation before After is over; does not count as an attempt of the record.
	ActionWaitOrganization
	// ActionInDoubt: the write may have taken effect: look before writing again.
	ActionInDoubt
	// ActionAlreadyExists: the document, or one with its number, name or key, seems to exist: look it up, then adopt it, or, when it is not found,
	// reject. Decision.Code tells which (1001, 12018, 3062, 36026); Reason "unlisted" marks a code that nobody has described.
	ActionAlreadyExists
	// ActionMarkSentFirst: the invoice is a draft: mark it sent, then the same call again.
	ActionMarkSentFirst
	// ActionReread: what was assumed about the invoice is no longer so (24016, more than its balance): read it and plan anew.
	ActionReread
	// ActionMissing: the document that was read does not exist.
	ActionMissing
	// ActionReject: this record, for good. Decision.Code says why.
	ActionReject
	// ActionStop: credentials, scope, plan or settings: pause the organisation and alert a person; nothing is rejected.
	ActionStop
)

var actionNames = [...]string{"none", "retry", "wait_organization", "in_doubt", "already_exists", "mark_sent_first", "reread", "missing", "reject", "stop"}

// String names the action.
func (a Action) String() string {
	if a < 0 || int(a) >= len(actionNames) {
		return "unknown"
	}
	return actionNames[a]
}

// Decision is Verdict's answer.
type Decision struct {
	Action Action
	// After is the least time to wait, without jitter; 0 when nothing is known.
	After time.Duration
	// Reason is a word of low cardinality for logs and metrics.
	Reason string
	// Code is Zoho's, 0 when there was none.
	Code int
	// Outage: it looks as if Zoho is down, rather than this call wrong. Counts for the circuit.
	Outage bool
}

// Waits where Zoho names none.
const (
	minuteLimitWait = time.Minute // the block lasts an unknown time, at least the window; asking meanwhile may prolong it
	dayLimitWait    = time.Hour   // when the reset is not told
	concurrencyWait = time.Second // a slot frees itself
	stopWait        = time.Minute
	outageWait      = time.Second
)

type codeRule struct {
	action Action
	reason string
	unsure bool // the number is not confirmed: on a keyed create it is looked up like an unlisted one
}

// codeRules are the codes that are known, whatever the HTTP status. Sources: Zoho's error pages and reports of people who met them.
var codeRules = map[int]codeRule{
	2:     {ActionReject, "invalid_value", false},
	4:     {ActionReject, "invalid_element", true},
	5:     {ActionReject, "invalid_url", false},
	11:    {ActionReject, "missing_value", true},
	15:    {ActionReject, "value_too_long", true},
	37:    {ActionReject, "method_not_allowed", false},
	1001:  {ActionAlreadyExists, "exists", false},
	1038:  {ActionReject, "not_well_formed", false},
	3004:  {ActionReject, "customer_invalid", false},
	3009:  {ActionReject, "credits_applied", false},
	3010:  {ActionReject, "payments_recorded", false},
	3062:  {ActionAlreadyExists, "contact_exists", false},
	4001:  {ActionReject, "payments_recorded", false},
	4097:  {ActionStop, "auto_numbering", false}, // a number was sent although Zoho numbers by itself: a setting, the same for every record
	6041:  {ActionStop, "not_a_user_of_the_organization", false},
	9521:  {ActionReject, "retainer", false},
	9523:  {ActionReject, "retainer", false},
	12003: {ActionReject, "credit_note_closed", false},
	12004: {ActionReject, "credit_note_void", false},
	12005: {ActionMarkSentFirst, "invoice_is_draft", false},
	12006: {ActionReject, "invoice_closed", false},
	12007: {ActionReject, "invoice_void", false},
	12008: {ActionReject, "credits_applied", false},
	12018: {ActionAlreadyExists, "number_exists", false},
	24016: {ActionReread, "above_balance", false},
	36023: {ActionReject, "line_invoiced", false},
	36026: {ActionAlreadyExists, "already_invoiced", false},

	103001: {ActionStop, "trial_over", false},
	108004: {ActionReject, "paid_through_account", false},
}

// Verdict turns the error of any method of this package into what to do. It looks at codes, statuses and what became of the request, never at
// messages. Nil gives ActionNone.
func Verdict(err error) Decision {
	if err == nil {
		return Decision{Action: ActionNone, Reason: "ok"}
	}
	var auth *AuthError
	if errors.As(err, &auth) {
		return authVerdict(auth)
	}
	var paused *PausedError
	if errors.As(err, &paused) {
		return Decision{Action: ActionWaitOrganization, After: max(time.Until(paused.Until), 0), Reason: "paused"}
	}
	var e *Error
	if errors.As(err, &e) {
		return e.verdict()
	}
	switch {
	case errors.Is(err, ErrInvalidRequest): // the same for ever
		return Decision{Action: ActionReject, Reason: "invalid_request"}
	case errors.Is(err, ErrSearchIncomplete):
		return Decision{Action: ActionRetry, After: stopWait, Reason: "search_incomplete"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Decision{Action: ActionRetry, Reason: "interrupted"}
	}
	var budget *BudgetError
	if errors.As(err, &budget) {
		return Decision{Action: ActionRetry, After: outageWait, Reason: "budget"}
	}
	return Decision{Action: ActionRetry, After: outageWait, Reason: "unknown"} // none of this package's
}

func authVerdict(e *AuthError) Decision {
	switch {
	case e.Permanent:
		return Decision{Action: ActionStop, After: max(e.RetryAfter, stopWait), Reason: "credentials"}
	case e.Code == AuthInterrupted, e.Code == AuthClosed:
		return Decision{Action: ActionRetry, Reason: "interrupted"}
	case e.Code == AuthStore:
		return Decision{Action: ActionRetry, After: outageWait, Reason: "token_store"}
	case e.Code == AuthUnreachable, e.Code == AuthUnreadable:
		return Decision{Action: ActionWaitOrganization, After: max(e.RetryAfter, outageWait), Reason: "accounts_server", Outage: true}
	}
	return Decision{Action: ActionWaitOrganization, After: max(e.RetryAfter, stopWait), Reason: "token_requests_refused"}
}

func (e *Error) verdict() Decision {
	d := Decision{Code: e.Code, After: e.RetryAfter}
	decide := func(a Action, reason string, after time.Duration, outage bool) Decision {
		d.Action, d.Reason, d.After, d.Outage = a, reason, max(d.After, after), outage
		return d
	}
	// Limits first: they refuse before any effect whatever else is said.
	switch {
	case e.Code == codeDayLimit:
		after := e.DayReset
		if after == 0 && e.RetryAfter == 0 {
			after = dayLimitWait
		}
		return decide(ActionWaitOrganization, "day_limit", after, false)
	case e.Code == codeConcurrency:
		return decide(ActionWaitOrganization, "concurrency", concurrencyWait, false)
	case e.Code == codeMinuteLimit, e.Status == http.StatusTooManyRequests:
		return decide(ActionWaitOrganization, "minute_limit", minuteLimitWait, false)
	}
	lost := e.Status == 0 && !errors.Is(e.Err, ErrNotSent)
	down := e.Status >= 500 || lost || e.Code == codeInternal
	if e.MaybeWritten {
		return decide(ActionInDoubt, e.troubleReason(), outageWait, down || e.unreadable())
	}
	switch {
	case e.Status == 0 && errors.Is(e.Err, ErrNotSent):
		return decide(ActionRetry, "not_sent", outageWait, !e.interrupted())
	case down:
		return decide(ActionRetry, e.troubleReason(), outageWait, true)
	case e.Status == http.StatusUnauthorized, e.Code == codeNotAuthorized, e.Code == codeNotAuthenticated:
		return decide(ActionStop, "not_authorized", stopWait, false)
	case e.Code == codeMissing:
		if e.read() {
			return decide(ActionMissing, "missing", 0, false)
		}
		return decide(ActionReject, "missing", 0, false)
	case e.unreadable():
		return decide(ActionRetry, "unreadable", outageWait, true)
	}
	rule, listed := codeRules[e.Code]
	switch {
	case e.Keyed && (!listed || rule.unsure):
		return decide(ActionAlreadyExists, "unlisted", 0, false)
	case listed:
		if rule.action == ActionStop {
			return decide(ActionStop, rule.reason, stopWait, false)
		}
		return decide(rule.action, rule.reason, 0, false)
	case e.Status == http.StatusNotFound && e.read():
		return decide(ActionMissing, "missing", 0, false)
	}
	return decide(ActionReject, "unlisted", 0, false)
}

func (e *Error) unreadable() bool { return errors.Is(e.Err, ErrUnreadable) }

func (e *Error) interrupted() bool {
	return errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded)
}

// troubleReason tells the ways in which an answer can fail to be one.
func (e *Error) troubleReason() string {
	switch {
	case e.Code == codeInternal || e.Status >= 500:
		return "server_error"
	case e.unreadable():
		return "unreadable"
	}
	return "lost"
}
