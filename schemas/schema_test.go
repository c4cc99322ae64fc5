package schemas

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/avro"
)

func eachNode(s *avro.SchemaNode, path string, visit func(path string, s *avro.SchemaNode, f *avro.SchemaField)) {
	visit(path, s, nil)
	for i := range s.Fields {
		f := &s.Fields[i]
		visit(path+"."+f.Name, &f.Type, f)
		eachNode(&f.Type, path+"."+f.Name, visit)
	}
	for i := range s.Branches {
		eachNode(&s.Branches[i], path, visit)
	}
	if s.Items != nil {
		eachNode(s.Items, path+"[]", visit)
	}
	if s.Values != nil {
		eachNode(s.Values, path+"[]", visit)
	}
}

func TestSchemasSayWhatEveryFieldMeansAndCanEvolve(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		eachNode(avro.MustParse(Schema(kind)).Root(), string(kind), func(path string, s *avro.SchemaNode, f *avro.SchemaField) {
			if f == nil {
				if (s.Type == "record" || s.Type == "enum") && (s.Doc == "" || s.Namespace != "com.booksync") {
					t.Errorf("%s: %s has doc %q and namespace %q", path, s.Name, s.Doc, s.Namespace)
				}
				if s.LogicalType == "decimal" && s.Precision != precision {
					t.Errorf("%s: precision %d", path, s.Precision)
				}
				return
			}
			if !strings.HasSuffix(f.Doc, ".") {
				t.Errorf("%s: doc %q", path, f.Doc)
			}
			if s.Type == "union" {
				if len(s.Branches) != 2 || s.Branches[0].Type != "null" || !f.HasDefault || f.Default != nil {
					t.Errorf("%s: unions are of null and one other, default null", path)
				}
			}
			if s.Type == "map" && !f.HasDefault {
				t.Errorf("%s: no default", path)
			}
		})
	}
	if Schema("invoice") != "" {
		t.Error("a schema of an unknown kind")
	}
}

// A changed fingerprint means that records already written cannot be read any more: keep the old schema in past/ first.
func TestFingerprintsAreThoseOfTheRecordsOutThere(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]string{
		KindOrder: "8865a562d38bb073", KindPayment: "3baefa0e86cecff4", KindRefund: "6aa93878dbf5de8d",
		KindCustomer: "fd6b835045849cea", KindOutcome: "9d41cd83b090dffe", KindAudit: "3e16fe28811fd92b",
		KindReconciliation: "417ab61c042c194b",
	} {
		w := ownOf(kind).writer
		if w.name != want {
			t.Errorf("%s: fingerprint %s, want %s", kind, w.name, want)
		}
		if got := crc64avro(w.schema.Canonical()); got != w.fingerprint {
			t.Errorf("%s: fingerprint %x, computed by the book %x", kind, w.fingerprint, got)
		}
	}
	if got := crc64avro([]byte(`"int"`)); got != 0x7275d51a3f395c8f { // from Avro's own test data
		t.Errorf("int: %x", got)
	}
	value, err := mustCodec(t).EncodeAudit(t.Context(), "", sampleAudit())
	if err != nil {
		t.Fatal(err)
	}
	if binary.LittleEndian.Uint64(value[2:]) != ownOf(KindAudit).writer.fingerprint {
		t.Error("the fingerprint is not little-endian in the framing")
	}
}

// crc64avro is the fingerprint as the Avro specification spells it out, without a table.
func crc64avro(text []byte) uint64 {
	const empty = 0xc15d213aa4d7a795
	fp := uint64(empty)
	for _, b := range text {
		fp ^= uint64(b)
		for range 8 {
			fp = fp>>1 ^ empty&-(fp&1)
		}
	}
	return fp
}

func TestPastSchemasAreReadable(t *testing.T) {
	t.Parallel()
	for _, text := range pastSchemas() {
		if _, err := newWriter(text); err != nil {
			t.Error(err)
		}
	}
}
