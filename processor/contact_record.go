package processor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/fastjson"
	"github.com/booksync/booksync/schemas"
)

// contactRecord is what is kept of a contact, in its claim and in the caches: which one it is, and what booksync wrote to
// it last, so that a changed customer is noticed without a call and a person's edit is told from booksync's own.
type contactRecord struct {
	ID string `json:"id"`
	// Rev is the revision of the claim: it counts the updates.
	Rev int64 `json:"rev,omitempty"`
	// At is when the newest event happened that was compared with it, in Unix milliseconds; Raw is a hash of that event's
	// customer.
	At  int64  `json:"at,omitempty"`
	Raw string `json:"raw,omitempty"`
	// Sent are hashes of what events said last, by part of the contact; nil where that's not known. Shown are hashes of what
	// Zoho answered when booksync wrote the part: a part that shows something else was edited by a person.
	Sent  hashes `json:"sent"` // nil and empty are not the same
	Shown hashes `json:"shown,omitempty"`
}

// hashes are by part of a contact.
type hashes map[string]string

// The parts of a contact that are compared and written as a whole. The contact's name is none: it's unique in Zoho, and
// documents show it.
const (
	partCompany   = "co"
	partPerson    = "na"
	partEmail     = "em"
	partPhone     = "ph"
	partNumber    = "tn"
	partTreatment = "tt"
	partBilling   = "ba"
	partShipping  = "sa"
)

var contactParts = []string{partCompany, partPerson, partEmail, partPhone, partNumber, partTreatment, partBilling, partShipping}

// encode writes "c2 id rev at raw sent shown": hashes as part:hash with a comma behind each, and a dash for what is not known. It's read
// with every event, for which JSON took a twentieth of all the work.
func (r *contactRecord) encode() []byte {
	b := make([]byte, 0, 256)
	b = append(append(append(b, recordMark...), ' '), r.ID...)
	b = strconv.AppendInt(append(b, ' '), r.Rev, 10)
	b = strconv.AppendInt(append(b, ' '), r.At, 10)
	b = append(append(b, ' '), cmp.Or(r.Raw, unknown)...)
	return r.Shown.append(r.Sent.append(b))
}

const (
	recordMark = "c2"
	unknown    = "-"
)

func (h hashes) append(b []byte) []byte {
	b = append(b, ' ')
	if h == nil {
		return append(b, unknown...)
	}
	start := len(b)
	for _, part := range contactParts {
		if hash, ok := h[part]; ok {
			b = append(append(append(append(b, part...), ':'), hash...), ',')
		}
	}
	if len(b) == start {
		b = append(b, ',') // none, but known
	}
	return b
}

// readContactRecord reads a record; nil when it's none. JSON and a bare id are what earlier versions kept.
func readContactRecord(b []byte, revision int64) *contactRecord {
	r := new(contactRecord)
	switch {
	case len(b) > 0 && b[0] == '{':
		if json.Unmarshal(b, r) != nil || r.ID == "" {
			return nil
		}
	case strings.HasPrefix(string(b), recordMark+" "):
		if r = parseContactRecord(string(b)); r == nil {
			return nil
		}
	case len(b) > 0:
		r.ID = string(b)
	default:
		return nil
	}
	r.Rev = max(r.Rev, revision)
	return r
}

func parseContactRecord(s string) *contactRecord {
	const fields = 7
	var f [fields]string
	rest := s
	for i := range f {
		var more bool
		if f[i], rest, more = strings.Cut(rest, " "); more == (i == fields-1) {
			return nil
		}
	}
	rev, revErr := strconv.ParseInt(f[2], 10, 64)
	at, atErr := strconv.ParseInt(f[3], 10, 64)
	sent, sentOK := readHashes(f[5])
	shown, shownOK := readHashes(f[6])
	if f[1] == "" || revErr != nil || atErr != nil || !sentOK || !shownOK {
		return nil
	}
	r := &contactRecord{ID: f[1], Rev: rev, At: at, Sent: sent, Shown: shown}
	if f[4] != unknown {
		r.Raw = f[4]
	}
	return r
}

func readHashes(s string) (hashes, bool) {
	if s == unknown {
		return nil, true
	}
	h := make(hashes)
	if s == "," {
		return h, true
	}
	for s != "" {
		entry, rest, whole := strings.Cut(s, ",")
		part, hash, ok := strings.Cut(entry, ":")
		if !whole || !ok {
			return nil, false
		}
		h[part], s = hash, rest
	}
	return h, true
}

// seen is the record after an event that changes nothing.
func (r *contactRecord) seen(at int64, raw string) *contactRecord {
	now := *r
	now.At, now.Raw = max(r.At, at), raw
	return &now
}

