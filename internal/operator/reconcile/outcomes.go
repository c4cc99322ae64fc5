package reconcile

import (
	"context"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// docKinds are the types of documents in outcomes. Applications of credits move no money of their own.
var docKinds = map[string]docKind{
	"invoice": invoiceDoc, "customer_payment": paymentDoc, "credit_note": creditDoc, "refund": entryDoc, "payment_refund": entryDoc,
}

// outcome takes one record of the outcome topic.
func (r *run) outcome(ctx context.Context, rec *kgo.Record) error {
	out, _, err := r.deps.Codec.DecodeOutcome(ctx, rec.Value, rec.Headers)
	if err != nil {
		r.unreadable(rec, err)
		return r.registry(err)
	}
	if out.Organization != r.opts.Organization {
		return nil
	}
	for i := range out.Documents {
		if doc := &out.Documents[i]; doc.Type == "customer_payment" && doc.Date > r.opts.Window.Until && out.Status == schemas.StatusPosted {
			r.later++
		}
	}
	if !r.concerns(out) {
		r.bare(out)
		return nil
	}
	t := r.index.at(out.Workflow, out.BusinessID, out.OrderID)
	switch out.Status {
	case schemas.StatusPosted:
		r.postedBy(t, out)
	case schemas.StatusRejected:
		t.refused = r.refusal(out)
		r.bare(out)
	case schemas.StatusShadow:
		t.shadow = true
	case schemas.StatusReversed:
		t.reversed, t.posted = true, nil
		for i := range out.Documents {
			if d := r.index.documents[out.Documents[i].ID]; d != nil {
				d.takenBack = true
			}
		}
	}
	return r.bounded()
}

// bareVerdict is what an outcome without documents says of its record; whose it is shows when the event is read.
type bareVerdict struct {
	refused          *refusal
	posted           *posted
	shadow, reversed bool
}

// bare keeps an outcome by the coordinates of its record.
func (r *run) bare(out *schemas.Outcome) {
	v := bareVerdict{}
	switch {
	case out.Status == schemas.StatusRejected:
		v.refused = r.refusal(out)
		if v.refused.class == classDiscarded && out.Source.EventID != "" {
			r.discarded[out.Workflow+":"+out.Source.EventID] = v.refused
		}
	case out.Status == schemas.StatusPosted && len(out.Documents) == 0:
		v.posted = r.postedOf(out)
	case out.Status == schemas.StatusShadow:
		v.shadow = true
	case out.Status == schemas.StatusReversed && len(out.Documents) == 0:
		v.reversed = true
	default:
		return
	}
	r.verdicts[coordinates(out.Source.Topic, out.Source.Partition, out.Source.Offset)] = v
}

// classDiscarded is the class of a dead letter that an operator discarded.
const classDiscarded = "discarded"

// maxMessage bounds what is kept of a dead letter's message.
const maxMessage = 300

func (r *run) refusal(out *schemas.Outcome) *refusal {
	ref := &refusal{revision: out.Revision}
	if out.Error != nil {
		ref.class, ref.message = r.index.word(out.Error.Class), strings.Clone(out.Error.Message[:min(len(out.Error.Message), maxMessage)])
		ref.message = strings.ToValidUTF8(ref.message, "")
	}
	return ref
}

func (r *run) postedOf(out *schemas.Outcome) *posted {
	p := &posted{
		topic: r.index.word(out.Source.Topic), partition: out.Source.Partition, offset: out.Source.Offset, settled: out.SettledAt.UnixMilli(),
		revision: out.Revision, currency: r.index.word(out.Currency), hash: r.index.word(out.ConfigHash),
	}
	if out.Difference.Valid {
		p.difference = unitsOf(out.Difference.Decimal)
	}
	return p
}

// concerns says whether an outcome has a part in the window: a document dated in it, or an order that has one.
func (r *run) concerns(out *schemas.Outcome) bool {
	if r.index.find(out.Workflow, out.BusinessID) != nil || r.index.orders[out.OrderID] != nil && out.OrderID != "" {
		return true
	}
	for i := range out.Documents {
		if r.opts.Window.contains(out.Documents[i].Date) {
			return true
		}
	}
	return false
}

func (r *run) postedBy(t *transaction, out *schemas.Outcome) {
	t.shadow, t.reversed = false, false
	if t.refused != nil && t.refused.revision <= out.Revision {
		t.refused = nil // mended and replayed
	}
	t.posted = r.postedOf(out)
	for i := range out.Documents {
		o := &out.Documents[i]
		kind, ok := docKinds[o.Type]
		if !ok || o.ID == "" {
			continue
		}
		d := r.index.document(t, kind, o.ID)
		if !d.said {
			d.revision = out.Revision
		}
		d.said, d.takenBack = true, false
		d.number = strings.Clone(o.Number)
		d.oTotal, d.oTax, d.oBalance, d.oDay = unitsOf(o.Total), unitsOf(o.Tax), unitsOf(o.Balance), r.index.word(o.Date)
		d.oStatus = r.index.word(o.Status)
		if o.Account != "" {
			d.oAccount = r.index.word(o.Account)
		}
	}
}

func coordinates(topic string, partition int32, offset int64) string {
	return topic + "/" + strconv.Itoa(int(partition)) + "/" + strconv.FormatInt(offset, 10)
}
