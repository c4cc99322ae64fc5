package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/linkedin/goavro/v2"
)

// Kind names one of the schemas.
type Kind string

// The kinds, one .avsc file each.
const (
	KindOrder          Kind = "order"
	KindPayment        Kind = "payment"
	KindRefund         Kind = "refund"
	KindCustomer       Kind = "customer"
	KindOutcome        Kind = "outcome"
	KindAudit          Kind = "audit"
	KindReconciliation Kind = "reconciliation"
)

// Kinds returns every kind.
func Kinds() []Kind {
	return []Kind{KindOrder, KindPayment, KindRefund, KindCustomer, KindOutcome, KindAudit, KindReconciliation}
}

//go:embed *.avsc past
var files embed.FS

// Schema returns the newest schema of the kind as JSON text, with its docs; "" for an unknown kind.
func Schema(kind Kind) string {
	text, err := files.ReadFile(string(kind) + ".avsc")
	if err != nil {
		return ""
	}
	return string(text)
}

// pastSchemas returns the texts of the older versions kept in the folder past.
func pastSchemas() []string {
	var texts []string
	names, err := fs.Glob(files, "past/*.avsc")
	if err != nil {
		panic(fmt.Sprintf("schemas: %v", err)) // the pattern is a constant
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("schemas: reading embedded %s: %v", name, err))
		}
		texts = append(texts, string(text))
	}
	return texts
}

// own is a kind's newest schema: what records are mapped to, and written with.
type own struct {
	kind   Kind
	writer *writer
	codec  *goavro.Codec // writes records
	// branches holds goavro's names of the named types in unions.
	branches map[string]string
	// json maps the JSON form.
	json *record
}

// owns holds the newest schemas, parsed once when first needed (well under a millisecond each).
var owns = func() map[Kind]func() *own {
	m := make(map[Kind]func() *own)
	for _, kind := range Kinds() {
		m[kind] = sync.OnceValue(func() *own {
			w, err := newWriter(Schema(kind))
			if err != nil {
				panic(fmt.Sprintf("schemas: %s.avsc: %v", kind, err)) // caught by any test
			}
			codec, err := newGoavro(w.root)
			if err != nil {
				panic(fmt.Sprintf("schemas: %s.avsc: %v", kind, err))
			}
			o := &own{kind: kind, writer: w, codec: codec, branches: make(map[string]string), json: jsonRecord(w.root)}
			o.name(w.root)
			return o
		})
	}
	return m
}()

// name collects the named types by their names without namespace.
func (o *own) name(n *node) {
	if n.full != "" {
		o.branches[n.full[strings.LastIndexByte(n.full, '.')+1:]] = n.bareName
	}
	for i := range n.fields {
		o.name(n.fields[i].node)
	}
	for _, b := range n.branches {
		o.name(b)
	}
	if n.items != nil {
		o.name(n.items)
	}
}

// ownOf returns the newest schema of a kind that exists.
func ownOf(kind Kind) *own { return owns[kind]() }

func (k Kind) known() bool {
	_, ok := owns[k]
	return ok
}

// topicSubject is the registry's subject of a topic's values (Confluent's TopicNameStrategy).
func topicSubject(topic string) string { return strings.TrimSpace(topic) + "-value" }