// stamped is the record as the cache has it: its tag is the newest event's customer, its stamp when that was. A customer
// who is as before raises the stamp, and nothing else is written.
func (r *contactRecord) stamped() Stamped {
	return Stamped{Tag: r.Raw, Stamp: r.At, Value: r.encode(), Revision: r.Rev}
}

// cachedRecord is what the cache has; nil when it has nothing. Its Raw is empty while somebody works on the contact.
func cachedRecord(s Stamped) *contactRecord {
	r := readContactRecord(s.Value, 0)
	if r != nil {
		r.Raw, r.At = s.Tag, s.Stamp
	}
	return r
}

// changed reports whether the event says something of the customer that no event before it said. Events older than the
// newest one seen say nothing new.
func (r *contactRecord) changed(plan *contactPlan) bool {
	if plan.At < r.At || r.Sent == nil {
		return r.Sent == nil
	}
	for part, h := range plan.sent() {
		if r.Sent[part] != h {
			return true
		}
	}
	return false
}

// rawHash is a hash of a customer as the event has it.
func rawHash(p *schemas.Party) string {
	var out string
	fastjson.Use(p, func(b []byte) { out = hash(b, hashLength) })
	return out
}

// customerHash is the rawHash of the order's customer.
func (e *event) customerHash() string {
	if e.customer == "" {
		e.customer = rawHash(&e.order.Customer)
	}
	return e.customer
}

// partHash is how much of a hash a part keeps: what is told apart is two states of one part of one contact.
const partHash = 8

func hashParts(parts map[string]string) hashes {
	out := make(hashes, len(parts))
	for part, text := range parts {
		if strings.Trim(text, partSeparator) != "" {
			out[part] = hash(text, partHash)
		}
	}
	return out
}

const partSeparator = "\x00"

func partText(fields ...string) string { return strings.Join(fields, partSeparator) }

// sent are the parts that a plan would write; what the event doesn't say is none: it never erases.
func (plan *contactPlan) sent() hashes {
	req := plan.Request
	parts := map[string]string{
		partCompany:   req.CompanyName,
		partNumber:    req.VATRegNo + req.GSTNo + req.TaxRegNo,
		partTreatment: partText(req.GSTTreatment+req.VATTreatment+req.TaxTreatment, req.PlaceOfContact, req.CountryCode),
		partBilling:   addressText(req.BillingAddress), partShipping: addressText(req.ShippingAddress),
	}
	if len(req.ContactPersons) > 0 {
		p := req.ContactPersons[0]
		parts[partPerson], parts[partEmail], parts[partPhone] = partText(p.FirstName, p.LastName), p.Email, p.Phone
	}
	return hashParts(parts)
}

// shownBy are the parts as Zoho answers them.
func shownBy(c *zohobooks.Contact) hashes {
	p := primaryOf(c)
	return hashParts(map[string]string{
		partCompany: c.CompanyName, partPerson: partText(p.FirstName, p.LastName), partEmail: strings.ToLower(p.Email), partPhone: p.Phone,
		partNumber:    c.VATRegNo + c.GSTNo + c.TaxRegNo,
		partTreatment: partText(c.GSTTreatment+c.VATTreatment+c.TaxTreatment, c.PlaceOfContact, c.CountryCode),
		partBilling:   addressText(c.BillingAddress), partShipping: addressText(c.ShippingAddress),
	})
}

// primaryOf is the contact's primary person; answers without persons carry the person's fields themselves.
func primaryOf(c *zohobooks.Contact) zohobooks.ContactPerson {
	for _, p := range c.ContactPersons {
		if p.Primary {
			return p
		}
	}
	return zohobooks.ContactPerson{FirstName: c.FirstName, LastName: c.LastName, Email: c.Email, Phone: c.Phone}
}

// addressText leaves the state's code out: Zoho may fill it in by itself.
func addressText(a *zohobooks.Address) string {
	if a == nil {
		return ""
	}
	return partText(a.Attention, a.Address, a.Street2, a.City, a.State, a.Zip, a.Country, a.Phone)
}

// contactOrigin is the text of a contact's origin field: what was written, as of when. By it booksync knows its own writing
// again when Redis has lost its memory.
func contactOrigin(sent hashes, at int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "c1 %d", at)
	for _, part := range slices.Sorted(maps.Keys(sent)) {
		fmt.Fprintf(&b, " %s:%s", part, sent[part])
	}
	return b.String()
}

// readContactOrigin reads the field; ok is false for what booksync did not write.
func readContactOrigin(s string) (sent hashes, at int64, ok bool) {
	fields := strings.Fields(s)
	if len(fields) < 2 || fields[0] != "c1" {
		return nil, 0, false
	}
	at, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return nil, 0, false
	}
	sent = make(hashes)
	for _, f := range fields[2:] {
		part, h, found := strings.Cut(f, ":")
		if !found {
			return nil, 0, false
		}
		sent[part] = h
	}
	return sent, at, true
}

// unixMilli is an instant as records keep it; 0 for none.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
