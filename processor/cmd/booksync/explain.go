package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

func (c *cli) explainCommand() *cobra.Command {
	var ordersFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain orders|payments|refunds FILE|-",
		Short: "Show what booksync would do with an event, touching nothing",
		Long: `Reads events as 'booksync produce' does (or one record in Avro's single-object encoding), checks them with the
arithmetic shown, and prints the requests that would be sent to Zoho. Nothing is contacted.

The mapping is that of the configuration. Without an organisation configured every tax code, account and gateway
counts as mapped, so that the event's own numbers can be checked. What only Zoho knows (contacts, currencies,
locks, what an invoice still owes) is taken as it should be, and said in a note.

Exit code 1 if an event would be rejected.`,
		Example: `  booksync explain orders order.json
  booksync explain refunds refund.json --orders order.json --config booksync.yaml
  booksync explain payments - --json < payments.jsonl | jq 'select(.rejected)'`,
		Args: args(2),
		RunE: func(cmd *cobra.Command, a []string) error {
			kind, ok := eventKinds[a[0]]
			if !ok {
				return usage(cmd, fmt.Sprintf("want orders, payments or refunds instead of %q", a[0]))
			}
			return c.explain(cmd.Context(), kind, a[1], ordersFile, asJSON)
		},
	}
	cmd.Flags().StringVar(&ordersFile, "orders", "", "`file` with the order events that refunds belong to: plans their credit notes")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each event")
	return cmd
}

// explanation is one event's, for printing.
type explanation struct {
	processor.Explanation
	Line     int              `json:"line"`
	Rejected *explainedReject `json:"rejected,omitempty"`
}

type explainedReject struct {
	Class     string `json:"class"`
	Message   string `json:"message"`
	Retryable string `json:"retryable"`
}

