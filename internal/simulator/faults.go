package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/shopspring/decimal"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds. Those of the first group befall calls that match; those of the second are states or deeds that begin when
// they are injected, or, given a matcher, with the first call that matches.
const (
	FaultLostAnswer   FaultKind = "lost-answer"   // applied, then the connection is closed
	FaultErrorAfter   FaultKind = "error-after"   // applied, then answered Status (500) and code 1000
	FaultErrorBefore  FaultKind = "error-before"  // not applied; Status (500), Code (1000), Message; with HTML a proxy's page
	FaultThrottle     FaultKind = "throttle"      // not applied; 429 with Code 44 (default), 45 or 1070, and RetryAfter
	FaultOKWithCode   FaultKind = "ok-with-code"  // not applied; 200 with Code (default 1000)
	FaultLatency      FaultKind = "latency"       // Delay before the work is done
	FaultHang         FaultKind = "hang"          // no answer until the client gives up; Applied says whether the work was done
	FaultLateLanding  FaultKind = "late-landing"  // the connection is closed; the write is applied Delay later (default Config.WriteHorizon)
	FaultCents        FaultKind = "cents"         // the total of a created or updated document is off by Amount (default 0.01)
	FaultTwin         FaultKind = "twin"          // unique fields, numbers and names are not enforced: a racing second document
	FaultSearchLag    FaultKind = "search-lag"    // lists do not show documents younger than Delay
	FaultRevokeScope  FaultKind = "revoke-scope"  // Scope, such as invoices.CREATE, is answered 401/57
	FaultRevokeTokens FaultKind = "revoke-tokens" // access tokens die; refreshing works
	FaultTokenError   FaultKind = "token-error"   // the token endpoint answers Status (500) and Message
	FaultQuota        FaultKind = "quota"         // DayLimit, MinuteLimit and Concurrency change
	FaultEdit         FaultKind = "edit"          // a person changes the total (by Amount, as an adjustment), or Notes, of BusinessID's document
	FaultDelete       FaultKind = "delete"        // a person deletes BusinessID's document, with what is applied to it
	FaultVoid         FaultKind = "void"          // a person voids BusinessID's document
	FaultPush         FaultKind = "push"          // a person pushes BusinessID's invoice to the tax authority's portal
	FaultDown         FaultKind = "down"          // every connection is closed at once, for For
)

// Fault asks for something to go wrong. All matchers given must match; Nth and Count count matching calls. The fields
// in the second half are read by the kinds that name them.
type Fault struct {
	Kind         FaultKind `json:"kind"`
	Organization string    `json:"organization,omitempty"` // default: every one
	Method       string    `json:"method,omitempty"`
	Path         string    `json:"path,omitempty"`        // the resource without /books/v3, * for any characters: /invoices, /invoices/*/status/sent
	BusinessID   string    `json:"business_id,omitempty"` // the unique field's value in the request, or of the document the path names; * for any characters
	Nth          int       `json:"nth,omitempty"`         // from the nth matching call on; default 1
	Count        int       `json:"count,omitempty"`       // for so many calls; default 1 with Nth, else without end
	Probability  float64   `json:"probability,omitempty"` // decided by the seed and the call, not by the order of calls; default 1

	For        time.Duration   `json:"-"` // how long the fault stays; default for good. In JSON "for": "5s"
	Delay      time.Duration   `json:"-"` // in JSON "delay": "200ms"
	Status     int             `json:"status,omitempty"`
	Code       int             `json:"code,omitempty"`
	Message    string          `json:"message,omitempty"`
	HTML       bool            `json:"html,omitempty"`
	RetryAfter int             `json:"retry_after,omitempty"` // seconds; 0: no header
	Applied    bool            `json:"applied,omitempty"`
	Amount     decimal.Decimal `json:"amount,omitzero"`
	Notes      string          `json:"notes,omitempty"`
	Scope      string          `json:"scope,omitempty"`

	DayLimit    *int `json:"day_limit,omitempty"`
	MinuteLimit *int `json:"minute_limit,omitempty"`
	Concurrency *int `json:"concurrency,omitempty"`
}

type faultJSON struct {
	*plainFault
	For   string `json:"for,omitempty"`
	Delay string `json:"delay,omitempty"`
}

type plainFault Fault

