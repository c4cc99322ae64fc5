package schemas

func readOutcome(r *row) *Outcome {
	return &Outcome{
		OutcomeID:    r.id("outcome_id"),
		Status:       Status(r.enum("status")),
		Workflow:     r.str("workflow"),
		Organization: r.str("organization"),
		BusinessID:   r.str("business_id"),
		OrderID:      r.str("order_id"),
		Revision:     r.long("revision"),
		Source:       r.source("source"),
		Documents:    r.documents("documents"),
		InvoiceAfter: r.invoiceAfter("invoice_after"),
		Currency:     r.str("currency"),
		Expected:     r.nullDecimal("expected"),
		Posted:       r.nullDecimal("posted"),
		Difference:   r.nullDecimal("difference"),
		Calls:        r.long("calls"),
		Attempts:     r.long("attempts"),
		Reason:       r.str("reason"),
		Error:        r.failure("error"),
		Timings:      r.timings("timings"),
		TraceID:      r.str("trace_id"),
		Version:      r.str("version"),
		ConfigHash:   r.str("config_hash"),
		Shadow:       r.shadow("shadow"),
		SettledAt:    r.instant("settled_at"),
	}
}

func (r *row) shadow(name string) *Shadow {
	s, ok := r.object(name)
	if !ok {
		return nil
	}
	defer s.done()
	return &Shadow{Plan: s.str("plan"), Found: s.documents("found"), Differences: s.differences("differences")}
}

func (r *row) differences(name string) []ShadowDifference {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	out := make([]ShadowDifference, len(items))
	for i := range items {
		d, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		out[i] = ShadowDifference{Field: d.str("field"), Planned: d.str("planned"), Found: d.str("found")}
		d.done()
	}
	return out
}

func (r *row) source(name string) Source {
	s, ok := r.object(name)
	if !ok {
		return Source{}
	}
	defer s.done()
	return Source{
		Topic:     s.id("topic"),
		Partition: int32(s.long("partition")), //nolint:gosec // the schema's type is int
		Offset:    s.long("offset"),
		Timestamp: s.instant("timestamp"),
		EventID:   s.str("event_id"),
	}
}

func (r *row) documents(name string) []Document {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	documents := make([]Document, len(items))
	for i := range items {
		d, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		documents[i] = Document{
			Type:      d.str("type"),
			ID:        d.str("id"),
			Number:    d.str("number"),
			URL:       d.str("url"),
			Status:    d.str("status"),
			Date:      d.str("date"),
			Total:     d.decimal("total"),
			Tax:       d.decimal("tax"),
			Balance:   d.decimal("balance"),
			Account:   d.str("account"),
			BaseTotal: d.nullDecimal("base_total"),
		}
		d.done()
	}
	return documents
}

func (r *row) invoiceAfter(name string) *InvoiceAfter {
	a, ok := r.object(name)
	if !ok {
		return nil
	}
	defer a.done()
	return &InvoiceAfter{Status: a.str("status"), Balance: a.decimal("balance")}
}

func (r *row) failure(name string) *Failure {
	f, ok := r.object(name)
	if !ok {
		return nil
	}
	defer f.done()
	return &Failure{Class: f.str("class"), Code: f.str("code"), Message: f.str("message")}
}

func (r *row) timings(name string) Timings {
	t, ok := r.object(name)
	if !ok {
		return Timings{}
	}
	defer t.done()
	return Timings{
		Queued:          t.long("queued"),
		WaitedForBudget: t.long("waited_for_budget"),
		Called:          t.long("called"),
		Total:           t.long("total"),
	}
}

func readAudit(r *row) *AuditEntry {
	return &AuditEntry{
		AuditID:      r.id("audit_id"),
		At:           r.instant("at"),
		Actor:        r.str("actor"),
		Action:       r.id("action"),
		Organization: r.str("organization"),
		Workflow:     r.str("workflow"),
		Selector:     r.str("selector"),
		Reason:       r.str("reason"),
		Counts:       r.longs("counts"),
		Details:      r.texts("details"),
		Version:      r.str("version"),
	}
}
