package schemas

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sameDecimals compares decimals by value, whatever their scale.
var sameDecimals = cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })

// roundTrip is one kind's codec, with its type hidden.
type roundTrip struct {
	kind   Kind
	sample any
	encode func(*Codec, any) ([]byte, error)
	decode func(*Codec, []byte, []kgo.RecordHeader) (any, Meta, error)
	toJSON func(any) ([]byte, error)
	ofJSON func([]byte) (any, error)
}

func roundTripOf[T any](kind Kind, sample *T,
	encode func(*Codec, context.Context, string, *T) ([]byte, error),
	decode func(*Codec, context.Context, []byte, []kgo.RecordHeader) (*T, Meta, error),
	toJSON func(*T) ([]byte, error), ofJSON func([]byte) (*T, error),
) roundTrip {
	hide := func(v *T) any {
		if v == nil {
			return nil
		}
		return v
	}
	return roundTrip{
		kind: kind, sample: sample,
		encode: func(c *Codec, v any) ([]byte, error) { return encode(c, context.Background(), "topic", v.(*T)) },
		decode: func(c *Codec, value []byte, headers []kgo.RecordHeader) (any, Meta, error) {
			v, meta, err := decode(c, context.Background(), value, headers)
			return hide(v), meta, err
		},
		toJSON: func(v any) ([]byte, error) { return toJSON(v.(*T)) },
		ofJSON: func(text []byte) (any, error) {
			v, err := ofJSON(text)
			return hide(v), err
		},
	}
}

func roundTrips() []roundTrip {
	return []roundTrip{
		roundTripOf(KindOrder, sampleOrder(), (*Codec).EncodeOrder, (*Codec).DecodeOrder, OrderToJSON, OrderFromJSON),
		roundTripOf(KindPayment, samplePayment(), (*Codec).EncodePayment, (*Codec).DecodePayment, PaymentToJSON, PaymentFromJSON),
		roundTripOf(KindRefund, sampleRefund(), (*Codec).EncodeRefund, (*Codec).DecodeRefund, RefundToJSON, RefundFromJSON),
		roundTripOf(KindCustomer, sampleCustomer(), (*Codec).EncodeCustomer, (*Codec).DecodeCustomer, CustomerToJSON, CustomerFromJSON),
		roundTripOf(KindOutcome, sampleOutcome(), (*Codec).EncodeOutcome, (*Codec).DecodeOutcome, OutcomeToJSON, OutcomeFromJSON),
		roundTripOf(KindAudit, sampleAudit(), (*Codec).EncodeAudit, (*Codec).DecodeAudit, AuditToJSON, AuditFromJSON),
		roundTripOf(KindReconciliation, sampleReconciliation(), (*Codec).EncodeReconciliation, (*Codec).DecodeReconciliation, ReconciliationToJSON, ReconciliationFromJSON),
	}
}

func TestEveryKindComesBackAsItWas(t *testing.T) {
	t.Parallel()
	c := mustCodec(t)
	for _, rt := range roundTrips() {
		t.Run(string(rt.kind), func(t *testing.T) {
			t.Parallel()
			value, err := rt.encode(c, rt.sample)
			if err != nil {
				t.Fatal(err)
			}
			got, meta, err := rt.decode(c, value, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rt.sample, got, sameDecimals); diff != "" {
				t.Errorf("after Avro (-want +got):\n%s", diff)
			}
			if meta.Format != FormatSingleObject || len(meta.Fingerprint) != 16 || meta.SchemaID != 0 {
				t.Errorf("meta = %+v", meta)
			}
			text, err := rt.toJSON(rt.sample)
			if err != nil {
				t.Fatal(err)
			}
			got, err = rt.ofJSON(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(rt.sample, got, sameDecimals); diff != "" {
				t.Errorf("after JSON (-want +got):\n%s", diff)
			}
		})
	}
}
