package processor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A document's key (order:O1, payment:P1, refund:R1, cancel:O1, customer:C1:EUR) stands in a custom field declared
// unique; its origin stands in a second, plain one: who wrote it, and what.

// origin is the value of the origin field: coordinates of the record, revision, fingerprint of the content and a hash of
// the order's id, by which an order's documents are found again when Redis has lost its memory.
type origin struct {
	Coordinates string
	Revision    int64
	Fingerprint string
	Order       string
}

func (o origin) String() string {
	return fmt.Sprintf("%s r%d h%s o%s", o.Coordinates, o.Revision, o.Fingerprint, o.Order)
}

// parseOrigin reads the field; ok is false for what booksync did not write, or a person changed.
func parseOrigin(s string) (o origin, ok bool) {
	parts := strings.Fields(s)
	if len(parts) != 4 || !strings.HasPrefix(parts[2], "h") || !strings.HasPrefix(parts[3], "o") {
		return origin{}, false
	}
	digits, numbered := strings.CutPrefix(parts[1], "r")
	revision, err := strconv.ParseInt(digits, 10, 64)
	if !numbered || err != nil {
		return origin{}, false
	}
	o.Revision = revision
	o.Coordinates, o.Fingerprint, o.Order = parts[0], parts[2][1:], parts[3][1:]
	return o, true
}

// orderMark is the hash of an order's id in the origin field.
func orderMark(orderID string) string {
	sum := sha256.Sum256([]byte(orderID))
	return hex.EncodeToString(sum[:6])
}

// originField is what this event's documents carry.
func (a *attempt) originField() string {
	return origin{Coordinates: a.event.origin, Revision: a.revision, Fingerprint: a.fingerprint, Order: orderMark(a.orderID)}.String()
}

// fieldOf is a custom field's value; "" when the document has none of that name.
func fieldOf(doc interface {
	Field(apiName string) (string, bool)
}, apiName string) string {
	value, _ := doc.Field(apiName)
	return value
}

// key is the value of the unique custom field for this claim's document.
func (r ClaimRef) key() string { return string(r.Role) + ":" + r.ID }
