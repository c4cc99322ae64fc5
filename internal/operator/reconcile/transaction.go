package reconcile

import (
	"strings"

	"github.com/shopspring/decimal"
)

// The workflows, as outcomes name them.
const (
	orderFlow   = "order"
	paymentFlow = "payment"
	refundFlow  = "refund"
)

// transaction is one order, payment or refund and what each of the three says of it.
type transaction struct {
	workflow, id string
	order        string // its order

	event    *event
	refused  *refusal // of the newest event that was rejected; nil when none was, or another one was posted after it
	posted   *posted  // nil: no outcome says POSTED
	shadow   bool     // handled in shadow: nothing was meant to be written
	reversed bool     // taken back by a rollback

	cancelled      bool
	cancelRevision int64
	cancelDay      string
	cancelRecorded int64 // Kafka's timestamp, Unix milliseconds

	docs []*document
	verdict
	repairs []Repair
}

// event is what is kept of the event that is in force.
type event struct {
	topic     string
	partition int32
	offset    int64
	recorded  int64  // Kafka's timestamp, Unix milliseconds
	day       string // of its document
	revision  int64
	kind      string
	total     units // gross; the money paid or returned
	tax       units
	credit    units // value credited by a refund; with creditSaid
	fee       units
	currency  string
	rate      decimal.NullDecimal
	reference string
	account   string // the clearing account that the mapping of now says
	customer  string // key of the contact
	taxNumber string
	taxes     []rateSum
	taxIDs    []string // that the mapping of now says, sorted
	parts     []part   // of a payment for several orders

	creditSaid bool
	refused    *refusal // what became of this very record
}

// rateSum is the tax of one rate.
type rateSum struct {
	percent string // "19"
	amount  units
}

// part of a payment that belongs to one order.
type part struct {
	order  string
	amount units
}

// refusal is a dead letter's class and message.
type refusal struct {
	class, message string
	revision       int64
	kind           string // of the event, once it was read
}

// posted is the sum of the outcomes that say POSTED.
type posted struct {
	topic      string // source of the latest
	partition  int32
	offset     int64
	settled    int64 // of the latest, Unix milliseconds
	revision   int64
	currency   string
	difference units
	hash       string // of the mapping in force
}

// docKind is what Zoho calls it.
type docKind uint8

const (
	invoiceDoc docKind = iota
	paymentDoc
	creditDoc
	entryDoc // money returned: a refund of a credit note or of a payment
)

func (k docKind) String() string {
	return [...]string{"invoice", "payment", "credit note", "refund entry"}[k]
}

// seen is what is known of a document's presence in the books.
type seen uint8

const (
	unseen seen = iota // not in the lists
	listed
	opened // read whole
	gone   // asked for, and not there
)

// document is one document: what the outcome says of it and what the books hold.
type document struct {
	of   *transaction
	kind docKind
	id   string
	key  string // in its custom field; "" when it is not known
	// said: an outcome names it, with the next seven.
	said     bool
	revision int64 // of the outcome that named it first
	oTotal   units
	oTax     units
	oBalance units
	oDay     string
	oStatus  string
	oAccount string

	seen       seen
	number     string
	day        string
	status     string
	currency   string
	reference  string
	customer   string
	account    string
	total      units
	balance    units // what is open of it; of a payment what is unused
	base       decimal.Decimal
	rate       decimal.Decimal
	refunded   bool // a payment of which money was returned
	writtenOff units
	modified   int64 // Unix milliseconds; 0: unknown
	superseded bool  // its key was renamed, which booksync does before it takes a document of its own back
	takenBack  bool  // a rollback says that it took it back

	detail *detail
}

// detail is what only the whole document tells.
type detail struct {
	whole    bool // of the document itself, not of its contact only
	tax      units
	taxes    []rateSum
	taxIDs   []string
	customer string // the contact's key
	number   string // the contact's tax number
	fee      units  // bank charges of a payment
	entries  []entry
}

func (d *document) void() bool { return d.status == "void" }

// past says whether the document is one that booksync took back itself.
func (d *document) past() bool { return d.superseded || d.takenBack }

// inBooks says whether the document is there and counts.
func (d *document) inBooks() bool {
	return (d.seen == listed || d.seen == opened) && !d.void() && !d.superseded
}

