package zohobooks

import (
	"context"
	"net/http"
	"net/url"
)

// CustomField is written by its API name and answered with more.
type CustomField struct {
	ID      string `json:"customfield_id,omitempty"`
	APIName string `json:"api_name,omitempty"`
	Label   string `json:"label,omitempty"`
	Value   string `json:"value" decode:"any"` // of a field that is not text: its JSON
}

// FieldValue looks for a custom field in what a document was answered with: its list first, then its hash.
func FieldValue(fields []CustomField, hash map[string]string, apiName string) (string, bool) {
	for _, f := range fields {
		if f.APIName == apiName {
			return f.Value, true
		}
	}
	v, ok := hash[apiName]
	return v, ok
}

// FieldDef is the definition of a custom field.
type FieldDef struct {
	FieldID     string `json:"field_id,omitempty"`
	Label       string `json:"label"`
	APIName     string `json:"api_name,omitempty"` // given by Zoho
	DataType    string `json:"data_type"`          // string for ours
	Entity      string `json:"entity"`             // invoice, contact, customer_payment, creditnote; the last two are UNCONFIRMED names
	ShowOnPDF   bool   `json:"show_on_pdf"`
	IsUnique    bool   `json:"is_unique"`
	IsActive    bool   `json:"is_active,omitempty"` // answers only
	IsMandatory bool   `json:"is_mandatory,omitempty"`
	MaxLength   int    `json:"max_length,omitempty"` // answers only
	HelpText    string `json:"help_text,omitempty"`
}

type fieldsAnswer struct {
	head
	Fields []FieldDef `json:"fields"`
	// The documents of different times name the list differently.
	CustomFields []FieldDef `json:"custom_fields"`
}

func (a *fieldsAnswer) complete() bool { return a.Fields != nil || a.CustomFields != nil }

type fieldAnswer struct {
	head
	Field       *FieldDef `json:"field"`
	CustomField *FieldDef `json:"custom_field"`
}

func (a *fieldAnswer) def() *FieldDef {
	if a.Field != nil {
		return a.Field
	}
	return a.CustomField
}

func (a *fieldAnswer) complete() bool { return a.def() != nil }

// CustomFields lists the definitions of an entity's custom fields. One call.
func (c *Client) CustomFields(ctx context.Context, entity string) ([]FieldDef, error) {
	var a fieldsAnswer
	q := url.Values{"entity": {entity}, "filter_custom_fields": {"true"}}
	if err := c.do(ctx, &call{method: http.MethodGet, resource: "/settings/fields", path: "/settings/fields", query: q.Encode()}, &a); err != nil {
		return nil, err
	}
	if a.Fields == nil {
		a.Fields = a.CustomFields
	}
	return a.Fields, nil
}

// CreateCustomField defines a field. One call.
func (c *Client) CreateCustomField(ctx context.Context, def FieldDef) (*FieldDef, error) {
	var a fieldAnswer
	err := c.do(ctx, &call{method: http.MethodPost, resource: "/settings/fields", path: "/settings/fields", body: def}, &a)
	if err != nil {
		return nil, err
	}
	return a.def(), nil
}
