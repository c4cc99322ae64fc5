package simulator

import (
	"fmt"

	"github.com/shopspring/decimal"
)

type contact struct {
	record
	name, company, kind, subType, notes, website, language string
	inactive                                               bool
	currency                                               *currency
	terms                                                  int
	termsLabel                                             string
	persons                                                []person
	billing, shipping                                      address
	addressIDs                                             uint64 // the first of three
	extra                                                  []pair

	invoices, payments, notesMade int             // documents that name it
	receivable                    decimal.Decimal // open invoices, in the contact's currency
	credits                       decimal.Decimal // unused payments and open credit notes
}

type person struct {
	id                                                 uint64
	salutation, first, last, email, phone, mobile, job string
	primary                                            bool
}

type address struct {
	attention, address, street2, city, state, stateCode, zip, country, phone, fax string
}

func (c *contact) used() bool { return c.invoices+c.payments+c.notesMade > 0 }

// primary is the person whose email and phone the contact shows; the zero person when there is none.
func (c *contact) primary() person {
	for _, p := range c.persons {
		if p.primary {
			return p
		}
	}
	return person{}
}

// contactExtras are kept and shown again, nothing more.
var contactExtras = []string{
	"vat_reg_no", "tax_reg_no", "country_code", "vat_treatment", "tax_treatment", "place_of_contact", "gst_no", "gst_treatment",
	"contact_number", "tax_exemption_id", "is_taxable", "legal_name",
}

func createContact(c *call) *failure {
	b := c.org
	if f := contactSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	n := &contact{record: record{id: b.newID(), created: c.now, modified: c.now}, kind: "customer", subType: "business",
		termsLabel: "Due on Receipt", currency: b.base}
	n.addressIDs = b.newID()
	b.seq += 2
	if f := b.fillContact(c, n); f != nil {
		return f
	}
	b.contacts.add(n)
	b.names[b.nameKey(n.name)] = n
	c.created("contacts", n.id)
	return answerContact(c, n, "The contact has been added.")
}

func updateContact(c *call) *failure {
	n, f := c.contact(c.ids[0])
	if f != nil {
		return f
	}
	return changeContact(c, n)
}

func changeContact(c *call, n *contact) *failure {
	b := c.org
	if f := contactSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	changed := *n
	if f := b.fillContact(c, &changed); f != nil {
		return f
	}
	changed.modified = c.now
	b.contacts.dropFields(n)
	delete(b.names, b.nameKey(n.name))
	*n = changed
	b.names[b.nameKey(n.name)] = n
	b.contacts.indexFields(n)
	return answerContact(c, n, "Contact information has been saved.")
}

// fillContact reads a request into n, which is new or a copy of the one to change.
func (b *books) fillContact(c *call, n *contact) *failure {
	v := &c.body
	for _, t := range []struct {
		name string
		to   *string
	}{
		{"contact_name", &n.name}, {"company_name", &n.company}, {"contact_type", &n.kind}, {"customer_sub_type", &n.subType},
		{"notes", &n.notes}, {"payment_terms_label", &n.termsLabel}, {"website", &n.website}, {"language_code", &n.language},
	} {
		v.into(t.name, t.to)
	}
	if n.name == "" {
		return missingValue("contact_name")
	}
	if n.kind != "customer" && n.kind != "vendor" {
		return invalidValue("contact_type")
	}
	if holder := b.names[b.nameKey(n.name)]; holder != nil && holder.id != n.id && c.twin {
		b.twinNames = true
	} else if holder != nil && holder.id != n.id {
		// Customers and vendors share one space of names: UNCONFIRMED, dossier 4.2.
		return refuse(400, codeContactName, fmt.Sprintf("The %s %q already exists. Specify a different name.", holder.kind, holder.name))
	}
	if id := v.id("currency_id"); id != 0 {
		cur := b.currencies[id]
		if cur == nil {
			return invalidValue("currency_id")
		}
		if cur != n.currency && n.used() {
			return refuse(400, codeInUse, "The currency of a contact with transactions cannot be changed.")
		}
		n.currency = cur
	}
	if m, ok := v.get("payment_terms"); ok {
		n.terms = int(m.number().IntPart())
	}
	if m, ok := v.get("billing_address"); ok {
		n.billing.read(m)
	}
	if m, ok := v.get("shipping_address"); ok {
		n.shipping.read(m)
	}
	if m, ok := v.get("contact_persons"); ok {
		n.persons = b.readPersons(m.nodes)
	}
	n.extra = v.extras(n.extra, contactExtras)
	if f := b.checkContactEdition(n); f != nil {
		return f
	}
	fields, f := b.mergeFields(EntityContact, n.fields, v.list("custom_fields"))
	if f != nil {
		return f
	}
	fields = c.headerField(EntityContact, fields)
	if !c.twin {
		self, _ := b.contacts.get(n.id)
		if f := unique(b, &b.contacts, self, fields); f != nil {
			return f
		}
	}
	n.fields = fields
	return nil
}

