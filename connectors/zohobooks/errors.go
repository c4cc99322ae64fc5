package zohobooks

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Error is a failed call: everything a caller needs to decide what to do, and nothing secret.
type Error struct {
	Method, Path string        // the path without the query
	Status       int           // HTTP status; 0 when no answer came
	Code         int           // Zoho's code; 0 when the body had none
	Message      string        // Zoho's message, at most 1 KiB
	RequestID    string        // from the answer's headers; may be empty
	RetryAfter   time.Duration // 0 when the answer named none
	DayReset     time.Duration // time until the day's quota starts anew, from the answer's headers; 0 when absent
	// MaybeWritten says whether the write may have taken effect: it left and no definite refusal came back.
	// Always false for reads.
	MaybeWritten bool
	// Keyed says that the call was a create whose document carries a key of ours (custom fields or a chosen number), so that a refusal whose code is
	// not known may mean that the document exists already.
	Keyed bool
	Err   error // transport or decoding error, or nil
}

// Error names the call, the status, the code and the message.
func (e *Error) Error() string {
	s := e.Method + " " + e.Path + ": status " + strconv.Itoa(e.Status) + ", code " + strconv.Itoa(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.MaybeWritten {
		s += " (may have been written)"
	}
	return s
}

// Unwrap gives the transport or decoding error.
func (e *Error) Unwrap() error { return e.Err }

// read says whether the call was a read.
func (e *Error) read() bool { return e.Method == "GET" }

// Errors wrapped by Error.Err.
var (
	// ErrUnreadable: an answer came, but not one of Zoho's API (HTML, another charset, cut off, too large, a document without its id).
	ErrUnreadable = errors.New("unreadable answer")
	// ErrNotSent: nothing of the request left; it had no effect and may be repeated.
	ErrNotSent = errors.New("request was not sent")
	// ErrLost: the request, or part of it, left and no answer came.
	ErrLost = errors.New("answer was lost")
	// ErrRedirect: the answer was a redirect. It is not followed: the token would go with it.
	ErrRedirect = errors.New("answered with a redirect")
)

// ErrInvalidRequest is wrapped by the errors of calls that could never be made: an id that is none of Zoho's, too long a list. Nothing was sent.
var ErrInvalidRequest = errors.New("invalid request")

// ErrSearchIncomplete is returned by the Find methods when Zoho seems to have ignored the filter and the list is too long to go
// through: nothing can be said about whether the document exists.
var ErrSearchIncomplete = errors.New("search was not conclusive: the filter seems to be ignored and the list is long")

// AuthError is trouble with the credentials or the token endpoint; no call was made.
type AuthError struct {
	// Code is Zoho's (invalid_code, invalid_client, invalid_client_secret, "Access Denied", ...) or one of the Auth constants below.
	Code string
	// Permanent: asking again gives the same until a person changes something.
	Permanent bool
	// RetryAfter: do not ask again before; 0 when unknown.
	RetryAfter time.Duration
	Err        error // may be nil; never holds a secret
}

// Codes of AuthError that are not Zoho's.
const (
	AuthUnreachable    = "unreachable"      // the accounts server did not answer, or with 5xx
	AuthUnreadable     = "unreadable"       // it answered something that is no token
	AuthWrongAPIDomain = "wrong_api_domain" // the token is for another data centre or an unknown host
	AuthStore          = "token_store"      // the shared token store failed
	AuthInterrupted    = "interrupted"      // the caller's context ended while waiting for a token
	AuthClosed         = "closed"           // the client was closed
)

// Error names the code.
func (e *AuthError) Error() string {
	s := "getting an access token: " + e.Code
	if e.Permanent {
		s += " (permanent)"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives what lies beneath.
func (e *AuthError) Unwrap() error { return e.Err }

// BudgetError wraps whatever error a Limiter returned: no grant, nothing sent.
type BudgetError struct{ Err error }

// Error names what the limiter said.
func (e *BudgetError) Error() string { return "waiting for the budget: " + e.Err.Error() }

// Unwrap gives the limiter's error.
func (e *BudgetError) Unwrap() error { return e.Err }

// PausedError is what a Limiter returns when the organisation is paused for longer than the caller waits. Verdict knows it.
type PausedError struct {
	Until  time.Time
	Reason string
}

// Error names the reason and the end.
func (e *PausedError) Error() string {
	return fmt.Sprintf("organisation is paused until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Reason)
}
