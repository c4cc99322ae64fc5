package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// faults are those in force. A call that meets none pays one atomic load.
type faults struct {
	s      *Simulator
	some   atomic.Bool // there is something to look at
	mu     sync.Mutex
	armed  []*armed
	states []state
	hits   map[FaultKind]int
}

type armed struct {
	Fault
	seen  int // matching calls
	fired int
	until time.Time         // zero: for good
	drawn map[string]uint64 // with a probability: calls seen by key
}

// state is a lasting condition: a scope gone, a lag, an outage.
type state struct {
	Fault
	until time.Time
}

func newFaults(s *Simulator) *faults { return &faults{s: s, hits: map[FaultKind]int{}} }

func (x *faults) add(f *Fault, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a := &armed{Fault: *f, drawn: map[string]uint64{}}
	if f.For > 0 && !f.Kind.state() {
		a.until = now.Add(f.For)
	}
	x.armed = append(x.armed, a)
	x.some.Store(true)
}

func (x *faults) clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed, x.states = nil, nil
	x.some.Store(false)
	for _, b := range x.s.orgs {
		b.mu.Lock()
		b.searchLag = b.org.SearchLag
		b.mu.Unlock()
	}
}

// begin starts a state or does a person's deed.
func (x *faults) begin(f *Fault, now time.Time) error {
	x.mu.Lock()
	x.hits[f.Kind]++
	x.mu.Unlock()
	switch f.Kind {
	case FaultRevokeTokens:
		x.s.accounts.revokeTokens()
		return nil
	case FaultQuota:
		x.each(f.Organization, func(b *books) { b.limiter.change(f.DayLimit, f.MinuteLimit, f.Concurrency) })
		return nil
	case FaultEdit, FaultDelete, FaultVoid, FaultPush:
		var errs []error
		x.each(f.Organization, func(b *books) {
			b.mu.Lock()
			defer b.mu.Unlock()
			errs = append(errs, b.person(f, now))
		})
		for _, err := range errs {
			if err == nil {
				return nil
			}
		}
		return errors.Join(errs...)
	case FaultSearchLag:
		x.each(f.Organization, func(b *books) {
			b.mu.Lock()
			b.searchLag = f.Delay
			b.mu.Unlock()
		})
		if f.For > 0 {
			x.s.later(f.For, func() {
				x.each(f.Organization, func(b *books) {
					b.mu.Lock()
					b.searchLag = b.org.SearchLag
					b.mu.Unlock()
				})
			})
		}
		return nil
	}
	st := state{Fault: *f}
	if f.For > 0 {
		st.until = now.Add(f.For)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.states = append(x.states, st)
	x.some.Store(true)
	return nil
}

func (x *faults) each(org string, f func(*books)) {
	for _, id := range x.s.orgIDs {
		if org == "" || org == id {
			f(x.s.orgs[id])
		}
	}
}

func (x *faults) isDown(b *books, now time.Time) bool {
	return x.holds(b, now, func(f *Fault) bool { return f.Kind == FaultDown })
}

func (x *faults) scopeRevoked(b *books, scope string, now time.Time) bool {
	return x.holds(b, now, func(f *Fault) bool { return f.Kind == FaultRevokeScope && f.Scope == scope })
}

func (x *faults) holds(b *books, now time.Time, is func(*Fault) bool) bool {
	if !x.some.Load() {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.states {
		st := &x.states[i]
		here := st.Organization == "" || b != nil && b.org.ID == st.Organization
		if here && is(&st.Fault) && (st.until.IsZero() || now.Before(st.until)) {
			return true
		}
	}
	return false
}

// match gives a call the effects of every fault it meets.
func (x *faults) match(c *call) {
	if !x.some.Load() || c.org == nil {
		return
	}
	path := strings.TrimPrefix(c.path(), apiRoot)
	key := ""
	var fired []Fault
	x.mu.Lock()
	for _, a := range x.armed {
		if a.Kind == FaultTokenError || !a.matches(c, path, &key) {
			continue
		}
		if x.fires(a, c, key) {
			fired = append(fired, a.Fault)
		}
	}
	x.mu.Unlock()
	for i := range fired {
		if fired[i].Kind.state() {
			_ = x.begin(&fired[i], c.now) // a person who finds nothing to change changes nothing
			continue
		}
		fired[i].befall(c)
	}
}

// matches says whether a call is one of those a fault is about. key becomes the call's business id once it is needed.
func (a *armed) matches(c *call, path string, key *string) bool {
	switch {
	case !a.until.IsZero() && !c.now.Before(a.until),
		a.Organization != "" && a.Organization != c.org.org.ID,
		a.Method != "" && !strings.EqualFold(a.Method, c.method),
		a.Path != "" && !glob(a.Path, path):
		return false
	}
	if *key == "" && (a.BusinessID != "" || a.Probability > 0) {
		*key = c.businessID()
	}
	return a.BusinessID == "" || a.Kind.person() || glob(a.BusinessID, *key)
}

// fires counts a matching call and decides whether the fault befalls it. x.mu is held.
func (x *faults) fires(a *armed, c *call, key string) bool {
	a.seen++
	if a.Count > 0 && a.fired >= a.Count || a.seen < a.Nth {
		return false
	}
	if a.Probability > 0 {
		// The draw depends on what the call is about and how often that was tried, so that concurrent calls may come in
		// any order.
		name := string(a.Kind) + a.Path + "|" + c.method + c.route.template + "|" + key
		a.drawn[name]++
		if draw(x.s.cfg.Seed, hash64(name)+a.drawn[name]) >= a.Probability {
			return false
		}
	}
	a.fired++
	x.hits[a.Kind]++
	return true
}

// tokenFault answers a token request in the accounts server's place.
func (x *faults) tokenFault(w http.ResponseWriter, _ *http.Request, now time.Time) bool {
	if !x.some.Load() {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.armed {
		if a.Kind != FaultTokenError || !a.until.IsZero() && !now.Before(a.until) {
			continue
		}
		a.seen++
		if a.Count > 0 && a.fired >= a.Count || a.seen < a.Nth {
			continue
		}
		a.fired++
		x.hits[a.Kind]++
		status := a.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		writePlain(w, status, text(a.Message, `{"error":"server_error"}`))
		return true
	}
	return false
}

// FaultHits counts, by kind, the calls that faults befell and the states they began.
func (s *Simulator) FaultHits() map[FaultKind]int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	out := make(map[FaultKind]int, len(s.faults.hits))
	for k, n := range s.faults.hits {
		out[k] = n
	}
	return out
}

// path is the request's path with its variables filled in.
func (c *call) path() string {
	p := c.route.template
	for i, name := range []string{"{id}", "{sub}"} {
		if c.ids[i] != 0 {
			p = strings.Replace(p, name, utoa(c.ids[i]), 1)
		}
	}
	return p
}

// businessID is the unique field's value that the request carries or that the document of its path has.
func (c *call) businessID() string {
	b := c.org
	b.mu.RLock()
	defer b.mu.RUnlock()
	if entity := entityOf(c.route.template); entity != "" {
		for i, sent := 0, c.body.list("custom_fields"); i < len(sent); i++ {
			if f := b.findField(entity, &sent[i].value); f != nil && f.Unique {
				return sent[i].str("value")
			}
		}
	}
	id := c.ids[0]
	if id == 0 {
		id = parseID(c.query.Get("invoice_ids"))
	}
	if r := b.find(id); r != nil {
		return r.businessID()
	}
	return c.query.Encode()
}

// find is the record of any document.
func (b *books) find(id uint64) *record {
	if d, ok := b.invoices.get(id); ok {
		return d.rec()
	}
	if d, ok := b.payments.get(id); ok {
		return d.rec()
	}
	if d, ok := b.notes.get(id); ok {
		return d.rec()
	}
	if d, ok := b.contacts.get(id); ok {
		return d.rec()
	}
	return nil
}

func entityOf(template string) string {
	for prefix, entity := range map[string]string{
		"/invoice": EntityInvoice, "/customerpayment": EntityPayment, "/creditnote": EntityCreditNote, "/contacts": EntityContact, "/items": EntityItem,
	} {
		if strings.HasPrefix(template, prefix) {
			return entity
		}
	}
	return ""
}

// person does what someone at the keyboard does to a document, without the API's rules. The lock is held.
func (b *books) person(f *Fault, now time.Time) error {
	for _, inv := range b.invoices.live() {
		if glob(f.BusinessID, inv.businessID()) {
			inv.modified = now
			return b.personInvoice(f, inv)
		}
	}
	for _, p := range b.payments.live() {
		if glob(f.BusinessID, p.businessID()) {
			p.modified = now
			return b.personPayment(f, p)
		}
	}
	for _, n := range b.notes.live() {
		if glob(f.BusinessID, n.businessID()) {
			n.modified = now
			return b.personNote(f, n)
		}
	}
	for _, c := range b.contacts.live() {
		if glob(f.BusinessID, c.businessID()) {
			c.modified = now
			return b.personContact(f, c)
		}
	}
	return fmt.Errorf("injecting a fault: organisation %s has no document %q", b.org.ID, f.BusinessID)
}

// glob matches text against a pattern in which * stands for any characters.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for rest != "" {
		var part string
		part, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