func (b *books) readPersons(items []member) []person {
	out := make([]person, 0, len(items))
	for i := range items {
		v := &items[i]
		p := person{id: v.id("contact_person_id"), salutation: v.str("salutation"), first: v.str("first_name"), last: v.str("last_name"),
			email: v.str("email"), phone: v.str("phone"), mobile: v.str("mobile"), job: v.str("designation"), primary: v.isTrue("is_primary_contact")}
		if p.id == 0 {
			p.id = b.newID()
		}
		out = append(out, p)
	}
	if len(out) > 0 {
		for _, p := range out {
			if p.primary {
				return out
			}
		}
		out[0].primary = true
	}
	return out
}

func (a *address) read(v *value) {
	for _, t := range []struct {
		name string
		to   *string
	}{
		{"attention", &a.attention}, {"address", &a.address}, {"street2", &a.street2}, {"city", &a.city}, {"state", &a.state},
		{"state_code", &a.stateCode}, {"zip", &a.zip}, {"country", &a.country}, {"phone", &a.phone}, {"fax", &a.fax},
	} {
		v.into(t.name, t.to)
	}
}

// into copies a text member, if it was sent.
func (v *value) into(name string, to *string) {
	if m, ok := v.get(name); ok {
		*to = m.text
	}
}

// extras merges text members that are only kept for the answers.
func (v *value) extras(old []pair, names []string) []pair {
	out := append([]pair(nil), old...)
next:
	for _, name := range names {
		m, ok := v.get(name)
		if !ok {
			continue
		}
		for i := range out {
			if out[i].name == name {
				out[i].value = m.text
				continue next
			}
		}
		out = append(out, pair{name, m.text})
	}
	return out
}

func (b *books) nameKey(name string) string {
	if b.sim.cfg.Switches.NamesCaseSensitive {
		return name
	}
	return fold(name)
}

func (b *books) invalidElement() int {
	if n := b.sim.cfg.Switches.InvalidElementCode; n != 0 {
		return n
	}
	return codeInvalidElement
}

func (c *call) contact(id uint64) (*contact, *failure) {
	if n, ok := c.org.contacts.get(id); ok {
		return n, nil
	}
	return nil, refuse(404, codeNotFound, "The Customer is not accessible.")
}

// customer is the contact a document names.
func (c *call) customer(id uint64) (*contact, *failure) {
	if id == 0 {
		return nil, refuse(400, codeCustomer, "The Customer field can neither be blank nor incorrect. Please enter a correct Customer")
	}
	n, f := c.contact(id)
	if f != nil {
		return nil, f
	}
	if n.inactive && !c.s.cfg.Switches.InactiveContactsUsable {
		return nil, refuse(400, codeInUse, "The contact "+n.name+" is inactive.")
	}
	return n, nil
}

func getContact(c *call) *failure {
	n, f := c.contact(c.ids[0])
	if f != nil {
		return f
	}
	return answerContact(c, n, "success")
}

func deleteContact(c *call) *failure {
	n, f := c.contact(c.ids[0])
	if f != nil {
		return f
	}
	if n.used() {
		return refuse(400, codeInUse, "Contacts that have transactions cannot be deleted. Mark the contact as inactive instead.")
	}
	delete(c.org.names, c.org.nameKey(n.name))
	c.org.contacts.remove(n)
	return c.say("The customer has been deleted.")
}

func setContactActive(inactive bool, message string) handler {
	return func(c *call) *failure {
		n, f := c.contact(c.ids[0])
		if f != nil {
			return f
		}
		n.inactive, n.modified = inactive, c.now
		return c.say(message)
	}
}

// personContact is what someone at the keyboard does to a contact.
func (b *books) personContact(f *Fault, n *contact) error {
	switch f.Kind {
	case FaultEdit:
		delete(b.names, b.nameKey(n.name))
		n.name += text(f.Notes, " (renamed)")
		b.names[b.nameKey(n.name)] = n
	case FaultDelete:
		if n.used() {
			return fmt.Errorf("deleting contact %s: it has transactions", n.name)
		}
		delete(b.names, b.nameKey(n.name))
		b.contacts.remove(n)
	default:
		n.inactive = true
	}
	return nil
}
