package zohobooks

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
)

// Contact is a customer as the API answers it.
type Contact struct {
	ContactID       string            `json:"contact_id"`
	ContactName     string            `json:"contact_name"`
	CompanyName     string            `json:"company_name"`
	ContactType     string            `json:"contact_type"`
	Status          string            `json:"status"`
	CurrencyID      string            `json:"currency_id"`
	CurrencyCode    string            `json:"currency_code"`
	Email           string            `json:"email"`
	Phone           string            `json:"phone"`
	TaxNumber       string            `json:"-"` // the edition's: vat_reg_no, gst_no, tax_reg_no
	VATRegNo        string            `json:"vat_reg_no"`
	GSTNo           string            `json:"gst_no"`
	TaxRegNo        string            `json:"tax_reg_no"`
	GSTTreatment    string            `json:"gst_treatment"`
	VATTreatment    string            `json:"vat_treatment"`
	TaxTreatment    string            `json:"tax_treatment"`
	PlaceOfContact  string            `json:"place_of_contact"`
	CountryCode     string            `json:"country_code"`
	ContactPersons  []ContactPerson   `json:"contact_persons"`
	BillingAddress  *Address          `json:"billing_address"`
	ShippingAddress *Address          `json:"shipping_address"`
	CustomFields    []CustomField     `json:"custom_fields"`
	FieldHash       map[string]string `json:"custom_field_hash"`
	FirstName       string            `json:"first_name"`
	LastName        string            `json:"last_name"`
	CustomerSubType string            `json:"customer_sub_type"`
	ExchangeRate    Amount            `json:"exchange_rate"`
	Receivable      Amount            `json:"outstanding_receivable_amount"`
	UnusedCredits   Amount            `json:"unused_credits_receivable_amount"`
	CreatedTime     string            `json:"created_time"`
	LastModified    string            `json:"last_modified_time"`
}

// Field is the value of a custom field, and whether it was answered.
func (ct *Contact) Field(apiName string) (string, bool) {
	return FieldValue(ct.CustomFields, ct.FieldHash, apiName)
}

// settle fills what is derived.
func (ct *Contact) settle() *Contact {
	for _, n := range []string{ct.VATRegNo, ct.GSTNo, ct.TaxRegNo} {
		if ct.TaxNumber == "" {
			ct.TaxNumber = n
		}
	}
	return ct
}

// ContactRequest is the body of a create or an update.
type ContactRequest struct {
	ContactName     string          `json:"contact_name,omitempty"`
	CompanyName     string          `json:"company_name,omitempty"`
	ContactType     string          `json:"contact_type,omitempty"`
	CustomerSubType string          `json:"customer_sub_type,omitempty"`
	CurrencyID      string          `json:"currency_id,omitempty"`
	VATRegNo        string          `json:"vat_reg_no,omitempty"`
	GSTNo           string          `json:"gst_no,omitempty"`
	GSTTreatment    string          `json:"gst_treatment,omitempty"`
	VATTreatment    string          `json:"vat_treatment,omitempty"`
	TaxTreatment    string          `json:"tax_treatment,omitempty"`
	TaxRegNo        string          `json:"tax_reg_no,omitempty"`
	PlaceOfContact  string          `json:"place_of_contact,omitempty"`
	CountryCode     string          `json:"country_code,omitempty"`
	LegalName       string          `json:"legal_name,omitempty"`
	IsTaxable       *bool           `json:"is_taxable,omitempty"`
	TaxExemptionID  string          `json:"tax_exemption_id,omitempty"` // with IsTaxable false
	ContactPersons  []ContactPerson `json:"contact_persons,omitempty"`
	BillingAddress  *Address        `json:"billing_address,omitempty"`
	ShippingAddress *Address        `json:"shipping_address,omitempty"`
	Notes           string          `json:"notes,omitempty"`
	CustomFields    []CustomField   `json:"custom_fields,omitempty"`
}

// ContactPerson holds what Zoho keeps of a person; e-mail and phone live here, not on the contact. An update replaces all of
// a contact's persons: those that stay are sent back as they were answered.
type ContactPerson struct {
	ID          string `json:"contact_person_id,omitempty"`
	Salutation  string `json:"salutation,omitempty"`
	FirstName   string `json:"first_name,omitempty"`
	LastName    string `json:"last_name,omitempty"`
	Email       string `json:"email,omitempty"`
	Phone       string `json:"phone,omitempty"`
	Mobile      string `json:"mobile,omitempty"`
	Designation string `json:"designation,omitempty"`
	Department  string `json:"department,omitempty"`
	Skype       string `json:"skype,omitempty"`
	Primary     bool   `json:"is_primary_contact,omitempty"`
}

