package processor

import "testing"

func TestWhichRecordCameBefore(t *testing.T) {
	for _, tt := range []struct {
		one, other string
		want       bool
	}{
		{"commerce.orders/0/2", "commerce.orders/0/10", true},
		{"commerce.orders/0/10", "commerce.orders/0/2", false},
		{"commerce.orders/0/2", "commerce.orders/0/2", false},
		{"commerce.orders/1/2", "commerce.orders/0/10", false},
		{"other.orders/0/2", "commerce.orders/0/10", false},
		{"", "commerce.orders/0/10", false},
		{"commerce.orders/0/x", "commerce.orders/0/10", false},
	} {
		if got := cameBefore(tt.one, tt.other); got != tt.want {
			t.Errorf("%q before %q: %v", tt.one, tt.other, got)
		}
	}
}
