package setup

import (
	"context"
	"fmt"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/login"
)

// The entities as Zoho names them in its settings. The names of the last two are UNCONFIRMED.
const (
	entityContact    = "contact"
	entityInvoice    = "invoice"
	entityPayment    = "customer_payment"
	entityCreditNote = "creditnote"
)

// entityFields are one entity's two fields.
type entityFields struct {
	entity string // as Zoho names it
	fields config.EntityFields
}

func entitiesOf(f config.Fields) []entityFields {
	return []entityFields{
		{entityContact, f.Contact}, {entityInvoice, f.Invoice},
		{entityPayment, f.Payment}, {entityCreditNote, f.CreditNote},
	}
}

// fields looks for the custom fields that carry key and origin. Without a unique key nothing would refuse a second document.
func (l *look) fields(ctx context.Context) {
	for _, e := range entitiesOf(l.cfg.Fields) {
		defs, err := l.books.CustomFields(ctx, e.entity)
		if err != nil {
			l.facts.unread[e.entity] = true
			l.say("custom fields", e.entity, stateOf(err), err.Error(), login.Hint(err))
			continue
		}
		l.field(ctx, e.entity, e.fields.Key, true, defs)
		l.field(ctx, e.entity, e.fields.Origin, false, defs)
	}
}

func (l *look) field(ctx context.Context, entity, name string, unique bool, defs []zohobooks.FieldDef) {
	item := entity + "." + name
	for _, d := range defs {
		if d.APIName != name {
			continue
		}
		l.facts.Fields[item] = d.IsUnique
		switch {
		case unique && !d.IsUnique:
			l.say("custom fields", item, Wrong, "it takes the same value twice: nothing would refuse a second document", "in Zoho, Settings, Preferences, Custom Fields: Prevent Duplicate Values: Yes")
		case !unique && d.IsUnique:
			l.say("custom fields", item, Wrong, "it is unique, but the origin of two documents may be the same", "in Zoho: Prevent Duplicate Values: No")
		case d.IsMandatory:
			l.say("custom fields", item, Warning, "it is mandatory: people cannot save a document without it", "in Zoho: Is Mandatory: No")
		default:
			l.say("custom fields", item, OK, uniqueWord(unique), "")
		}
		return
	}
	if !l.opts.Apply {
		l.say("custom fields", item, Missing, "does not exist", "`booksync setup --apply` creates it")
		return
	}
	l.createField(ctx, entity, name, unique)
}

// createField makes a field. Zoho derives the API name from the label; another one than configured is reported.
func (l *look) createField(ctx context.Context, entity, name string, unique bool) {
	item := entity + "." + name
	made, err := l.books.CreateCustomField(ctx, zohobooks.FieldDef{
		Label: strings.ReplaceAll(strings.TrimPrefix(name, "cf_"), "_", " "), DataType: "string", Entity: entity, IsUnique: unique,
	})
	if err != nil {
		hint := login.Hint(err)
		if hint == "" {
			hint = fmt.Sprintf("create it by hand: entity %s, text, label %q, %s", entity, strings.TrimPrefix(name, "cf_"), uniqueWord(unique))
		}
		l.say("custom fields", item, stateOf(err), err.Error(), hint)
		return
	}
	if made.APIName != "" && made.APIName != name {
		l.say("custom fields", item, Wrong, "Zoho named the new field "+made.APIName, "use that name under organizations."+l.name+".fields")
		return
	}
	if unique && !made.IsUnique {
		l.say("custom fields", item, Wrong, "Zoho made it, but not unique", "in Zoho: Prevent Duplicate Values: Yes")
		return
	}
	l.facts.Fields[item] = unique
	l.say("custom fields", item, Created, uniqueWord(unique), "")
}

func uniqueWord(unique bool) string {
	if unique {
		return "unique"
	}
	return "plain"
}
