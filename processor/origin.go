package processor

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A document's key (order:O1, payment:P1, refund:R1, cancel:O1, customer:C1:EUR) stands in a custom field declared
// unique; its origin stands in a second, plain one: who wrote it, and what.

// origin is the value of the origin field: coordinates of the record, revision, fingerprint of the content and a hash of
// the order's id, by which an order's documents are found again when Redis has lost its memory; of an invoice also marks of
// the order's line ids, which the books do not have otherwise.
type origin struct {
	Coordinates string
	Revision    int64
	Fingerprint string
	Order       string
	Lines       string // lineMark of each line, one after the other; "" where they found no room
}

func (o origin) String() string {
	s := fmt.Sprintf("%s r%d h%s o%s", o.Coordinates, o.Revision, o.Fingerprint, o.Order)
	if o.Lines != "" {
		s += linesField + o.Lines
	}
	return s
}

const (
	linesField = " l"
	// maxOrigin is how long a custom field's text may be, the default of fields that `booksync setup` makes.
	maxOrigin = 255
	// markLength is a mark's: 24 bits tell the lines of one order apart.
	markLength = 4
)

// lineMark is a short hash of a line's id.
func lineMark(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:3])
}

// withLineMarks adds marks of the lines' ids to the text of an origin field, if there's room.
func withLineMarks(text string, lines []InvoiceLine) string {
	if text == "" || len(text)+len(linesField)+markLength*len(lines) > maxOrigin {
		return text
	}
	var b strings.Builder
	b.WriteString(text + linesField)
	for i := range lines {
		b.WriteString(lineMark(lines[i].LineID))
	}
	return b.String()
}

// mark is the nth line's; "" where the field has not one for each of so many lines.
func (o origin) mark(n, lines int) string {
	if len(o.Lines) != markLength*lines {
		return ""
	}
	return o.Lines[markLength*n : markLength*(n+1)]
}

// parseOrigin reads the field; ok is false for what booksync did not write, or a person changed.
func parseOrigin(s string) (o origin, ok bool) {
	parts := strings.Fields(s)
	if len(parts) == 5 && strings.HasPrefix(parts[4], "l") {
		o.Lines = parts[4][1:]
		parts = parts[:4]
	}
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
