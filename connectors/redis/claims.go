package redis

import (
	"errors"
	"fmt"
	"time"
)

// ErrLost says that the claim, or the lease of one of its orders, was taken by another attempt or given back since: nothing was changed, and nothing may be
// published. While the record is still the caller's it goes back to the claim step.
var ErrLost = errors.New("claim lost: it was taken or released in between")

// ErrUnreadable says that a claim is in a state that this version does not know: a newer one wrote it, or somebody else.
var ErrUnreadable = errors.New("claim unreadable: it is in a state that this version does not know")

// ClaimsConfig says how long claims are kept.
type ClaimsConfig struct {
	// Retention is how long a settled claim, a write in doubt and an announced payment are kept: the topics' retention plus the replay window.
	// FinishRequest.Retention goes before it. Default 35 days.
	Retention time.Duration
	// Grace is how long a claim nobody sent anything for outlives its lease; a holder that was held up so long may still go on if nobody took it.
	// Default 2 min.
	Grace time.Duration
	// WaiterTTL is how long a waiter stays registered; it registers anew with each re-check. Default 10 min.
	WaiterTTL time.Duration
	// Lease is the default of ClaimRequest.Lease and Handle.Lease: longer than the HTTP timeout, renewed while working. Default 60 s.
	Lease time.Duration
}

// WithDefaults gives a copy with every zero field set to its default.
func (c ClaimsConfig) WithDefaults() ClaimsConfig {
	setDefault(&c.Retention, 35*24*time.Hour)
	setDefault(&c.Grace, 2*time.Minute)
	setDefault(&c.WaiterTTL, 10*time.Minute)
	setDefault(&c.Lease, time.Minute)
	return c
}

// Validate names every field that cannot be used.
func (c ClaimsConfig) Validate() error {
	c = c.WithDefaults()
	var errs []error
	for name, d := range map[string]time.Duration{"retention": c.Retention, "grace": c.Grace, "waiter ttl": c.WaiterTTL, "lease": c.Lease} {
		if d < time.Millisecond {
			errs = append(errs, fmt.Errorf("claims %s %v is shorter than a millisecond", name, d))
		}
	}
	if c.Retention < c.Lease {
		errs = append(errs, fmt.Errorf("claims retention %v is shorter than the lease %v", c.Retention, c.Lease))
	}
	return errors.Join(errs...)
}

// ClaimState is the answer to the question who works on a business id.
type ClaimState string

const (
	// Claimed: ours. First time, taken over with nothing sent, the same token asked again, a done claim met by a higher revision, a rejected one met
	// by a replay or by other coordinates. The entry says what was there.
	Claimed ClaimState = "claimed"
	// Busy: somebody else holds a live lease of the claim or of an order; nothing was taken. BusyUntil says how long at most.
	Busy ClaimState = "busy"
	// Waiting: a claim in Needs is not done; nothing was taken.
	Waiting ClaimState = "waiting"
	// InDoubt: ours now, but a write was marked as sending when the last holder left or lapsed.
	InDoubt ClaimState = "in doubt"
	// Done: settled. For the same coordinates the entry holds the outcome to publish; others are duplicates. Nothing was taken.
	Done ClaimState = "done"
	// Rejected: dead-lettered by the same coordinates, not replayed; the entry holds the outcome to publish. Nothing was taken.
	Rejected ClaimState = "rejected"
)

// States of an Entry.
const (
	StateNone     = ""
	StateSending  = "sending"
	StateDone     = "done"
	StateRejected = "rejected"
)

// ClaimRequest asks for a claim.
type ClaimRequest struct {
	Organization string
	Ref          Ref
	// Token names the attempt; random, never used for another one.
	Token string
	// Coordinates are topic/partition/offset of the record's origin (of a replay: of what is replayed). They may be empty where no record is
	// behind the claim; then they equal no others.
	Coordinates string
	// Fingerprint of the business content; stored, compared by the caller.
	Fingerprint string
	// Revision of the business content, at least 0. A done claim is claimed anew only by a higher one.
	Revision int64
	// Replay lets a rejected claim be taken by its own coordinates.
	Replay bool
	// Orders are the order ids whose leases are taken with the claim, all or none.
	Orders []string
	// Needs are claims that must be done.
	Needs []Ref
	// Announce holds the order ids that this payment announces itself with. It is done even when the answer is Busy or Waiting (not when it is Done or
	// Rejected) and holds until the payment's claim is finished.
	Announce []string
	// ListPending asks for the announced, unfinished payments of Orders[0].
	ListPending bool
	// Lease is how long the claim is ours without renewal. 0: ClaimsConfig.Lease.
	Lease time.Duration
	// EpochID is Epoch.ID.
	EpochID string
	// Step, if not empty, is marked as sending, with Steps, where the claim is taken and holds nothing: as by Sending right after Claim, for the price of
	// one. The answer's Marked says whether it was.
	Step  string
	Steps []byte
}

