package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplainWithoutConfigurationShowsSumsAndRequests(t *testing.T) {
	t.Parallel()
	r := booksync(t, orderJSON, nil, "explain", "orders", "-")
	if r.code != 0 {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	golden(t, "explain_order", r.stdout)
	p := booksync(t, paymentJSON, nil, "explain", "payments", "-")
	if p.code != 0 {
		t.Fatalf("exit %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	golden(t, "explain_payment", p.stdout)
}

func TestExplainRefundWithItsOrderPlansTheCreditNote(t *testing.T) {
	t.Parallel()
	orders := filepath.Join(t.TempDir(), "orders.json")
	if err := os.WriteFile(orders, []byte(orderJSON), 0o600); err != nil {
		t.Fatal(err)
	}
	r := booksync(t, refundJSON, nil, "explain", "refunds", "-", "--orders", orders)
	if r.code != 0 || !strings.Contains(r.stdout, "POST /creditnotes/<credit note>/refunds") {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	golden(t, "explain_refund", r.stdout)
	alone := booksync(t, refundJSON, nil, "explain", "refunds", "-")
	if alone.code != 0 || !strings.Contains(alone.stdout, "give the order event too") {
		t.Errorf("exit %d\n%s", alone.code, alone.stdout)
	}
}

func TestExplainExitsWith1WhereAnEventWouldBeRejected(t *testing.T) {
	t.Parallel()
	wrong := strings.Replace(orderJSON, `"gross":"21.78"`, `"gross":"21.87"`, 1)
	unmapped := strings.Replace(orderJSON, `"gross":"21.78"`, `"gross":"21.78"`, 1)
	file := filepath.Join(t.TempDir(), "booksync.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(booksyncYAML, "acme:", "demo:\n    live: false", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		event string
		args  []string
		class string
	}{
		{"sums that do not add up", wrong, nil, "rejected.totals"},
		{"an unmapped tax", unmapped, []string{"--config", file}, "rejected."},
		{"another organisation", strings.Replace(orderJSON, `"organization":"demo"`, `"organization":"other"`, 1), []string{"--config", file}, "rejected.organization"},
		{"no order", `{"order_id": 5}`, nil, "poison.decode"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := booksync(t, orderJSON+"\n"+test.event, nil, append([]string{"explain", "orders", "-", "--json"}, test.args...)...)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			if r.code != 1 || len(lines) != 2 || !strings.Contains(r.stderr, "of 2 events would be rejected") {
				t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
			}
			var e struct {
				Line     int
				Rejected struct{ Class, Message string }
			}
			if err := json.Unmarshal([]byte(lines[1]), &e); err != nil || e.Line != 2 || !strings.HasPrefix(e.Rejected.Class, test.class) || e.Rejected.Message == "" {
				t.Errorf("%s: %+v %v", lines[1], e, err)
			}
		})
	}
}

func TestExplainReadsAnAvroRecord(t *testing.T) {
	t.Parallel()
	value := avroOrder(t)
	r := booksync(t, string(value), nil, "explain", "orders", "-")
	if r.code != 0 || !strings.Contains(r.stdout, "event 1: order:O1") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestExplainOfNothingFails(t *testing.T) {
	t.Parallel()
	if r := booksync(t, "", nil, "explain", "orders", "-"); r.code != 1 {
		t.Errorf("%+v", r)
	}
	if r := booksync(t, `{"a":`, nil, "explain", "orders", "-"); r.code != 1 || !strings.Contains(r.stderr, "reading event 1") {
		t.Errorf("%+v", r)
	}
}