// Address is a billing or shipping address.
type Address struct {
	Attention string `json:"attention,omitempty"`
	Address   string `json:"address,omitempty"`
	Street2   string `json:"street2,omitempty"`
	City      string `json:"city,omitempty"`
	State     string `json:"state,omitempty"`
	StateCode string `json:"state_code,omitempty"`
	Zip       string `json:"zip,omitempty"`
	Country   string `json:"country,omitempty"`
	Phone     string `json:"phone,omitempty"`

	replacing bool
}

// Replacing is the address for an update that leaves nothing of the old one: what's empty is sent as empty.
func (ad *Address) Replacing() *Address {
	whole := *ad
	whole.replacing = true
	return &whole
}

// MarshalJSON leaves out what is empty, but for an address that replaces another.
func (ad Address) MarshalJSON() ([]byte, error) {
	type fields Address
	if !ad.replacing {
		return json.Marshal(fields(ad))
	}
	return json.Marshal(map[string]string{
		"attention": ad.Attention, "address": ad.Address, "street2": ad.Street2, "city": ad.City, "state": ad.State,
		"state_code": ad.StateCode, "zip": ad.Zip, "country": ad.Country, "phone": ad.Phone,
	})
}

const contacts = "/contacts"

type contactAnswer struct {
	head
	Contact *Contact `json:"contact"`
}

func (a *contactAnswer) complete() bool { return a.Contact != nil && a.Contact.ContactID != "" }

type contactsAnswer struct {
	head
	Contacts []Contact   `json:"contacts"`
	Page     pageContext `json:"page_context"`
}

func (a *contactsAnswer) complete() bool       { return a.Contacts != nil }
func (a *contactsAnswer) context() pageContext { return a.Page }

func (a *contactsAnswer) rows() []Contact {
	for i := range a.Contacts {
		a.Contacts[i].settle()
	}
	return a.Contacts
}

func newContactsAnswer() listAnswer[Contact] { return new(contactsAnswer) }

// CreateContact posts a contact; its name must be unique (3062). One call.
func (c *Client) CreateContact(ctx context.Context, req *ContactRequest) (*Contact, error) {
	var a contactAnswer
	err := c.do(ctx, &call{method: http.MethodPost, resource: contacts, path: contacts, body: req, keyed: len(req.CustomFields) > 0}, &a)
	if err != nil {
		return nil, err
	}
	return a.Contact.settle(), nil
}

// UpdateContact changes what the request names. One call.
func (c *Client) UpdateContact(ctx context.Context, id string, req *ContactRequest) (*Contact, error) {
	var a contactAnswer
	if err := c.one(ctx, http.MethodPut, contacts, id, "", req, &a); err != nil {
		return nil, err
	}
	return a.Contact.settle(), nil
}

// GetContact reads a contact whole. One call.
func (c *Client) GetContact(ctx context.Context, id string) (*Contact, error) {
	var a contactAnswer
	if err := c.one(ctx, http.MethodGet, contacts, id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.Contact.settle(), nil
}

// ListContacts walks customers and vendors, 200 a call.
func (c *Client) ListContacts(ctx context.Context, opts *ListOptions) iter.Seq2[Contact, error] {
	return list(ctx, c, contacts, opts, newContactsAnswer)
}

// FindContactsByName gives the contacts (list rows) of this name, whatever its case: names are assumed to be unique without it. One call as a rule.
func (c *Client) FindContactsByName(ctx context.Context, name string) ([]Contact, error) {
	return find(ctx, c, contacts, url.Values{"contact_name": {name}}, newContactsAnswer,
		func(ct *Contact) fit { return fitIf(sameText(ct.ContactName, name)) }, nil)
}

// FindContactsByEmail gives the contacts (list rows) whose primary person has this address, whatever its case; Zoho's filter may match parts.
// One call as a rule.
func (c *Client) FindContactsByEmail(ctx context.Context, email string) ([]Contact, error) {
	return find(ctx, c, contacts, url.Values{"email": {email}}, newContactsAnswer,
		func(ct *Contact) fit { return fitIf(sameText(ct.Email, email)) }, nil)
}

// DeleteContact deletes a contact without transactions. One call.
func (c *Client) DeleteContact(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodDelete, contacts, id, "", nil, new(head))
}
