package configdiff

import (
	"fmt"
	"strings"

	"github.com/booksync/booksync/internal/operator/control"
)

// effect is what a setting decides.
type effect struct {
	// prefix is the setting's path, or the beginning of it up to a dot.
	prefix    string
	workflows []string
	// text may name the map's key with %s.
	text string
}

var (
	all     = control.Workflows
	order   = all[0:1]
	payment = all[1:2]
	refund  = all[2:3]
	money   = all[1:3]
	credit  = []string{all[0], all[2]}
)

// ofOrganization are the effects of an organisation's settings; the first that fits counts.
var ofOrganization = []effect{
	{"workflows.order", order, ""}, {"workflows.payment", payment, ""}, {"workflows.refund", refund, ""}, // see mode
	{"id", all, "documents go to ANOTHER COMPANY's books; what was posted before is not found there"},
	{"client_id", all, "another OAuth client asks for tokens"},
	{"client_secret", all, "another OAuth client secret"},
	{"refresh_token", all, "another authorisation by Zoho"},
	{"data_center", all, "calls go to another data centre"},
	{"api_base", all, "calls go to another address"},
	{"accounts_base", all, "tokens come from another address"},
	{"concurrency", all, "calls at the same time; documents stay the same"},
	{"calls_per_minute", all, "calls per minute; documents stay the same"},
	{"app_url", all, "links to documents in outcomes"},
	{"live", all, "whether test events are refused"},
	{"time_zone", all, "documents get the calendar day of another time zone"},
	{"base_currency", all, "which currency needs no exchange rate"},
	{"edition", all, "which tax fields are sent to Zoho"},
	{"taxes", credit, "lines with the tax code %s"},
	{"default_tax", credit, "lines without a tax"},
	{"tax_required", order, "whether lines without a tax are rejected"},
	{"tax_rounding", credit, "how taxes are expected to be rounded"},
	{"round_off", order, "how totals are expected to be rounded"},
	{"items", credit, "the item of lines with the SKU %s"},
	{"line_targets", credit, "the item or account of lines of the kind %s"},
	{"stock_items", refund, "which refunds without returned goods are rejected"},
	{"clearing", money, "the account that money by %s goes to and refunds come from"},
	{"default_clearing", money, "money by gateways that are not mapped"},
	{"fee_account", payment, "the account of fees"},
	{"payment_modes", money, "the payment mode of the method %s"},
	{"locations", all, "the location of documents from %s"},
	{"fields.contact", order, "contacts written before are NOT FOUND by their key any more"},
	{"fields.invoice", all, "invoices written before are NOT FOUND by their key any more"},
	{"fields.payment", money, "payments written before are NOT FOUND by their key any more"},
	{"fields.credit_note", credit, "credit notes written before are NOT FOUND by their key any more"},
	{"invoice_policy", order, "whether new invoices are marked as sent"},
	{"mismatch_policy", order, "what happens to invoices whose total differs from the order's"},
	{"tolerance", order, "how large a rounding difference is posted instead of rejected"},
	{"zero_total", order, "whether orders of zero get an invoice"},
	{"payment_terms", order, "when invoices without a due date are due"},
	{"negative_lines", credit, "whether negative lines are sent to Zoho"},
	{"locked_until", all, "which days are locked"},
	{"lock_policy", all, "what happens to documents of locked days"},
	{"dependency_deadline", money, "how long events wait for their order or payment until they are dead-lettered"},
}

// ofService are the effects of all other settings.
var ofService = []effect{
	{"kafka.group", all, "ANOTHER GROUP reads the topics from their start, with other outcome ids; what is posted is found in Redis and Zoho as long as claims are kept"},
	{"kafka", all, "how Kafka is reached"},
	{"topics.orders", order, "where orders are read from"},
	{"topics.payments", payment, "where payments are read from"},
	{"topics.refunds", refund, "where refunds are read from"},
	{"topics", all, "where booksync writes"},
	{"redis.addresses", all, "ANOTHER REDIS does not know the claims: everything below the topics' present ends is looked up in the books before it is written"},
	{"redis.database", all, "ANOTHER DATABASE does not know the claims: everything below the topics' present ends is looked up in the books before it is written"},
	{"redis", all, "how Redis is reached"},
	{"claims.retention", all, "how long a repetition is recognised without a call to Zoho"},
	{"claims", all, "the times of claims; documents stay the same"},
	{"zoho", all, "how Zoho is called; documents stay the same"},
	{"engine.start_at_end", all, "where partitions without a commit begin"},
	{"engine", all, "how much is worked on at once; documents stay the same"},
	{"schema_registry", all, "where schemas come from"},
	{"http", nil, "where health and metrics are served"},
	{"telemetry", nil, "traces and metrics"},
	{"log", nil, "the log"},
	{"reconcile", nil, "scheduled reconciliations"},
}

// meaning says which workflows a change concerns, and what it means.
func meaning(c *Change) ([]string, string) {
	effects := ofService
	if c.Organization != "" {
		effects = ofOrganization
	}
	for _, e := range effects {
		rest, ok := strings.CutPrefix(c.Path, e.prefix)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			continue
		}
		text := e.text
		if text == "" {
			return e.workflows, mode(e.workflows[0], c.Old, c.New)
		}
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text, keyOf(e.prefix, rest))
		}
		switch {
		case e.prefix == "taxes":
			text += taxed(c)
		case c.Old == "" && strings.Contains(e.text, "%s"):
			text += "; it was not mapped before, and such events were rejected or booked by default"
		case c.New == "" && strings.Contains(e.text, "%s"):
			text += "; it is not mapped any more: such events are REJECTED, or booked by default"
		}
		return e.workflows, text
	}
	return all, "documents may change"
}

// keyOf is the map's key in a path: what stands before the field of the element, if that has any.
func keyOf(prefix, rest string) string {
	key := strings.TrimPrefix(rest, ".")
	if prefix == "taxes" || prefix == "line_targets" {
		if i := strings.Index(key, ".components["); i >= 0 {
			key = key[:i]
		}
		if i := strings.LastIndex(key, "."); i >= 0 {
			key = key[:i]
		}
	}
	return key
}

// taxed says what a tax code's change does.
func taxed(c *Change) string {
	switch field := c.Path[strings.LastIndex(c.Path, ".")+1:]; {
	case field == "tax_id" && c.Old == "":
		return " are accepted, and posted with this tax"
	case field == "tax_id" && c.New == "":
		return " are REJECTED, or exempt"
	case field == "tax_id":
		return " are posted with another tax"
	case field == "rate":
		return " are checked against another rate: events with the old one are rejected"
	case field == "exemption_id":
		return " are exempt for another reason"
	}
	return " are taxed otherwise"
}

// mode says what a change of how a workflow is worked does.
func mode(workflow, from, to string) string {
	text := map[string]string{
		"on":     workflow + " events are written to the books",
		"shadow": workflow + " events are planned and compared, and NOT written; each ends with the outcome SHADOW",
		"off":    workflow + " events wait in Kafka",
	}[to]
	if from == "shadow" && to == "on" {
		text += "; those settled as SHADOW are not posted by that"
	}
	return text
}