// index finds transactions by workflow and id, and by order; documents by Zoho's id.
type index struct {
	transactions map[string]*transaction
	orders       map[string][]*transaction
	documents    map[string]*document
	words        map[string]string // texts that many share, once each
}

func newIndex() *index {
	return &index{
		transactions: map[string]*transaction{}, orders: map[string][]*transaction{}, documents: map[string]*document{}, words: map[string]string{},
	}
}

// word is s itself, kept once.
func (x *index) word(s string) string {
	if w, ok := x.words[s]; ok {
		return w
	}
	s = strings.Clone(s)
	x.words[s] = s
	return s
}

func (x *index) find(workflow, id string) *transaction { return x.transactions[workflow+":"+id] }

// at finds or makes a transaction.
func (x *index) at(workflow, id, order string) *transaction {
	if t := x.find(workflow, id); t != nil {
		if t.order == "" {
			x.belongs(t, order)
		}
		return t
	}
	t := &transaction{workflow: x.word(workflow), id: strings.Clone(id)}
	x.transactions[workflow+":"+id] = t
	x.belongs(t, order)
	return t
}

// belongs files a transaction under its order.
func (x *index) belongs(t *transaction, order string) {
	if order == "" {
		return
	}
	t.order = strings.Clone(order)
	if t.workflow == orderFlow {
		t.order = t.id
	}
	x.orders[t.order] = append(x.orders[t.order], t)
}

// document finds or makes a document of a transaction. Documents of different kinds never share an id in Zoho.
func (x *index) document(t *transaction, kind docKind, id string) *document {
	if d := x.documents[id]; d != nil {
		return d
	}
	d := &document{of: t, kind: kind, id: strings.Clone(id)}
	t.docs = append(t.docs, d)
	x.documents[d.id] = d
	return d
}

// key is the transaction's own, as its first document carries it.
func (t *transaction) key() string { return t.workflow + ":" + t.id }

// day is the event's, else the first document's.
func (t *transaction) day() string {
	if t.event != nil {
		return t.event.day
	}
	for _, d := range t.docs {
		if d.said {
			return d.oDay
		}
	}
	for _, d := range t.docs {
		return d.day
	}
	return ""
}

// in says whether the transaction has a part in the window.
func (t *transaction) in(w Window) bool {
	if t.event != nil && w.contains(t.event.day) || t.cancelled && w.contains(t.cancelDay) {
		return true
	}
	for _, d := range t.docs {
		if d.said && w.contains(d.oDay) || (d.seen == listed || d.seen == opened) && w.contains(d.day) {
			return true
		}
	}
	return false
}

// currency is the event's, else the outcome's, else the document's.
func (t *transaction) currency() string {
	switch {
	case t.event != nil:
		return t.event.currency
	case t.posted != nil:
		return t.posted.currency
	case len(t.docs) > 0:
		return t.docs[0].currency
	}
	return ""
}

// ofCancel says whether a document came with the order's cancellation.
func (t *transaction) ofCancel(d *document) bool {
	if d.key != "" {
		return strings.HasPrefix(d.key, "cancel:")
	}
	return d.kind == creditDoc && t.workflow == orderFlow && t.cancelled && d.said && d.revision >= t.cancelRevision
}

// superseded keys have one of these behind them: booksync renames the key of a document of its own before it takes it back,
// by itself or in a rollback.
var renamed = []string{":void:", ":reversed:"}

// parseKey reads the key that a document carries: order:O1, payment:P1, refund:R1, and those of an order's further
// documents, whose prefixes are not counted up here: cancel:O1, correction:O1:2. A number behind the last colon belongs to
// the further document, unless known says that an order has it in its id.
func parseKey(key string, known func(order string) bool) (workflow, id string, superseded, ok bool) {
	for _, mark := range renamed {
		if base, _, is := strings.Cut(key, mark); is {
			key, superseded = base, true
		}
	}
	prefix, id, ok := strings.Cut(key, ":")
	if !ok || prefix == "" || id == "" {
		return "", "", false, false
	}
	switch prefix {
	case orderFlow, paymentFlow, refundFlow:
		return prefix, id, superseded, true
	}
	if at := strings.LastIndexByte(id, ':'); at > 0 && number(id[at+1:]) && !known(id) {
		id = id[:at]
	}
	return orderFlow, id, superseded, true
}

func number(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// entry is money that was returned from a payment's unused amount.
type entry struct {
	id, day, account string
	amount           units
}
