package simulator

import (
	"slices"
	"strings"
)

// Bank accounts and the chart of accounts, as answers show them.

func (a *account) bank() bool { return a.Type == "bank" || a.Type == "cash" }

func listBankAccounts(c *call) *failure {
	list := slices.DeleteFunc(slices.Clone(c.org.accounts), func(a *account) bool { return !a.bank() })
	slices.SortFunc(list, func(a, b *account) int { return strings.Compare(a.Name, b.Name) })
	filter := text(c.query.Get("filter_by"), "Status.All")
	list = slices.DeleteFunc(list, func(a *account) bool {
		return filter == "Status.Active" && a.Inactive || filter == "Status.Inactive" && !a.Inactive
	})
	p := c.page()
	p.more = p.to < len(list)
	w := c.ok("success")
	w.list("bankaccounts")
	for _, a := range cut(list, p) {
		w.open()
		c.org.writeBankAccount(w, a)
		w.close()
	}
	w.endList()
	w.object("page_context")
	w.int("page", p.number)
	w.int("per_page", p.per)
	w.bool("has_more_page", p.more)
	w.str("report_name", "Bank Accounts")
	w.str("applied_filter", filter)
	w.raw(`"sort_column":"account_name","sort_order":"A",`)
	w.close()
	return c.done()
}

func (b *books) writeBankAccount(w *writer, a *account) {
	balance := b.journal.Balance(a.index)
	w.id("account_id", a.id)
	w.str("account_name", a.Name)
	w.str("account_code", a.Code)
	w.id("currency_id", a.currency.id)
	w.str("currency_code", a.currency.Code)
	w.str("account_type", a.Type)
	w.dec("balance", balance)
	w.dec("bcy_balance", balance)
	w.bool("is_active", !a.Inactive)
	w.raw(`"account_sub_type":"commercial","uncategorized_transactions":0,"total_unprinted_checks":0,"bank_balance":0,"bank_name":"",` +
		`"feeds_last_refresh_date":"","is_direct_paypal":false,"mfa_required":false,`)
	if a.Type == "bank" {
		w.raw(`"account_number":"xxxx0000","routing_number":"","is_primary_account":false,"is_paypal_account":false,` +
			`"partner_bank_source_formatted":"","partner_bank_source":"","payout_bank_name":"","is_beta_feed":false,` +
			`"consent_info":{"consent_remaining_days":"","is_consent_expired":""},"feed_status":"",`)
	}
}

func getBankAccount(c *call) *failure {
	a := c.org.accountIDs[c.ids[0]]
	if a == nil || !a.bank() {
		return notFound("Account")
	}
	w := c.ok("success")
	w.object("bankaccount")
	c.org.writeBankAccount(w, a)
	w.close()
	return c.done()
}

// Live chart of accounts answers had pages of 5000: recorded.
const accountsPerPage = 5000

func listAccounts(c *call) *failure {
	filter := text(c.query.Get("filter_by"), "AccountType.Active")
	list := slices.DeleteFunc(slices.Clone(c.org.accounts), func(a *account) bool {
		return filter == "AccountType.Active" && a.Inactive || filter == "AccountType.Inactive" && !a.Inactive
	})
	slices.SortStableFunc(list, func(a, b *account) int { return strings.Compare(a.Type, b.Type) })
	w := c.ok("success")
	w.list("chartofaccounts")
	for _, a := range list {
		w.open()
		c.org.writeAccount(w, a)
		w.close()
	}
	w.endList()
	c.writePage(page{number: 1, per: accountsPerPage}, "List Chart Of Accounts", filter, "account_type", "A")
	return c.done()
}

func (b *books) writeAccount(w *writer, a *account) {
	w.id("account_id", a.id)
	w.str("account_name", a.Name)
	w.str("account_code", a.Code)
	w.str("account_type", a.Type)
	w.bool("is_system_account", a.system)
	w.bool("is_user_created", !a.system)
	w.bool("is_active", !a.Inactive)
	depth := 0
	if a.parent != nil {
		depth = 1
		w.id("parent_account_id", a.parent.id)
		w.str("parent_account_name", a.parent.Name)
	} else {
		w.empty("parent_account_id", "parent_account_name")
	}
	w.int("depth", depth)
	w.raw(`"description":"","placeholder":"","is_register_supported_account":false,"can_show_in_ze":false,"has_attachment":false,` +
		`"is_child_present":false,"child_count":"","documents":[],"is_standalone_account":false,` +
		`"created_time":"2026-01-01T09:00:00+0000","last_modified_time":"2026-01-01T09:00:00+0000",`)
}

func getAccount(c *call) *failure {
	a := c.org.accountIDs[c.ids[0]]
	if a == nil {
		return notFound("Account")
	}
	w := c.ok("success")
	w.object("chart_of_account")
	c.org.writeAccount(w, a)
	balance := c.org.journal.Balance(a.index)
	if !a.debit() {
		balance = balance.Neg()
	}
	w.bool("isdebit", a.debit())
	w.dec("closing_balance", balance)
	w.str("status", map[bool]string{true: "inactive", false: "active"}[a.Inactive])
	w.close()
	return c.done()
}

// debit says whether the account's balance is shown as debits less credits.
func (a *account) debit() bool {
	switch a.Type {
	case "income", "other_income", "equity", "accounts_payable", "other_current_liability", "other_liability", "long_term_liability":
		return false
	}
	return true
}
