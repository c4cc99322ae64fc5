package reconcile

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// What a repair does.
const (
	RepairRedrive = "redrive" // produce the source record again
	RepairApply   = "apply"   // apply a payment's unused amount to its order's invoice
	RepairByHand  = "by_hand" // nothing that booksync does by itself
)

// Repair is a proposal. None deletes anything.
type Repair struct {
	Action string `json:"action"`
	Text   string `json:"text"`

	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition,omitempty"`
	Offset    int64  `json:"offset,omitempty"`

	PaymentID string          `json:"payment_document_id,omitempty"`
	InvoiceID string          `json:"invoice_document_id,omitempty"`
	OrderID   string          `json:"order_id,omitempty"`
	Amount    decimal.Decimal `json:"amount,omitzero"`
}

// Act says whether --apply can do it.
func (p Repair) Act() bool { return p.Action != RepairByHand }

func byHand(format string, args ...any) []Repair {
	return []Repair{{Action: RepairByHand, Text: fmt.Sprintf(format, args...)}}
}

// propose says what would mend an exception.
func (r *run) propose(t *transaction) []Repair {
	switch t.status {
	case MissingInBooks:
		switch {
		case t.posted != nil:
			return byHand("it was posted and then deleted: restore or enter it again in Zoho; the claim says that it is done, so an event sent again would be a DUPLICATE")
		case t.refused != nil:
			return byHand("its dead letter waits: mend the cause, then `booksync dlq replay`")
		case t.event != nil:
			e := t.event
			return []Repair{{
				Action: RepairRedrive, Topic: e.topic, Partition: e.partition, Offset: e.offset,
				Text: "produce the record " + coordinates(e.topic, e.partition, e.offset) + " again",
			}}
		}
	case DuplicateInBooks:
		return byHand("void the one that the outcome does not name, once its payments are moved")
	case TaxMismatch, AmountMismatch:
		return byHand("correct the mapping; `booksync rollback plan` takes back what was posted with it")
	}
	return nil
}

// proposeApply proposes to apply a payment to its order's invoice, where the amounts are equal.
func (r *run) proposeApply(t *transaction, payment, inv *document) Repair {
	if payment.balance != inv.balance || inv.status == "draft" {
		return byHand("apply the payment in Zoho: its unused amount and what the invoice owes differ")[0]
	}
	return Repair{
		Action: RepairApply, PaymentID: payment.id, InvoiceID: inv.id, OrderID: t.order, Amount: payment.balance.decimal(),
		Text: "apply " + payment.balance.text(t.currency()) + " of payment " + payment.number + " to invoice " + inv.number,
	}
}

// RepairBooks are the calls that a repair makes; *zohobooks.Client has them.
type RepairBooks interface {
	GetInvoice(ctx context.Context, id string) (*zohobooks.Invoice, error)
	GetPayment(ctx context.Context, id string) (*zohobooks.Payment, error)
	UpdatePayment(ctx context.Context, id string, req *zohobooks.PaymentRequest) (*zohobooks.Payment, error)
}

// Repairer carries proposals out.
type Repairer struct {
	Config *config.Config
	Books  RepairBooks
	Admin  *kafka.Admin
	Client *kgo.Client // produces
	Redis  *redis.Client
	Claims *redis.Claims
	// Audit writes one entry and blocks until it is safe.
	Audit func(ctx context.Context, e schemas.AuditEntry) error
	Actor string
	// Reason goes to the audit topic.
	Reason string

	positions map[string]map[int32]kafka.Position
}

// errNotSafe is a repair that was left alone.
var errNotSafe = errors.New("left alone")

