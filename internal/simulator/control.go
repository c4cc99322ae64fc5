package simulator

import (
	"encoding/json"
	"io"
	"net/http"
)

// control adds the endpoints for whoever judges a run:
//
//	GET  /_simulator/ledger?organization_id=   the books, see Ledger; &summary=true leaves the documents and the journal out
//	GET  /_simulator/calls?organization_id=    what arrived, see Calls
//	POST /_simulator/faults                    one fault or a list of them; DELETE ends all; GET counts hits by kind
//	GET  /_simulator/ids?organization_id=      ids by kind and name, for a configuration
//	POST /_simulator/reset?organization_id=    counts of calls start anew; &documents=true empties the books too
func (s *Simulator) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /_simulator/ledger", s.withOrg(func(w http.ResponseWriter, r *http.Request, org string) {
		l := s.Ledger(org)
		if r.URL.Query().Get("summary") == "true" {
			l.Contacts, l.Invoices, l.Payments, l.CreditNotes, l.Refunds, l.Journal = nil, nil, nil, nil, nil, nil
		}
		writeValue(w, l)
	}))
	mux.HandleFunc("GET /_simulator/calls", s.withOrg(func(w http.ResponseWriter, _ *http.Request, org string) { writeValue(w, s.Calls(org)) }))
	mux.HandleFunc("GET /_simulator/ids", s.withOrg(func(w http.ResponseWriter, _ *http.Request, org string) { writeValue(w, s.IDs(org)) }))
	mux.HandleFunc("GET /_simulator/faults", func(w http.ResponseWriter, _ *http.Request) { writeValue(w, s.FaultHits()) })
	mux.HandleFunc("DELETE /_simulator/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_simulator/faults", s.takeFaults)
	mux.HandleFunc("POST /_simulator/reset", s.withOrg(func(w http.ResponseWriter, r *http.Request, org string) {
		s.ResetCalls(org)
		if r.URL.Query().Get("documents") == "true" {
			s.Reset(org)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("GET /_simulator/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

// withOrg reads organization_id; the only organisation is the default.
func (s *Simulator) withOrg(h func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		org := r.URL.Query().Get("organization_id")
		if org == "" && len(s.orgIDs) == 1 {
			org = s.orgIDs[0]
		}
		if s.orgs[org] == nil {
			http.Error(w, "no such organization_id", http.StatusNotFound)
			return
		}
		h(w, r, org)
	}
}

func (s *Simulator) takeFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var list []Fault
	if err := json.Unmarshal(body, &list); err != nil {
		var one Fault
		if err := json.Unmarshal(body, &one); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		list = []Fault{one}
	}
	for _, f := range list {
		if err := s.Inject(f); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// IDs are an organisation's ids by kind (account, item, tax, exemption, currency, field) and name.
func (s *Simulator) IDs(org string) map[string]map[string]string {
	b := s.org(org)
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := map[string]map[string]string{}
	put := func(kind, name string, id uint64) {
		if out[kind] == nil {
			out[kind] = map[string]string{}
		}
		out[kind][name] = utoa(id)
	}
	for _, a := range b.accounts {
		put(KindAccount, a.Name, a.id)
	}
	for _, i := range b.items.live() {
		put(KindItem, i.name, i.id)
	}
	for _, t := range b.taxOrder {
		put(KindTax, t.Name, t.id)
	}
	for _, e := range b.exemptions {
		put(KindExemption, e.Code, e.id)
	}
	for _, c := range b.curOrder {
		put(KindCurrency, c.Code, c.id)
	}
	for entity, fields := range b.fields {
		for _, f := range fields {
			put(KindField, entity+"."+f.APIName, f.id)
		}
	}
	return out
}

// Reset empties an organisation's books: documents, contacts and journal. Settings made while running, custom fields
// among them, stay as the configuration has them.
func (s *Simulator) Reset(org string) {
	b := s.org(org)
	fresh, err := newBooks(s, b.org)
	if err != nil {
		panic(err) // the same configuration was accepted before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for entity, fields := range b.fields {
		for _, f := range fields {
			if fresh.fieldNamed(entity, f.APIName) == nil {
				fresh.addField(f.Field)
			}
		}
	}
	b.adopt(fresh)
}

func writeValue(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
