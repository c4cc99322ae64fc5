package schemas

import (
	"errors"
	"strconv"
	"strings"
)

// The classes of errors.
const (
	// ClassDecode marks bytes that cannot be decoded, and records whose values are not acceptable.
	ClassDecode = "poison.decode"
	// ClassSchema marks schema ids and fingerprints nobody knows, and schemas that cannot be read or mapped: whatever
	// their bytes, all records of the schema end so.
	ClassSchema = "poison.schema"
	// ClassEncode marks values that cannot be written. It says nothing about any record.
	ClassEncode = "encode"
)

// ErrRegistryUnavailable is wrapped by every error that comes from a schema registry which did not answer, or not
// with an answer about the schema: an outage (or a wrong address, or wrong credentials), to be waited out. It says
// nothing about the record.
var ErrRegistryUnavailable = errors.New("schema registry unavailable")

// ErrNotRegistered is wrapped when encoding for a topic whose subject does not hold our schema: [Codec.Register] first.
var ErrNotRegistered = errors.New("schema not registered")

// ErrIncompatible is wrapped by [Codec.Register] when the newest registered schema's records could not be read with ours.
var ErrIncompatible = errors.New("incompatible with the registered schema")

// Error says why a record could not be decoded or a value not be encoded.
type Error struct {
	// Class is one of the constants above.
	Class string
	// Field is the path to the field, such as lines[3].unit_price; "" when the whole value is meant. When the schema
	// alone is at fault an array's items have no number: lines[].unit_price.
	Field string
	// SchemaID is the registry's id the value named, or 0.
	SchemaID int
	// Reason is for people; it never quotes more than a few characters of the record.
	Reason string
	// Err is the library's error, if there is one.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Class)
	if e.Field != "" {
		b.WriteString(": ")
		b.WriteString(e.Field)
	}
	if e.Reason != "" {
		b.WriteString(": ")
		b.WriteString(e.Reason)
	}
	if e.SchemaID != 0 {
		b.WriteString(" (schema id ")
		b.WriteString(strconv.Itoa(e.SchemaID))
		b.WriteString(")")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// within returns the error with its field put below name ("[]" and "[3]" are joined without a dot).
func (e *Error) within(name string) *Error {
	switch {
	case e.Field == "":
		e.Field = name
	case name == "":
	case e.Field[0] == '[':
		e.Field = name + e.Field
	default:
		e.Field = name + "." + e.Field
	}
	return e
}

// quote shortens text from a record for an error message.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strconv.Quote(s)
}
