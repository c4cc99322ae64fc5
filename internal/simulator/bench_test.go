package simulator

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkCreateInvoice is what the server and a plain HTTP client do together: run it with -cpu 2.
func BenchmarkCreateInvoice(b *testing.B) {
	org := unlimited(DefaultOrg(testOrg)).WithFields()
	s := New(Config{Organizations: []Org{org}})
	url, stop, err := s.Start("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	s.accounts.mu.Lock()
	token := s.accounts.newToken(s.accounts.order[0], s.cfg.Now()).value
	s.accounts.mu.Unlock()
	post := func(path, body string, into io.Writer) error {
		req, err := http.NewRequest("POST", url+apiRoot+path+"?organization_id="+testOrg, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Zoho-oauthtoken "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		_, err = io.Copy(into, resp.Body)
		return err
	}
	var answer strings.Builder
	if err := post("/contacts", `{"contact_name":"Bench"}`, &answer); err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(answer.String(), `"contact_id":"`)
	customer, _, _ := strings.Cut(rest, `"`)
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09","reference_number":"R%d","is_inclusive_tax":false,"line_items":[`+
				`{"item_id":%q,"rate":19.99,"quantity":2,"tax_id":%q},{"item_id":%q,"rate":5,"quantity":1}],`+
				`"custom_fields":[{"api_name":"cf_booksync_key","value":"order:%d"},{"api_name":"cf_booksync_origin","value":"t/0/%d"}]}`,
				customer, n.Add(1), org.ItemID(ItemGoods), org.TaxID("NY Sales Tax"), org.ItemID(ItemShipping), n.Load()+1e9*n.Add(1), n.Load())
			if err := post("/invoices", body, io.Discard); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
}
