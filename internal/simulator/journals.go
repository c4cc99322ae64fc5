package simulator

import (
	"net/http"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator/journal"
)

// Manual journal entries: documented, never recorded. They have no unique field, so nothing refuses a second one.

type manualJournal struct {
	id        uint64
	number    int
	date      string
	reference string
	notes     string
	currency  *currency
	rate      decimal.Decimal
	draft     bool
	total     decimal.Decimal
	lines     []manualLine
}

type manualLine struct {
	id          uint64
	account     *account
	debit       bool
	amount      decimal.Decimal
	description string
}

func createJournal(c *call) *failure {
	b, v := c.org, &c.body
	if f := journalSchema.check(v, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	j := &manualJournal{date: v.str("journal_date"), reference: v.str("reference_number"), notes: v.str("notes"), currency: b.base, draft: v.str("status") == "draft"}
	if j.date == "" {
		return missingValue("journal_date")
	}
	if f := b.locked(j.date); f != nil {
		return f
	}
	if id := v.id("currency_id"); id != 0 {
		if j.currency = b.currencies[id]; j.currency == nil {
			return invalidValue("currency_id")
		}
	}
	var f *failure
	if j.rate, f = b.readRate(v, j.currency, decimal.Zero); f != nil {
		return f
	}
	if f := b.readLegs(v, j); f != nil {
		return f
	}
	j.id, j.number = b.newID(), len(b.manual)+1
	b.manual = append(b.manual, j)
	if !j.draft {
		b.postManual(j)
	}
	c.created("journals", j.id)
	w := c.ok("The journal entry has been created.")
	w.object("journal")
	b.writeJournal(w, j)
	w.list("line_items")
	for i := range j.lines {
		l := &j.lines[i]
		w.open()
		w.id("line_id", l.id)
		w.id("account_id", l.account.id)
		w.str("account_name", l.account.Name)
		w.str("description", l.description)
		w.str("debit_or_credit", map[bool]string{true: "debit", false: "credit"}[l.debit])
		w.dec("amount", l.amount)
		w.dec("bcy_amount", b.inBase(l.amount, j.rate))
		w.close()
	}
	w.endList()
	w.close()
	return c.done()
}

// readLegs reads the lines and refuses those that don't balance. Receivables and payables need a customer or vendor, which is
// not simulated.
func (b *books) readLegs(v *value, j *manualJournal) *failure {
	sum := decimal.Zero
	for _, item := range v.list("line_items") {
		l := manualLine{id: b.newID(), account: b.accountIDs[item.id("account_id")], amount: item.dec("amount"), description: item.str("description")}
		side := item.str("debit_or_credit")
		switch {
		case l.account == nil || l.account == b.system.receivable:
			return invalidValue("account_id")
		case side != "debit" && side != "credit":
			return invalidValue("debit_or_credit")
		case !l.amount.IsPositive() || !l.amount.Equal(l.amount.Round(j.currency.Precision)):
			return invalidValue("amount")
		}
		if l.debit = side == "debit"; l.debit {
			sum, j.total = sum.Add(l.amount), j.total.Add(l.amount)
		} else {
			sum = sum.Sub(l.amount)
		}
		j.lines = append(j.lines, l)
	}
	if len(j.lines) < 2 || !sum.IsZero() {
		return refuse(http.StatusBadRequest, codeInvalidValue, "Debits and credits of the journal are not equal.")
	}
	return nil
}

func (b *books) postManual(j *manualJournal) {
	var lines journal.Lines
	for i := range j.lines {
		amount := b.inBase(j.lines[i].amount, j.rate)
		if !j.lines[i].debit {
			amount = amount.Neg()
		}
		lines.Debit(j.lines[i].account.index, amount)
	}
	lines.Balance(b.system.exchange.index)
	b.post(j.date, j.id, "journal.created", lines.Compact())
}

func listJournals(c *call) *failure {
	var rows []*manualJournal
	reference := c.query.Get("reference_number")
	for i := len(c.org.manual) - 1; i >= 0; i-- {
		if j := c.org.manual[i]; reference == "" || j.reference == reference {
			rows = append(rows, j)
		}
	}
	w := c.ok("success")
	p := c.page()
	p.more = p.to < len(rows)
	w.list("journals")
	for _, j := range cut(rows, p) {
		w.open()
		c.org.writeJournal(w, j)
		w.close()
	}
	w.endList()
	c.writePage(p, "Manual Journals", "JournalDate.All", "journal_date", "D")
	return c.done()
}

func (b *books) writeJournal(w *writer, j *manualJournal) {
	w.id("journal_id", j.id)
	w.str("entry_number", itoa(j.number))
	w.str("reference_number", j.reference)
	w.str("notes", j.notes)
	w.str("journal_date", j.date)
	w.id("currency_id", j.currency.id)
	w.str("currency_code", j.currency.Code)
	w.dec("exchange_rate", j.rate)
	w.dec("total", j.total)
	w.dec("bcy_total", b.inBase(j.total, j.rate))
	w.str("status", map[bool]string{true: "draft", false: "published"}[j.draft])
}
