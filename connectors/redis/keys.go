package redis

import (
	"errors"
	"fmt"
	"strings"
)

// Roles of claims.
const (
	RoleOrder    = "order"
	RolePayment  = "payment"
	RoleRefund   = "refund"
	RoleCustomer = "customer"
	RoleCancel   = "cancel"
)

// Ref names a claim: the role and the business id within the organisation.
type Ref struct{ Role, ID string }

// WakeKey is the message that wakes those who wait for the claim to be settled: "org/role/id".
func (r Ref) WakeKey(org string) string { return org + "/" + r.Role + "/" + r.ID }

// FreeKey is the message that wakes those who wait for the claim, or the order's lease, to be free: "org/free/role/id". What is settled is free, too.
func (r Ref) FreeKey(org string) string { return org + "/free/" + r.Role + "/" + r.ID }

// keyspace builds the keys of one organisation.
type keyspace struct{ prefix string }

func keysOf(org string) keyspace { return keyspace{"booksync:{" + org + "}:"} }

func (k keyspace) epoch() string                 { return k.prefix + "epoch" }
func (k keyspace) claim(r Ref) string            { return k.prefix + "claim:" + r.Role + ":" + r.ID }
func (k keyspace) waiters(r Ref) string          { return k.prefix + "waiters:" + r.Role + ":" + r.ID }
func (k keyspace) order(id string) string        { return k.prefix + "claim:order:" + id }
func (k keyspace) pendingPrefix() string         { return k.prefix + "pending:" }
func (k keyspace) pending(o string) string       { return k.prefix + "pending:" + o }
func (k keyspace) wake() string                  { return k.prefix + "wake" }
func (k keyspace) budget() string                { return k.prefix + "budget" }
func (k keyspace) budgetFlight() string          { return k.prefix + "budget:flight" }
func (k keyspace) budgetWaiting() string         { return k.prefix + "budget:waiting" }
func (k keyspace) budgetTurns() string           { return k.prefix + "budget:turns" }
func (k keyspace) budgetFree() string            { return k.prefix + "budget:free" }
func (k keyspace) token() string                 { return k.prefix + "token" }
func (k keyspace) tokenLease() string            { return k.prefix + "token:lease" }
func (k keyspace) tokenRefusal() string          { return k.prefix + "token:refusal" }
func (k keyspace) lease(name string) string      { return k.prefix + "lease:" + name }
func (k keyspace) cache(kind, key string) string { return k.prefix + "cache:" + kind + ":" + key }

func (k keyspace) stamped(kind, key string) string { return k.prefix + "stamped:" + kind + ":" + key }

// Patterns of the channels of every organisation.
const (
	wakePattern = "booksync:*:wake"
	freePattern = "booksync:*:budget:free"
)

// checkOrganization refuses names that would break the hash tag.
func checkOrganization(org string) error {
	if org == "" {
		return errors.New("organization is empty")
	}
	if strings.ContainsAny(org, "{}/*?[]\\") {
		return fmt.Errorf("organization %q holds a character that Redis keys or wake-ups cannot", org)
	}
	return nil
}

func checkRef(r Ref) error {
	if r.Role == "" || strings.ContainsAny(r.Role, ":/") {
		return fmt.Errorf("role %q of a claim is empty or holds : or /", r.Role)
	}
	if r.ID == "" {
		return fmt.Errorf("%s claim has no id", r.Role)
	}
	return nil
}
