package reconcile_test

import (
	"testing"

	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// discard tells what `booksync dlq discard` tells of an order: its source is the dead letter.
func (w *world) discard(o *schemas.Order) {
	dl := w.cfg.Topics.DeadLetter(w.cfg.Topics.Orders[0])
	w.send(&schemas.Outcome{
		OutcomeID: processor.OutcomeID(w.cfg.Kafka.Group, dl, 0, 0), Status: schemas.StatusRejected, Workflow: "order", Organization: w.name,
		BusinessID: o.OrderID, OrderID: o.OrderID, Revision: o.Revision, Source: schemas.Source{Topic: dl, Partition: 0, Offset: 0, EventID: o.EventID, Timestamp: at},
		Currency: "USD", Error: &schemas.Failure{Class: "discarded", Message: "ann: not ours"}, SettledAt: at, Version: "t",
	})
}

func TestADiscardedEventIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.serve()
	o := w.order("O1")
	o.Totals.Gross = dec("500")
	w.post(o)
	w.discard(o)
	res := w.reconcile(nil)
	w.want(res, nil)
	if res.Counts[reconcile.Ignored] != 1 {
		t.Error("not ignored")
	}
}

func TestADiscardedRevisionIsNoDifference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.serve()
	w.post(w.order("O1"))
	o := w.order("O1")
	o.Kind, o.Revision = schemas.OrderUpdated, 2
	o.Totals.Gross = dec("500")
	w.post(o)
	w.discard(o)
	res := w.reconcile(nil)
	w.want(res, nil)
}
