package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Stopping ends answers that hang or wait and drops writes that have not landed: nothing is left running.
func TestStopEndsEverything(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	url, stop, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.accounts.mu.Lock()
	token := s.accounts.newToken(s.accounts.order[0], s.cfg.Now()).value
	s.accounts.mu.Unlock()
	for _, f := range []Fault{
		{Kind: FaultLateLanding, Count: 1}, {Kind: FaultHang, Nth: 2, Count: 1}, {Kind: FaultLatency, Delay: time.Hour, Nth: 3, Count: 1},
	} {
		if err := s.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	results := make(chan error, 3)
	post := func() {
		req, err := http.NewRequest("POST", url+apiRoot+"/contacts?organization_id="+testOrg, strings.NewReader(`{"contact_name":"x"}`))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Zoho-oauthtoken "+token)
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		results <- err
	}
	post() // its write is still to land
	if err := <-results; err == nil {
		t.Error("the connection was not closed")
	}
	go post()
	await(t, "the second call to hang", func() bool { return s.FaultHits()[FaultHang] == 1 })
	go post()
	await(t, "the third call to wait", func() bool { return s.FaultHits()[FaultLatency] == 1 })
	stop()
	stop() // again
	for range 2 {
		<-results //nolint:errcheck // whether they failed doesn't matter, that they ended does
	}
	l := s.Ledger(testOrg)
	if len(l.Contacts) > 1 {
		t.Errorf("%d contacts", len(l.Contacts))
	}
}

func TestDefaultOrganisations(t *testing.T) {
	t.Parallel()
	for code, c := range countries {
		o := DefaultOrgIn("30000001", code)
		s := New(Config{Organizations: []Org{o}})
		ids := s.IDs("30000001")
		if o.Currency != c.currency || ids[KindTax][TaxZero] != o.TaxID(TaxZero) || ids[KindAccount][AccountStripe] != o.AccountID(AccountStripe) ||
			ids[KindItem][ItemShipping] != o.ItemID(ItemShipping) || ids[KindCurrency]["JPY"] != o.CurrencyID("JPY") {
			t.Errorf("%s: %+v", code, ids)
		}
		seen := map[string]string{}
		for kind, names := range ids {
			for name, id := range names {
				if len(id) < 15 || len(id) > 19 || seen[id] != "" {
					t.Errorf("%s: id %s of %s %s, also %s", code, id, kind, name, seen[id])
				}
				seen[id] = kind + " " + name
			}
		}
	}
	again, other := ID("1", KindAccount, "Sales"), ID("2", KindAccount, "Sales")
	if ID("1", KindAccount, "Sales") != again || again == other {
		t.Error("ids are not stable, or not of their organisation")
	}
}
