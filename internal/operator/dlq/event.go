package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// event is a decoded value: one of the three.
type event struct {
	order   *schemas.Order
	payment *schemas.Payment
	refund  *schemas.Refund
}

// decode reads a value as the workflow's event. An error that wraps schemas.ErrRegistryUnavailable says nothing about it.
func (d *Desk) decode(ctx context.Context, workflow string, rec *kgo.Record) (event, schemas.Meta, error) {
	var e event
	var meta schemas.Meta
	var err error
	switch processor.Workflow(workflow) {
	case processor.WorkflowOrder:
		e.order, meta, err = d.Codec.DecodeOrder(ctx, rec.Value, rec.Headers)
	case processor.WorkflowPayment:
		e.payment, meta, err = d.Codec.DecodePayment(ctx, rec.Value, rec.Headers)
	case processor.WorkflowRefund:
		e.refund, meta, err = d.Codec.DecodeRefund(ctx, rec.Value, rec.Headers)
	default:
		err = fmt.Errorf("topic %s belongs to no workflow", rec.Topic)
	}
	return e, meta, err
}

// fromJSON reads the workflow's event from JSON, as `booksync produce` does.
func fromJSON(workflow string, text []byte) (e event, err error) {
	switch processor.Workflow(workflow) {
	case processor.WorkflowOrder:
		e.order, err = schemas.OrderFromJSON(text)
	case processor.WorkflowPayment:
		e.payment, err = schemas.PaymentFromJSON(text)
	case processor.WorkflowRefund:
		e.refund, err = schemas.RefundFromJSON(text)
	default:
		err = fmt.Errorf("%q is no workflow", workflow)
	}
	return e, err
}

func (e event) json() (json.RawMessage, error) {
	switch {
	case e.order != nil:
		return schemas.OrderToJSON(e.order)
	case e.payment != nil:
		return schemas.PaymentToJSON(e.payment)
	case e.refund != nil:
		return schemas.RefundToJSON(e.refund)
	}
	return nil, errors.New("there is no event")
}

// encode writes the event for its source topic, with the newest schema.
func (d *Desk) encode(ctx context.Context, topic string, e event) ([]byte, error) {
	switch {
	case e.order != nil:
		return d.Codec.EncodeOrder(ctx, topic, e.order)
	case e.payment != nil:
		return d.Codec.EncodePayment(ctx, topic, e.payment)
	case e.refund != nil:
		return d.Codec.EncodeRefund(ctx, topic, e.refund)
	}
	return nil, errors.New("there is no event")
}

// identity is what makes it the same transaction; the zero value for no event.
func (e event) identity() processor.Identity {
	switch {
	case e.order != nil:
		return processor.IdentifyOrder(e.order)
	case e.payment != nil:
		return processor.IdentifyPayment(e.payment)
	case e.refund != nil:
		return processor.IdentifyRefund(e.refund)
	}
	return processor.Identity{}
}

// amount is what the event says was sold, paid or returned.
func (e event) amount() (currency string, amount decimal.NullDecimal) {
	switch {
	case e.order != nil:
		return e.order.Currency, decimal.NewNullDecimal(e.order.Totals.Gross)
	case e.payment != nil:
		return e.payment.Currency, decimal.NewNullDecimal(e.payment.Amount)
	case e.refund != nil:
		return e.refund.Currency, decimal.NewNullDecimal(e.refund.Amount)
	}
	return "", decimal.NullDecimal{}
}
