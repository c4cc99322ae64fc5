package simulator

import "net/http"

// PUT on a collection: create or update by a unique custom field (dossier 3.1).

// headerField stores the value that an upsert named in its header.
func (c *call) headerField(entity string, fields []fieldValue) []fieldValue {
	if c.upsertKey == "" || c.s.cfg.Switches.UpsertNeedsField {
		return fields
	}
	if def := c.org.fieldNamed(entity, c.upsertKey); def != nil {
		return setField(fields, def, c.upsertValue)
	}
	return fields
}

// upsert finds the document whose unique field has the header's value and changes it, or, with X-Upsert: true, creates it.
func upsert[T document](entity string, x func(*books) *index[T], create handler, change func(*call, T) *failure, missing string) handler {
	return func(c *call) *failure {
		key, v := c.header.Get("X-Unique-Identifier-Key"), c.header.Get("X-Unique-Identifier-Value")
		if key == "" || v == "" {
			return refuse(http.StatusBadRequest, codeMissing, "X-Unique-Identifier-Key and X-Unique-Identifier-Value are required.")
		}
		def := c.org.fieldNamed(entity, key)
		if def == nil || !def.Unique {
			return refuse(http.StatusBadRequest, codeNotUnique, "The field "+key+" is not a unique field.")
		}
		c.upsertKey, c.upsertValue = key, v
		if found := x(c.org).byField[fieldKey{def, v}]; len(found) > 0 && !c.twin {
			return change(c, found[0])
		}
		if c.header.Get("X-Upsert") != "true" {
			return notFound(missing)
		}
		f := create(c)
		if !c.s.cfg.Switches.UpsertCreates201 {
			c.status, c.location = http.StatusOK, ""
		}
		return f
	}
}
