package schemas

func (e *encoder) outcome(v *Outcome) map[string]any {
	m := e.lend(shapeOutcome)
	m["outcome_id"] = e.id("outcome_id", v.OutcomeID)
	m["status"] = e.enum("status", string(v.Status), string(StatusPosted), string(StatusDuplicate), string(StatusRejected), string(StatusShadow), string(StatusReversed))
	m["workflow"] = e.str("workflow", v.Workflow)
	m["organization"] = e.opt("organization", v.Organization)
	m["business_id"] = e.opt("business_id", v.BusinessID)
	m["order_id"] = e.opt("order_id", v.OrderID)
	m["revision"] = v.Revision
	m["source"] = e.source("source", &v.Source)
	m["documents"] = e.documents("documents", v.Documents)
	m["invoice_after"] = e.invoiceAfter("invoice_after", v.InvoiceAfter)
	m["currency"] = e.opt("currency", v.Currency)
	m["expected"] = e.nullMoney("expected", v.Expected)
	m["posted"] = e.nullMoney("posted", v.Posted)
	m["difference"] = e.nullMoney("difference", v.Difference)
	m["calls"] = v.Calls
	m["attempts"] = v.Attempts
	m["reason"] = e.opt("reason", e.text(v.Reason))
	m["error"] = e.failure("error", v.Error)
	m["timings"] = e.timings(&v.Timings)
	m["trace_id"] = e.opt("trace_id", v.TraceID)
	m["version"] = e.str("version", v.Version)
	m["config_hash"] = e.str("config_hash", v.ConfigHash)
	m["shadow"] = e.shadow("shadow", v.Shadow)
	m["settled_at"] = e.instant("settled_at", v.SettledAt)
	return m
}

func (e *encoder) shadow(name string, v *Shadow) any {
	if v == nil {
		return nil
	}
	e.push(name)
	defer e.pop()
	differences := make([]any, len(v.Differences))
	for i := range v.Differences {
		d := &v.Differences[i]
		m := e.lend(shapeShadowDifference)
		m["field"], m["planned"], m["found"] = e.text(d.Field), e.text(d.Planned), e.text(d.Found)
		differences[i] = m
	}
	m := e.lend(shapeShadow)
	m["plan"] = e.text(v.Plan)
	m["found"] = e.documents("found", v.Found)
	m["differences"] = differences
	return e.wrap(shapeBranch, e.branch("Shadow"), m)
}

func (e *encoder) source(name string, v *Source) any {
	e.push(name)
	defer e.pop()
	m := e.lend(shapeSource)
	m["topic"] = e.id("topic", v.Topic)
	m["partition"] = v.Partition
	m["offset"] = v.Offset
	m["timestamp"] = nil
	m["event_id"] = e.opt("event_id", v.EventID)
	// The producer sets the record's timestamp: whatever it is, the outcome must be told.
	if sane(v.Timestamp) {
		m["timestamp"] = e.nullInstant("timestamp", v.Timestamp)
	}
	return m
}

func (e *encoder) documents(name string, documents []Document) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(documents))
	for i := range documents {
		v := &documents[i]
		e.pushItem(i)
		m := e.lend(shapeDocument)
		m["type"] = e.str("type", v.Type)
		m["id"] = e.str("id", v.ID)
		m["number"] = e.str("number", v.Number)
		m["url"] = e.str("url", v.URL)
		m["status"] = e.str("status", v.Status)
		m["date"] = e.str("date", v.Date)
		m["total"] = e.money("total", v.Total)
		m["tax"] = e.money("tax", v.Tax)
		m["balance"] = e.money("balance", v.Balance)
		m["account"] = e.str("account", v.Account)
		m["base_total"] = e.nullMoney("base_total", v.BaseTotal)
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) invoiceAfter(name string, v *InvoiceAfter) any {
	if v == nil {
		return nil
	}
	e.push(name)
	defer e.pop()
	m := e.lend(shapeInvoiceAfter)
	m["status"] = e.str("status", v.Status)
	m["balance"] = e.money("balance", v.Balance)
	return e.wrap(shapeBranch, e.branch("InvoiceAfter"), m)
}

func (e *encoder) failure(name string, v *Failure) any {
	if v == nil {
		return nil
	}
	e.push(name)
	defer e.pop()
	m := e.lend(shapeFailure)
	m["class"] = e.str("class", v.Class)
	m["code"] = e.str("code", v.Code)
	m["message"] = e.text(v.Message)
	return e.wrap(shapeBranch, e.branch("Failure"), m)
}

func (e *encoder) timings(v *Timings) any {
	m := e.lend(shapeTimings)
	m["queued"] = v.Queued
	m["waited_for_budget"] = v.WaitedForBudget
	m["called"] = v.Called
	m["total"] = v.Total
	return m
}

func (e *encoder) audit(v *AuditEntry) map[string]any {
	counts := make(map[string]any, len(v.Counts))
	for key, n := range v.Counts {
		e.str("counts", key)
		counts[key] = n
	}
	m := e.lend(shapeAudit)
	m["audit_id"] = e.id("audit_id", v.AuditID)
	m["at"] = e.instant("at", v.At)
	m["actor"] = e.str("actor", v.Actor)
	m["action"] = e.id("action", v.Action)
	m["organization"] = e.opt("organization", v.Organization)
	m["workflow"] = e.opt("workflow", v.Workflow)
	m["selector"] = e.opt("selector", v.Selector)
	m["reason"] = e.opt("reason", v.Reason)
	m["counts"] = counts
	m["details"] = e.texts("details", v.Details)
	m["version"] = e.str("version", v.Version)
	return m
}
