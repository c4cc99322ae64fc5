package bench

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// fastBooks answers at once what a throughput measurement needs, in front of the simulator, which computes too much to
// be out of the way: creating an invoice and marking invoices sent. All orders of makeOrder have one and the same answer
// but for the invoice's id.
type fastBooks struct {
	rest  http.Handler
	head  string
	tail  string
	next  atomic.Int64
	first atomic.Int64 // when the first invoice of the measurement was asked for, ns since the epoch
	posts atomic.Int64
}

// newFastBooks answers with the totals of this many lines of makeOrder.
func newFastBooks(rest http.Handler) *fastBooks {
	f := &fastBooks{rest: rest, head: `{"code":0,"message":"The invoice has been created.","invoice":{"invoice_id":"`}
	var lines []string
	for i := range orderLines {
		lines = append(lines, fmt.Sprintf(`{"line_item_id":"98200000000%d","item_id":"982000000030049","name":"Enamel mug, blue","rate":%d,`+
			`"quantity":2,"tax_id":"982000000557028","tax_name":"%s","tax_percentage":%s,"item_total":%d}`, i, 50*(i+1), taxName, taxRate, 100*(i+1)))
	}
	f.tail = `","invoice_number":"INV-00001","status":"draft","date":"2026-03-02","customer_id":"982000000567114","currency_code":"USD","sub_total":1500,` +
		`"tax_total":123.75,"total":1623.75,"balance":1623.75,"line_items":[` + strings.Join(lines, ",") + `]}}`
	return f
}

// again starts a new measurement.
func (f *fastBooks) again() {
	f.first.Store(0)
	f.posts.Store(0)
}

// ServeHTTP implements http.Handler.
func (f *fastBooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/books/v3/invoices") {
		f.rest.ServeHTTP(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header()["Content-Type"] = jsonType
	if strings.HasSuffix(r.URL.Path, "/status/sent") {
		_, _ = io.WriteString(w, `{"code":0,"message":"Invoices have been marked as sent."}`)
		return
	}
	if f.posts.Add(1) == 1 {
		f.first.Store(time.Now().UnixNano())
	}
	body := make([]byte, 0, 2048)
	body = append(body, f.head...)
	body = strconv.AppendInt(body, 982_000_001_000_000+f.next.Add(1), 10)
	body = append(body, f.tail...)
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
}

var jsonType = []string{"application/json;charset=UTF-8"}