func (c *cli) explain(ctx context.Context, kind eventKind, file, ordersFile string, asJSON bool) error {
	cfg, err := c.load(0)
	if err != nil {
		return err
	}
	codec, err := schemas.NewCodec()
	if err != nil {
		return err
	}
	x := &explainer{cfg: cfg, codec: codec, orders: map[string]*schemas.Order{}}
	if ordersFile != "" {
		if err := c.events(ordersFile, func(_ int, line []byte) error { return x.remember(ctx, line) }); err != nil {
			return err
		}
	}
	rejected, n := 0, 0
	err = c.events(file, func(number int, line []byte) error {
		e := x.explain(ctx, kind.name, line)
		e.Line = number
		n++
		if e.Rejected != nil {
			rejected++
		}
		if asJSON {
			return json.NewEncoder(c.stdout).Encode(e)
		}
		return e.write(c.stdout)
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		return failed("there is no event in %s", file)
	case rejected > 0:
		return failed("%d of %s would be rejected", rejected, plural(n, "event"))
	}
	return nil
}

// events calls f with each event of a file: its lines, or the whole of it when it is one JSON object over several lines or one Avro record.
func (c *cli) events(name string, f func(line int, event []byte) error) error {
	in, closeIn, err := c.open(name)
	if err != nil {
		return err
	}
	defer closeIn()
	r := bufio.NewReader(in)
	if head, _ := r.Peek(len(singleObject)); bytes.Equal(head, singleObject) {
		value, err := io.ReadAll(io.LimitReader(r, longestLine))
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		return f(1, value)
	}
	dec := json.NewDecoder(io.LimitReader(r, 64*longestLine))
	for n := 1; ; n++ {
		var event json.RawMessage
		switch err := dec.Decode(&event); {
		case err == io.EOF:
			return nil
		case err != nil:
			return failed("reading event %d of %s: %w", n, name, err)
		}
		if err := f(n, event); err != nil {
			return err
		}
	}
}

// singleObject begins a value in Avro's single-object encoding.
var singleObject = []byte{0xC3, 0x01}

// explainer explains events under a configuration.
type explainer struct {
	cfg    *config.Config
	codec  *schemas.Codec
	orders map[string]*schemas.Order
}

func (x *explainer) order(ctx context.Context, line []byte) (*schemas.Order, error) {
	if bytes.HasPrefix(line, singleObject) {
		o, _, err := x.codec.DecodeOrder(ctx, line, nil)
		return o, err
	}
	return schemas.OrderFromJSON(line)
}

func (x *explainer) remember(ctx context.Context, line []byte) error {
	o, err := x.order(ctx, line)
	if err != nil {
		return failed("reading the orders: %w", err)
	}
	x.orders[o.OrderID] = o
	return nil
}

func (x *explainer) explain(ctx context.Context, kind string, line []byte) explanation {
	avro := bytes.HasPrefix(line, singleObject)
	switch kind {
	case "orders":
		o, err := x.order(ctx, line)
		if err != nil {
			return poison(err)
		}
		return x.under(o.Organization, o.Currency, func(m *processor.Organization) { assumeOrder(m, o) },
			func(m *processor.Organization) processor.Explanation { return processor.ExplainOrder(o, m) })
	case "payments":
		var p *schemas.Payment
		var err error
		if avro {
			p, _, err = x.codec.DecodePayment(ctx, line, nil)
		} else {
			p, err = schemas.PaymentFromJSON(line)
		}
		if err != nil {
			return poison(err)
		}
		return x.under(p.Organization, p.Currency, func(m *processor.Organization) {},
			func(m *processor.Organization) processor.Explanation { return processor.ExplainPayment(p, m) })
	}
	var r *schemas.Refund
	var err error
	if avro {
		r, _, err = x.codec.DecodeRefund(ctx, line, nil)
	} else {
		r, err = schemas.RefundFromJSON(line)
	}
	if err != nil {
		return poison(err)
	}
	o := x.orders[r.OrderID]
	return x.under(r.Organization, r.Currency, func(m *processor.Organization) {
		if o != nil {
			assumeOrder(m, o)
		}
	}, func(m *processor.Organization) processor.Explanation { return processor.ExplainRefund(r, m, o) })
}

// poison is an event that cannot be read.
func poison(err error) explanation {
	return explanation{Rejected: &explainedReject{Class: schemas.ClassDecode, Message: err.Error(), Retryable: "no"}}
}

// under explains under the event's organisation: the configured one, or, when none is configured at all, an assumed one.
func (x *explainer) under(name, currency string, assume func(*processor.Organization), explain func(*processor.Organization) processor.Explanation) explanation {
	var m processor.Organization
	var notes []string
	switch _, configured := x.cfg.Organizations[name]; {
	case configured:
		var err error
		if m, err = x.cfg.Mapping(name); err != nil { // the time zone was checked when it was loaded
			return explanation{Rejected: &explainedReject{Class: "rejected.organization", Message: err.Error(), Retryable: "after-fix"}}
		}
	case len(x.cfg.Organizations) > 0:
		return explanation{Rejected: &explainedReject{Class: "rejected.organization", Retryable: "after-fix",
			Message: fmt.Sprintf("organisation %q is not configured; there are: %s", name, strings.Join(x.cfg.OrganizationNames(), ", "))}}
	default:
		m = assumed(name)
		assume(&m)
		notes = append(notes, "no organisation is configured: every code, account and gateway counts as mapped")
	}
	if m.TimeZone == nil {
		m.TimeZone = time.UTC
		notes = append(notes, "time_zone is not configured: days are those of UTC")
	}
	if m.BaseCurrency == "" {
		m.BaseCurrency = currency
		notes = append(notes, "base_currency is not configured: taken as "+currency)
	}
	m.CurrencyIDs = map[string]string{currency: "<id of " + currency + ">"}
	e := explanation{Explanation: explain(&m)}
	e.Notes = append(e.Notes, notes...)
	if r := e.Explanation.Rejected; r != nil {
		e.Rejected = &explainedReject{Class: r.Class, Message: r.Message, Retryable: r.Retryable}
	}
	return e
}

// assumed is an organisation that maps everything.
func assumed(name string) processor.Organization {
	o := config.DefaultOrganization()
	o.Live = false
	m, err := o.Mapping(name)
	if err != nil {
		panic("explain: the default organisation has no mapping: " + err.Error())
	}
	m.DefaultClearing, m.FeeAccount = "<clearing account>", "<fee account>"
	m.Taxes, m.LineTargets, m.Locations = map[string]processor.TaxTarget{}, map[string]processor.LineTarget{}, map[string]string{}
	return m
}

// assumeOrder maps what the order uses: its kinds of lines, its tax codes at the rates it says, its location.
func assumeOrder(m *processor.Organization, o *schemas.Order) {
	if o.Location != "" {
		m.Locations[o.Location] = "<location " + o.Location + ">"
	}
	for _, l := range o.Lines {
		m.LineTargets[string(l.Kind)] = processor.LineTarget{AccountID: "<account of " + string(l.Kind) + ">"}
		assumeTaxes(m, l.Taxes)
	}
	for _, d := range o.Discounts {
		assumeTaxes(m, d.Taxes)
	}
}

func assumeTaxes(m *processor.Organization, taxes []schemas.Tax) {
	taxes = slices.Clone(taxes)
	slices.SortFunc(taxes, func(a, b schemas.Tax) int { return strings.Compare(a.Code, b.Code) })
	var codes []string
	var target processor.TaxTarget
	for _, t := range taxes {
		codes = append(codes, t.Code)
		target.Rate = target.Rate.Add(t.Rate.Decimal)
		target.Components = append(target.Components, processor.TaxComponent{Name: t.Code, Rate: t.Rate.Decimal})
	}
	if len(codes) == 0 {
		return
	}
	if len(codes) == 1 {
		target.Components = nil
	}
	code := strings.Join(codes, "+")
	target.TaxID = "<tax of " + code + ">"
	m.Taxes[code] = target
}

// write prints the explanation for people.
func (e explanation) write(w io.Writer) error {
	var b strings.Builder
	name := e.BusinessID
	if name == "" {
		name = "unreadable"
	}
	fmt.Fprintf(&b, "event %d: %s\n", e.Line, name)
	for _, s := range e.Sums {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	if r := e.Rejected; r != nil {
		fmt.Fprintf(&b, "  REJECTED %s: %s\n", r.Class, r.Message)
	}
	for _, r := range e.Requests {
		fmt.Fprintf(&b, "  %s", r.Call)
		if r.When != "" {
			fmt.Fprintf(&b, "   (%s)", r.When)
		}
		b.WriteByte('\n')
		if r.Body == nil {
			continue
		}
		enc := json.NewEncoder(&indented{&b})
		enc.SetEscapeHTML(false)
		enc.SetIndent("    ", "  ")
		if err := enc.Encode(r.Body); err != nil {
			return fmt.Errorf("printing a request: %w", err)
		}
	}
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// indented puts the first line of a JSON text behind the indent of the others.
type indented struct{ b *strings.Builder }

func (i *indented) Write(p []byte) (int, error) {
	i.b.WriteString("    ")
	return i.b.Write(p)
}