// Do carries one proposal out and leaves an audit entry. done says what was done, or why nothing was.
func (p *Repairer) Do(ctx context.Context, organization string, e *Exception, repair Repair) (done string, acted bool, err error) {
	switch repair.Action {
	case RepairRedrive:
		err = p.redrive(ctx, repair)
	case RepairApply:
		err = p.apply(zohobooks.WithClass(ctx, zohobooks.ClassOperator), organization, repair)
	default:
		return repair.Text, false, nil
	}
	if errors.Is(err, errNotSafe) {
		return err.Error(), false, nil
	}
	if err != nil {
		return "", false, err
	}
	entry := schemas.AuditEntry{
		Actor: p.Actor, Action: ActionRepair, Organization: organization, Workflow: e.Workflow, Selector: e.ID, Reason: p.Reason,
		Counts: map[string]int64{repair.Action: 1}, Details: map[string]string{"what": repair.Text, "business_id": e.BusinessID},
	}
	if repair.Action == RepairApply {
		entry.Details["payment"], entry.Details["invoice"], entry.Details["amount"] = repair.PaymentID, repair.InvoiceID, repair.Amount.String()
	}
	if err := p.Audit(ctx, entry); err != nil {
		return "", true, fmt.Errorf("%s was done, its audit entry was not written: %w", repair.Action, err)
	}
	return "done: " + repair.Text, true, nil
}

// headerRedriven names the record that was produced again.
const headerRedriven = "booksync.redriven-from"

// redrive produces a source record again that the group has passed without an outcome. Should its outcome come after all,
// one of the two is a DUPLICATE: the claim decides.
func (p *Repairer) redrive(ctx context.Context, repair Repair) error {
	if p.positions == nil {
		var err error
		if p.positions, err = p.Admin.Positions(ctx); err != nil {
			return err
		}
	}
	if at, ok := p.positions[repair.Topic][repair.Partition]; !ok || at.Offset <= repair.Offset {
		return fmt.Errorf("%w: the group %s has not settled this record yet: look at why it waits (`booksync status`)", errNotSafe, p.Config.Kafka.Group)
	}
	rec, err := topics.One(ctx, topics.To(p.Config), repair.Topic, repair.Partition, repair.Offset)
	if err != nil {
		return fmt.Errorf("reading the source record: %w", err)
	}
	if rec == nil {
		return fmt.Errorf("%w: the topic does not hold the record any more", errNotSafe)
	}
	again := &kgo.Record{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Headers: append(rec.Headers, kgo.RecordHeader{
		Key: headerRedriven, Value: []byte(coordinates(rec.Topic, rec.Partition, rec.Offset)),
	})}
	if err := p.Client.ProduceSync(ctx, again).FirstErr(); err != nil {
		return fmt.Errorf("producing the record again: %w", err)
	}
	return nil
}

// roleRepair is the role of the claim that a repair works under. It takes the order's lease with it, so that nothing of
// `run` touches the order meanwhile.
const roleRepair = "repair"

// apply applies a payment's unused amount to its order's invoice, under the lease of the order. The call replaces all
// applications of the payment and may be repeated: after a crash the next repair reads what is there and goes on.
func (p *Repairer) apply(ctx context.Context, organization string, repair Repair) error {
	epoch, there, err := p.Redis.CurrentEpoch(ctx, organization)
	if err != nil {
		return fmt.Errorf("reading the epoch: %w", err)
	}
	if !there {
		return fmt.Errorf("%w: Redis knows nothing of the organisation", errNotSafe)
	}
	req := redis.ClaimRequest{
		Organization: organization, Ref: redis.Ref{Role: roleRepair, ID: repair.PaymentID}, Token: rand.Text(), Orders: []string{repair.OrderID},
		Coordinates: "repair/" + rand.Text(), Revision: time.Now().UnixMilli(), EpochID: epoch.ID, Lease: p.Config.Claims.Lease,
	}
	ans, err := p.Claims.Claim(ctx, req)
	if err != nil {
		return fmt.Errorf("claiming the order: %w", err)
	}
	if ans.State != redis.Claimed && ans.State != redis.InDoubt {
		return fmt.Errorf("%w: order %s is being worked on (%s): try again", errNotSafe, repair.OrderID, ans.State)
	}
	h := redis.Handle{Organization: organization, Ref: req.Ref, Token: req.Token, EpochID: req.EpochID, Orders: req.Orders, Lease: req.Lease}
	var state processor.OrderState
	if err := json.Unmarshal(ans.Orders[repair.OrderID].Data, &state); err != nil || state.Invoice == nil || state.Invoice.ID != repair.InvoiceID {
		return p.giveBack(ctx, h, fmt.Errorf("%w: Redis does not know the order's invoice any more: apply it in Zoho", errNotSafe))
	}
	applied, err := p.applied(ctx, h, repair, ans.State == redis.InDoubt)
	if err != nil {
		return p.giveBack(ctx, h, err)
	}
	for i := range state.Payments {
		if pay := &state.Payments[i]; pay.DocumentID == repair.PaymentID {
			pay.Applied, pay.Excess = applied.to, applied.unused
		}
	}
	data, err := json.Marshal(&state)
	if err != nil {
		return fmt.Errorf("writing the order's state: %w", err)
	}
	if err := p.Claims.Finish(ctx, h, redis.FinishRequest{
		State: redis.StateDone, Orders: map[string]redis.OrderUpdate{repair.OrderID: {Data: data}}, Retention: p.Config.Claims.Retention,
	}); err != nil {
		return fmt.Errorf("the payment was applied, the order's state in Redis was not brought up to date: %w", err)
	}
	return nil
}

