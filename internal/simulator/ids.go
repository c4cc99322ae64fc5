package simulator

import (
	"hash/fnv"
	"strconv"
)

// Ids are decimal strings of 18 digits: six that stand for the organisation, twelve for the record. Records made while
// running count up from a million; what is configured by name gets digits hashed from its kind and name, so that a
// configuration file can hold them.

// Kinds of things configured by name, for ID.
const (
	KindAccount   = "account"
	KindItem      = "item"
	KindTax       = "tax" // tax groups too
	KindExemption = "exemption"
	KindCurrency  = "currency" // by code
	KindField     = "field"    // by entity and api name, with a dot between
)

// ID is the id that the simulator gives to something named in Org: the same in every run.
func ID(org, kind, name string) string {
	return strconv.FormatUint(namedID(org, kind, name), 10)
}

// AccountID is an account's id by its name; here and below a name that is not configured gets an id all the same, which
// the simulator will not know.
func (o Org) AccountID(name string) string { return ID(o.ID, KindAccount, name) }

// ItemID is an item's id by its name.
func (o Org) ItemID(name string) string { return ID(o.ID, KindItem, name) }

// TaxID is a tax's or tax group's id by its name.
func (o Org) TaxID(name string) string { return ID(o.ID, KindTax, name) }

// ExemptionID is an exemption's id by its code.
func (o Org) ExemptionID(code string) string { return ID(o.ID, KindExemption, code) }

// CurrencyID is a currency's id by its code.
func (o Org) CurrencyID(code string) string { return ID(o.ID, KindCurrency, code) }

const (
	recordDigits = 1_000_000_000_000 // twelve digits per organisation
	firstRecord  = 1_000_000
	namedRecords = recordDigits / 2 // named ids take the upper half
)

func orgPrefix(org string) uint64 {
	return (100_000 + hash64(org)%900_000) * recordDigits
}

func namedID(org, kind, name string) uint64 {
	return orgPrefix(org) + namedRecords + hash64(kind+"\x00"+name)%namedRecords
}

func hash64(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

// parseID reads an id; 0 for anything that is none.
func parseID(s string) uint64 {
	if !isDigits(s) || len(s) > 19 {
		return 0
	}
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return id
}