// UnmarshalJSON reads durations as text ("5s", "200ms") and refuses unknown kinds.
func (f *Fault) UnmarshalJSON(b []byte) error {
	in := faultJSON{plainFault: (*plainFault)(f)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	for _, d := range []struct {
		text string
		to   *time.Duration
	}{{in.For, &f.For}, {in.Delay, &f.Delay}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil {
			return fmt.Errorf("reading a fault: %w", err)
		}
		*d.to = v
	}
	return nil
}

// MarshalJSON is the form UnmarshalJSON reads.
func (f Fault) MarshalJSON() ([]byte, error) {
	out := faultJSON{plainFault: (*plainFault)(&f)}
	if f.For > 0 {
		out.For = f.For.String()
	}
	if f.Delay > 0 {
		out.Delay = f.Delay.String()
	}
	return json.Marshal(out)
}

// A state is a kind that lasts or acts by itself instead of befalling single calls.
func (k FaultKind) state() bool {
	switch k {
	case FaultSearchLag, FaultRevokeScope, FaultRevokeTokens, FaultQuota, FaultEdit, FaultDelete, FaultVoid, FaultPush, FaultDown:
		return true
	}
	return false
}

func (k FaultKind) person() bool {
	return k == FaultEdit || k == FaultDelete || k == FaultVoid || k == FaultPush
}

func (k FaultKind) known() bool {
	switch k {
	case FaultLostAnswer, FaultErrorAfter, FaultErrorBefore, FaultThrottle, FaultOKWithCode, FaultLatency, FaultHang,
		FaultLateLanding, FaultCents, FaultTwin, FaultTokenError:
		return true
	}
	return k.state()
}

// effects are what the faults that matched a call do to it.
type effects struct {
	before    *failure
	after     *failure
	delay     time.Duration
	landAfter time.Duration
	cents     decimal.Decimal
	hang      bool
	commit    bool // with hang: the work is done
	lose      bool
	twin      bool
}

func (f *Fault) befall(c *call) {
	or := func(given, otherwise int) int {
		if given != 0 {
			return given
		}
		return otherwise
	}
	switch f.Kind {
	case FaultLostAnswer:
		c.lose = true
	case FaultErrorAfter:
		c.after = refuse(or(f.Status, http.StatusInternalServerError), or(f.Code, codeInternal), text(f.Message, "Internal error"))
	case FaultErrorBefore:
		c.before = refuse(or(f.Status, http.StatusInternalServerError), or(f.Code, codeInternal), text(f.Message, "Internal error"))
		if f.HTML {
			c.before.html = true
			c.before.message = text(f.Message, "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>")
		}
		c.before.retry = f.RetryAfter
	case FaultThrottle:
		c.before = refuse(http.StatusTooManyRequests, or(f.Code, codeMinute), f.Message)
		if f.Message == "" {
			c.before.message = map[int]string{codeDay: fmt.Sprintf(messageDay, 1000), codeConcurrent: messageConcurrent}[c.before.code]
			c.before.message = text(c.before.message, messageMinute)
		}
		c.before.retry = f.RetryAfter
	case FaultOKWithCode:
		c.before = refuse(http.StatusOK, or(f.Code, codeInternal), text(f.Message, "Internal error"))
	case FaultLatency:
		c.delay += f.Delay
	case FaultHang:
		c.hang, c.commit = true, f.Applied
	case FaultLateLanding:
		c.landAfter = f.Delay
		if c.landAfter == 0 {
			c.landAfter = c.s.cfg.WriteHorizon
		}
	case FaultCents:
		c.cents = f.Amount
		if c.cents.IsZero() {
			c.cents = decimal.New(1, -2)
		}
	case FaultTwin:
		c.twin = true
	}
}

func text(given, otherwise string) string {
	if given != "" {
		return given
	}
	return otherwise
}

// Inject makes f part of the world until it is used up, its time is over, or ClearFaults. It answers with an error for a
// kind that does not exist, an unknown organisation, and for a person's deed whose document is not there.
func (s *Simulator) Inject(f Fault) error {
	if !f.Kind.known() {
		return fmt.Errorf("injecting a fault: no kind %q", f.Kind)
	}
	if f.Organization != "" && s.orgs[f.Organization] == nil {
		return fmt.Errorf("injecting a fault: no organisation %q", f.Organization)
	}
	if f.Kind.person() && f.BusinessID == "" {
		return errors.New("injecting a fault: a person's deed needs a business id")
	}
	if f.Count == 0 && f.Nth > 0 || f.Count == 0 && f.Kind.state() {
		f.Count = 1
	}
	if f.Kind.state() && f.Method == "" && f.Path == "" && f.Nth == 0 && f.Probability == 0 {
		return s.faults.begin(&f, s.cfg.Now())
	}
	s.faults.add(&f, s.cfg.Now())
	return nil
}

// ClearFaults ends all faults and what they changed: scopes come back, lists show everything. Limits changed by a quota
// fault stay, and writes that have not landed still will.
func (s *Simulator) ClearFaults() { s.faults.clear() }