// giveBack ends the claim. A write that may have left keeps its mark: the next repair reads before it writes anyway.
func (p *Repairer) giveBack(ctx context.Context, h redis.Handle, err error) error {
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if release := p.Claims.Release(releasing, h); release != nil && !errors.Is(release, redis.ErrLost) {
		return errors.Join(err, release)
	}
	return err
}

// application is what a payment is applied by now.
type application struct{ to, unused decimal.Decimal }

// applied reads payment and invoice as they are now and applies the one to the other, unless a call whose answer was lost
// did so already.
func (p *Repairer) applied(ctx context.Context, h redis.Handle, repair Repair, inDoubt bool) (application, error) {
	pay, err := p.Books.GetPayment(ctx, repair.PaymentID)
	if err != nil {
		return application{}, fmt.Errorf("reading the payment: %w", err)
	}
	inv, err := p.Books.GetInvoice(ctx, repair.InvoiceID)
	if err != nil {
		return application{}, fmt.Errorf("reading the invoice: %w", err)
	}
	if inDoubt && pay.UnusedAmount.IsZero() {
		for _, a := range pay.Invoices {
			if a.InvoiceID == repair.InvoiceID {
				return application{to: a.AmountApplied.Decimal}, nil
			}
		}
	}
	if !pay.UnusedAmount.Equal(repair.Amount) || !inv.Balance.Equal(repair.Amount) || inv.CustomerID != pay.CustomerID {
		return application{}, fmt.Errorf("%w: the payment has %s unused and the invoice owes %s by now", errNotSafe, pay.UnusedAmount, inv.Balance)
	}
	to := repair.Amount
	invoices := []zohobooks.AppliedInvoice{}
	for _, a := range pay.Invoices {
		if a.InvoiceID == repair.InvoiceID {
			to = to.Add(a.AmountApplied.Decimal)
			continue
		}
		invoices = append(invoices, zohobooks.AppliedInvoice{InvoiceID: a.InvoiceID, AmountApplied: a.AmountApplied})
	}
	invoices = append(invoices, zohobooks.AppliedInvoice{InvoiceID: repair.InvoiceID, AmountApplied: zohobooks.NewAmount(to)})
	if _, err := p.Claims.Sending(ctx, h, "apply:"+repair.InvoiceID, []byte(strconv.Quote(repair.Amount.String()))); err != nil {
		return application{}, fmt.Errorf("marking the write: %w", err)
	}
	now, err := p.Books.UpdatePayment(ctx, repair.PaymentID, &zohobooks.PaymentRequest{
		CustomerID: pay.CustomerID, PaymentMode: pay.PaymentMode, Amount: pay.Amount, Date: pay.Date, Reference: pay.Reference, Description: pay.Description,
		ExchangeRate: pay.ExchangeRate, AccountID: pay.AccountID, BankCharges: pay.BankCharges, BankChargesAccountID: pay.BankChargesAccountID, Invoices: invoices,
	})
	if err != nil {
		return application{}, fmt.Errorf("applying the payment: %w", err)
	}
	return application{to: to, unused: now.UnusedAmount.Decimal}, nil
}
