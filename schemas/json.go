package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// OrderFromJSON reads an order: one object with the names of order.avsc. Optional fields may be null or left out,
// decimals are numbers or strings, instants RFC 3339. The same things are refused as in Avro, with the same *Error;
// unknown fields, repeated fields and numbers that do not fit the schema exactly are refused too.
func OrderFromJSON(text []byte) (*Order, error) { return fromJSON(KindOrder, text, readOrder) }

// PaymentFromJSON is OrderFromJSON for payments.
func PaymentFromJSON(text []byte) (*Payment, error) { return fromJSON(KindPayment, text, readPayment) }

// RefundFromJSON is OrderFromJSON for refunds.
func RefundFromJSON(text []byte) (*Refund, error) { return fromJSON(KindRefund, text, readRefund) }

// CustomerFromJSON is OrderFromJSON for customers.
func CustomerFromJSON(text []byte) (*Customer, error) {
	return fromJSON(KindCustomer, text, readCustomer)
}

// OutcomeFromJSON is OrderFromJSON for outcomes.
func OutcomeFromJSON(text []byte) (*Outcome, error) { return fromJSON(KindOutcome, text, readOutcome) }

// AuditFromJSON is OrderFromJSON for audit entries.
func AuditFromJSON(text []byte) (*AuditEntry, error) { return fromJSON(KindAudit, text, readAudit) }

// ReconciliationFromJSON is OrderFromJSON for reconciliations.
func ReconciliationFromJSON(text []byte) (*Reconciliation, error) {
	return fromJSON(KindReconciliation, text, readReconciliation)
}

// OrderToJSON writes an order as one line: every field of order.avsc in its order, decimals as strings, instants in
// RFC 3339. It refuses what encoding refuses.
func OrderToJSON(v *Order) ([]byte, error) { return toJSON(KindOrder, v, (*encoder).order) }

// PaymentToJSON is OrderToJSON for payments.
func PaymentToJSON(v *Payment) ([]byte, error) { return toJSON(KindPayment, v, (*encoder).payment) }

// RefundToJSON is OrderToJSON for refunds.
func RefundToJSON(v *Refund) ([]byte, error) { return toJSON(KindRefund, v, (*encoder).refund) }

// CustomerToJSON is OrderToJSON for customers.
func CustomerToJSON(v *Customer) ([]byte, error) { return toJSON(KindCustomer, v, (*encoder).customer) }

// OutcomeToJSON is OrderToJSON for outcomes.
func OutcomeToJSON(v *Outcome) ([]byte, error) { return toJSON(KindOutcome, v, (*encoder).outcome) }

// AuditToJSON is OrderToJSON for audit entries.
func AuditToJSON(v *AuditEntry) ([]byte, error) { return toJSON(KindAudit, v, (*encoder).audit) }

// ReconciliationToJSON is OrderToJSON for reconciliations.
func ReconciliationToJSON(v *Reconciliation) ([]byte, error) {
	return toJSON(KindReconciliation, v, (*encoder).reconciliation)
}

func fromJSON[T any](kind Kind, text []byte, read func(*row) *T) (*T, error) {
	if len(text) > DefaultMaxBytes {
		return nil, bad("the text has %d bytes, at most %d are read", len(text), DefaultMaxBytes)
	}
	if !utf8.Valid(text) {
		return nil, bad("not valid UTF-8")
	}
	o := ownOf(kind)
	p := jsonParser{d: json.NewDecoder(bytes.NewReader(text))}
	p.d.UseNumber()
	values, refused := p.parse(o.writer.root)
	if refused != nil {
		return nil, refused
	}
	if _, err := p.d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("more follows after the object")
	}
	object, ok := values.(map[string]any)
	if !ok {
		return nil, bad("not an object")
	}
	v, refused := readRow(row{named: object, record: o.json}, read)
	if refused != nil {
		return nil, refused
	}
	return v, nil
}

// jsonParser reads JSON by our schema: that names unknown fields by their path, and bounds the depth.
type jsonParser struct {
	d *json.Decoder
}

func (p *jsonParser) token() (json.Token, *Error) {
	token, err := p.d.Token()
	if err != nil {
		return nil, &Error{Class: ClassDecode, Reason: "reading JSON", Err: err}
	}
	return token, nil
}

// parse returns nil, a string, json.Number or bool, a map or a slice. Whether a scalar suits its field is the reader's
// business.
func (p *jsonParser) parse(n *node) (any, *Error) {
	if n.kind == kindUnion {
		s := newSlot("", n)
		n = s.reader
	}
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	switch {
	case delim == '{' && (n.kind == kindRecord || n.kind == kindMap):
		return p.object(n)
	case delim == '[' && n.kind == kindArray:
		return p.array(n)
	default:
		what := "an object"
		if delim == '[' {
			what = "an array"
		}
		return nil, bad("%s where %s is wanted", what, n.describe())
	}
}

func (p *jsonParser) object(n *node) (any, *Error) {
	values := make(map[string]any)
	for p.d.More() {
		token, err := p.token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder lets nothing else be a key
		if _, ok := values[name]; ok {
			return nil, bad("is given twice").within(safeName(n, name))
		}
		of := n.items
		if n.kind == kindRecord {
			if of = n.field(name); of == nil {
				return nil, bad("unknown field").within(safeName(n, name))
			}
		}
		v, err := p.parse(of)
		if err != nil {
			return nil, err.within(safeName(n, name))
		}
		values[name] = v
	}
	if _, err := p.token(); err != nil {
		return nil, err
	}
	return values, nil
}

// safeName is a key as it may stand in a path.
func safeName(n *node, name string) string {
	if n.kind == kindRecord && n.field(name) != nil {
		return name
	}
	if n.kind == kindMap {
		return "[" + quote(name) + "]"
	}
	if q := quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}

func (n *node) field(name string) *node {
	for i := range n.fields {
		if n.fields[i].name == name {
			return n.fields[i].node
		}
	}
	return nil
}

func (p *jsonParser) array(n *node) (any, *Error) {
	var items []any
	for p.d.More() {
		v, err := p.parse(n.items)
		if err != nil {
			return nil, err.within("[" + strconv.Itoa(len(items)) + "]")
		}
		items = append(items, v)
	}
	if _, err := p.token(); err != nil {
		return nil, err
	}
	return items, nil
}

// decimalFromText reads a decimal as JSON writes numbers. It says "" or what is wrong.
func decimalFromText(text string) (decimal.Decimal, string) {
	// longer than any value that fits, and the exponent cannot make work or memory
	const longest = 64
	if len(text) == 0 || len(text) > longest || strings.Trim(text, "+-0123456789.eE") != "" {
		return decimal.Decimal{}, "not a decimal number"
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, "not a decimal number"
	}
	switch {
	case d.IsZero():
		return decimal.Decimal{}, ""
	case d.Exponent() > maxDigits:
		return decimal.Decimal{}, "more digits than the schema's precision"
	}
	return d, ""
}

func toJSON[T any](kind Kind, v *T, write func(*encoder, *T) map[string]any) ([]byte, error) {
	o := ownOf(kind)
	e := borrowEncoder(o)
	defer e.giveBack()
	native, refused := toNative(e, v, write)
	if refused != nil {
		return nil, refused
	}
	w := jsonWriter{}
	if err := w.write(o.writer.root, native); err != nil {
		return nil, fmt.Errorf("writing the %s as JSON: %w", kind, err)
	}
	return w.buf.Bytes(), nil
}