// ClaimAnswer says whose the claim is and what it holds.
type ClaimAnswer struct {
	State ClaimState
	Entry Entry
	// Orders are the entries of the orders named and of the orders needed, by order id, existing or not.
	Orders map[string]Entry
	// BusyUntil is when the last of the leases in the way lapses unless renewed, Redis time.
	BusyUntil time.Time
	// Now is Redis time.
	Now time.Time
	// WaitingFor are the claims in the way: not done (Waiting), or held (Busy: the claim itself or orders). Their end publishes their wake key.
	WaitingFor []Ref
	// Pending are the payments listed, oldest announcement first.
	Pending []string
	// Marked says that the request's Step is marked as sending; the entry shows the claim without it.
	Marked bool
}

// Origin says which record, with which content, an attempt worked for.
type Origin struct {
	Coordinates, Fingerprint string
	Revision                 int64
}

// Entry is what a claim holds.
type Entry struct {
	// Exists: another attempt works on it or something is stored.
	Exists bool
	// State is StateNone (nothing settled, no write under way), StateSending, StateDone or StateRejected.
	State string
	// Settled is StateNone, StateDone or StateRejected: State, or what lies beneath a write under way.
	Settled string
	// Coordinates, Fingerprint and Revision are those of the settled attempt; while nothing is settled, those of the write under way. In a Rejected
	// answer they are those of the rejection, also if an earlier revision is done.
	Coordinates, Fingerprint string
	Revision                 int64
	// Sending is the origin of the write under way or in doubt.
	Sending Origin
	// Step and Since say which write was marked last and when, Redis time. A rejected entry keeps them.
	Step  string
	Since time.Time
	// Steps is the caller's account of the steps, kept across attempts.
	Steps []byte
	// Outcome is what the settled attempt published or will.
	Outcome []byte
	// Data is what others need of it: documents, line ids, sums.
	Data []byte
	// Rejection is the origin of a rejected attempt at a claim that is done; zero if none.
	Rejection Origin
	// HeldUntil is when the holder's lease lapses, Redis time; zero without a holder. It may lie in the past.
	HeldUntil time.Time
}

// Handle names what an attempt holds: build it from the ClaimRequest that was answered Claimed or InDoubt.
type Handle struct {
	Organization string
	Ref          Ref
	Token        string
	EpochID      string
	Orders       []string
	Lease        time.Duration // 0: ClaimsConfig.Lease
}

// FinishRequest settles a claim.
type FinishRequest struct {
	// State is StateDone or StateRejected. A rejection of a claim that is done (a later revision refused) leaves it done, with the rejection beside it.
	State string
	// Outcome is stored for the same coordinates to publish again.
	Outcome []byte
	// Steps and Data replace what is stored; nil keeps it.
	Steps, Data []byte
	// Orders are changes to orders of the handle, by order id.
	Orders map[string]OrderUpdate
	// Retention is how long the claim, and the orders changed, are kept at least. 0: ClaimsConfig.Retention.
	Retention time.Duration
}

// OrderUpdate changes the claim of an order under its lease.
type OrderUpdate struct {
	Data     []byte // nil keeps it
	Revision int64  // raised to this; 0 keeps it
	Done     bool   // marks it done if it is not (tombstones, adopted invoices)
}

// Claims says who works on a business id. It is safe for concurrent use.
type Claims struct {
	c   *Client
	cfg ClaimsConfig
}

// NewClaims gives the claims kept in the client's Redis.
func NewClaims(c *Client, cfg ClaimsConfig) (*Claims, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("checking claims configuration: %w", err)
	}
	return &Claims{c: c, cfg: cfg.WithDefaults()}, nil
}
