package processor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAVerdictIsReadAsItWasStored(t *testing.T) {
	t.Parallel()
	headers := []kgo.RecordHeader{{Key: "dlq.class", Value: []byte("rejected.tax")}}
	both := []header{{Key: "dlq.class", Value: []byte("rejected.tax")}}
	tests := map[string]struct {
		kept []byte
		want *stored
	}{
		"of a registry, without a dead letter": {encodeStored([]byte{0, 0, 0, 0, 7, '{'}, nil), &stored{Outcome: []byte{0, 0, 0, 0, 7, '{'}}},
		"without a registry":                   {encodeStored([]byte{0xC3, 1, '{'}, nil), &stored{Outcome: []byte{0xC3, 1, '{'}}},
		"with a dead letter":                   {encodeStored([]byte{0xC3, 1}, headers), &stored{Outcome: []byte{0xC3, 1}, Headers: both}},
		"of an earlier version":                {[]byte(`{"outcome":"wwE="}`), &stored{Outcome: []byte{0xC3, 1}}},
		"nothing":                              {nil, nil},
		"no outcome":                           {[]byte(`{"headers":[]}`), nil},
		"cut off":                              {[]byte(`{"outcome":"wwE`), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, readStored(tt.kept)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
