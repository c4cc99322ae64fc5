package simulator

import (
	"strings"
)

// Custom fields: what makes a document findable, and a second one refused, without an idempotency key.

// Entities that have custom fields. The names of the last two are UNCONFIRMED: dossier 3.1.
const (
	EntityContact    = "contact"
	EntityItem       = "item"
	EntityInvoice    = "invoice"
	EntityCreditNote = "creditnote"
	EntityPayment    = "customer_payment"
)

type fieldDef struct {
	Field
	id    uint64
	index int // 1-based, within the entity
}

type fieldValue struct {
	field *fieldDef
	value string
}

// businessID is the value of the first unique field that has one.
func (r *record) businessID() string {
	for _, f := range r.fields {
		if f.field.Unique && f.value != "" {
			return f.value
		}
	}
	return ""
}

func (r *record) origin(apiName string) string {
	for _, f := range r.fields {
		if f.field.APIName == apiName {
			return f.value
		}
	}
	return ""
}

func (b *books) addField(f Field) *fieldDef {
	if f.APIName == "" {
		f.APIName = "cf_" + strings.ReplaceAll(strings.ToLower(f.Label), " ", "_")
	}
	if f.DataType == "" {
		f.DataType = "string"
	}
	for _, old := range b.fields[f.Entity] {
		if old.APIName == f.APIName {
			return old
		}
	}
	def := &fieldDef{Field: f, id: namedID(b.org.ID, KindField, f.Entity+"."+f.APIName), index: len(b.fields[f.Entity]) + 1}
	b.fields[f.Entity] = append(b.fields[f.Entity], def)
	return def
}

func (b *books) fieldNamed(entity, apiName string) *fieldDef {
	for _, f := range b.fields[entity] {
		if f.APIName == apiName {
			return f
		}
	}
	return nil
}

// mergeFields reads the custom_fields of a request over those a document has. Fields are named by customfield_id,
// api_name, label or index: dossier 3.1, "Custom field payload forms seen".
func (b *books) mergeFields(entity string, old []fieldValue, sent []member) ([]fieldValue, *failure) {
	out := append(make([]fieldValue, 0, len(old)+len(sent)), old...)
	for i := range sent {
		def := b.findField(entity, &sent[i].value)
		if def == nil {
			if b.sim.cfg.Switches.UnknownFieldsIgnored {
				continue
			}
			return nil, refuse(400, codeUnknownField, "Invalid custom field passed in the request.")
		}
		out = setField(out, def, sent[i].str("value"))
	}
	return out, nil
}

func setField(fields []fieldValue, def *fieldDef, text string) []fieldValue {
	for i := range fields {
		if fields[i].field == def {
			if text == "" {
				return append(fields[:i:i], fields[i+1:]...)
			}
			fields[i].value = text
			return fields
		}
	}
	if text == "" {
		return fields
	}
	return append(fields, fieldValue{def, text})
}

func (b *books) findField(entity string, v *value) *fieldDef {
	id, apiName, label, index := v.id("customfield_id"), v.str("api_name"), v.str("label"), v.str("index")
	if id == 0 {
		id = v.id("field_id")
	}
	for _, f := range b.fields[entity] {
		switch {
		case id != 0:
			if f.id == id {
				return f
			}
		case apiName != "":
			if f.APIName == apiName {
				return f
			}
		case label != "":
			if f.Label == label {
				return f
			}
		case index != "" && index == itoa(f.index):
			return f
		}
	}
	return nil
}

// unique refuses fields whose value another document already holds in a field declared unique.
func unique[T document](b *books, x *index[T], self T, fields []fieldValue) *failure {
	for _, f := range fields {
		if !f.field.Unique {
			continue
		}
		for _, holder := range x.byField[fieldKey(f)] {
			if holder != self {
				return b.sim.cfg.Switches.DuplicateField.or(400, codeDuplicateField,
					"The value entered for "+f.field.Label+" already exists. Enter a unique value.")
			}
		}
	}
	return nil
}

// writeFields are the two forms in which answers carry custom fields.
func (w *writer) writeFields(fields []fieldValue) {
	w.list("custom_fields")
	for _, f := range fields {
		w.open()
		w.id("field_id", f.field.id)
		w.id("customfield_id", f.field.id)
		w.raw(`"show_in_store":false,"show_in_portal":false,"is_active":true,`)
		w.int("index", f.field.index)
		w.str("label", f.field.Label)
		w.raw(`"show_on_pdf":false,"edit_on_portal":false,"edit_on_store":false,"show_in_all_pdf":false,`)
		w.str("api_name", f.field.APIName)
		w.str("data_type", f.field.DataType)
		w.str("search_entity", f.field.Entity)
		w.str("placeholder", f.field.APIName)
		w.str("value", f.value)
		w.str("value_formatted", f.value)
		w.raw(`"is_dependent_field":false,`)
		w.close()
	}
	w.endList()
	w.object("custom_field_hash")
	for _, f := range fields {
		w.str(f.field.APIName, f.value)
		w.str(f.field.APIName+"_unformatted", f.value)
	}
	w.close()
}
