package schemas

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Format is how a value names its writer's schema.
type Format int

// The formats.
const (
	// FormatConfluent is a 0 byte and the registry's id, 4 bytes big-endian, before the record.
	FormatConfluent Format = iota + 1
	// FormatHeader is the header __value_schema_id; the value is the record alone.
	FormatHeader
	// FormatSingleObject is Avro's own: C3 01 and the schema's CRC-64-AVRO fingerprint, little-endian, before the record.
	FormatSingleObject
)

func (f Format) String() string {
	switch f {
	case FormatConfluent:
		return "confluent"
	case FormatHeader:
		return "header"
	case FormatSingleObject:
		return "single-object"
	default:
		return "unknown"
	}
}

// HeaderValueSchemaID is where Confluent's newer serializers (HeaderSchemaIdSerializer, since Confluent Platform 8.0)
// name the schema of a value: a byte 1 and the schema's 16-byte GUID. Their readers also take a byte 0 and a 4-byte id
// there, and look here before they look at the value; so do we. With several such headers the last one counts.
const HeaderValueSchemaID = "__value_schema_id"

const (
	magicID   = 0 // followed by a 4-byte id
	magicGUID = 1 // followed by a 16-byte GUID, in headers only
)

// singleObjectMagic is from the Avro specification, "Single-object encoding".
var singleObjectMagic = [2]byte{0xC3, 0x01}

// Meta says what the bytes named.
type Meta struct {
	Format Format
	// SchemaID is the registry's id; 0 where the bytes named a fingerprint or a GUID.
	SchemaID int
	// Fingerprint is the CRC-64-AVRO of the writer's schema in 16 hexadecimal digits, most significant first; "" where
	// the schema could not be had and the bytes did not name it.
	Fingerprint string
	// GUID is the registry's GUID of the schema in its usual form; "" unless the header named it.
	GUID string
}

// reference is a writer's schema as named by the bytes.
type reference struct {
	format      Format
	id          int
	guid        [16]byte
	fingerprint uint64
}

func (r reference) meta() Meta {
	m := Meta{Format: r.format, SchemaID: r.id}
	if r.format == FormatSingleObject {
		m.Fingerprint = formatFingerprint(r.fingerprint)
	}
	if r.format == FormatHeader && r.id == 0 {
		m.GUID = formatGUID(r.guid)
	}
	return m
}

func formatFingerprint(f uint64) string { return fmt.Sprintf("%016x", f) }

func formatGUID(g [16]byte) string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// frame finds out which schema a value names, and where its record begins.
func frame(value []byte, headers []kgo.RecordHeader) (reference, []byte, *Error) {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == HeaderValueSchemaID {
			ref, err := headerReference(headers[i].Value)
			return ref, value, err
		}
	}
	switch {
	case len(value) == 0:
		return reference{}, nil, bad("the value is empty")
	case value[0] == magicID:
		if len(value) < 5 {
			return reference{}, nil, bad("%d bytes are too few for a schema id", len(value))
		}
		ref, err := idReference(FormatConfluent, value[1:5])
		return ref, value[5:], err
	case value[0] == singleObjectMagic[0] && (len(value) == 1 || value[1] == singleObjectMagic[1]):
		if len(value) < 10 {
			return reference{}, nil, bad("%d bytes are too few for a fingerprint", len(value))
		}
		return reference{format: FormatSingleObject, fingerprint: binary.LittleEndian.Uint64(value[2:10])}, value[10:], nil
	default:
		return reference{}, nil, bad("unknown magic byte 0x%02x: neither Confluent framing nor single-object encoding", value[0])
	}
}

func headerReference(v []byte) (reference, *Error) {
	switch {
	case len(v) == 17 && v[0] == magicGUID:
		return reference{format: FormatHeader, guid: [16]byte(v[1:])}, nil
	case len(v) == 5 && v[0] == magicID:
		return idReference(FormatHeader, v[1:])
	default:
		return reference{}, bad("header %s has %d bytes that are neither a GUID nor an id", HeaderValueSchemaID, len(v))
	}
}

func idReference(format Format, b []byte) (reference, *Error) {
	id := binary.BigEndian.Uint32(b)
	// Registries count from 1 in 31 bits. Asked for more they answer as to a wrong address, which would be an outage.
	if id == 0 || id > math.MaxInt32 {
		return reference{}, &Error{Class: ClassSchema, Reason: fmt.Sprintf("impossible schema id %d", id)}
	}
	return reference{format: format, id: int(id)}, nil
}
