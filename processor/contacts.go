package processor

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

const (
	contactLocalTTL  = 10 * time.Minute // in this process
	contactLocalMost = 50_000           // ids held in this process: a few MiB
	cacheContacts    = "contact"
)

// contactCache keeps what is known of contacts in this process, in front of Redis.
type contactCache struct {
	clock Clock
	mu    sync.Mutex
	known map[string]cachedContact
}

type cachedContact struct {
	*contactRecord // never changed: another state is another record
	until          time.Time
}

func newContactCache(c Clock) *contactCache {
	return &contactCache{clock: c, known: make(map[string]cachedContact)}
}

func (c *contactCache) get(key string) *contactRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[key]
	if !ok || c.clock.Now().After(e.until) {
		return nil
	}
	return e.contactRecord
}

func (c *contactCache) set(key string, r *contactRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= contactLocalMost {
		clear(c.known)
	}
	c.known[key] = cachedContact{r, c.clock.Now().Add(contactLocalTTL)}
}

func (c *contactCache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
}

// contact finds or creates the contact of the order's customer and keeps it in step with the event: from the caches, else under a claim
// of its own, so that two orders of one new customer make one contact. An unchanged customer costs no call.
func (a *attempt) contact() (string, *ending) {
	party, currency := &a.order.Customer, a.order.Currency
	key := contactKey(party, currency)
	at, raw := unixMilli(a.OccurredAt), a.customerHash()
	if known := a.tenant.contacts.get(key); known != nil && known.Sent != nil && (raw == known.Raw && at <= known.At || at < known.At) {
		return known.ID, nil
	}
	cached, err := a.p.claims.Raise(a.ctx, a.Organization, cacheContacts, key, raw, at, a.p.cfg.Retention)
	if err != nil {
		return "", a.storeAway(err)
	}
	known := cachedRecord(cached)
	if known != nil && known.Sent != nil && (raw == known.Raw || at < known.At) { // as before, or older: no need to plan
		a.tenant.contacts.set(key, known)
		return known.ID, nil
	}
	plan := planContact(party, currency, a.tenant.org(), a.OccurredAt)
	if known == nil {
		var end *ending
		if known, end = a.claimContact(&plan); end != nil {
			return "", end
		}
		if known.Sent != nil && raw == known.Raw && at == known.At { // it was made of this event
			return known.ID, nil
		}
	}
	return a.keepInStep(known, &plan)
}

// rememberContact puts what is known of a contact into the caches. In Redis it stays for as long as its claim, which does not say of the
// events that changed nothing when they were. A contact that is gone is found out by its refusal.
func (a *attempt) rememberContact(key string, known *contactRecord) *ending {
	if err := a.p.claims.Store(a.ctx, a.Organization, cacheContacts, key, known.stamped(), a.p.cfg.Retention); err != nil {
		return a.storeAway(err)
	}
	a.tenant.contacts.set(key, known)
	return nil
}

// forgetContact drops a contact that Zoho says is not there any more.
func (a *attempt) forgetContact(party *schemas.Party, currency string) *ending {
	key := contactKey(party, currency)
	a.tenant.contacts.drop(key)
	a.w.contactRevision = a.p.clock.Now().UnixMilli() // newer than the claim that made the contact that's gone
	if err := a.p.claims.Store(a.ctx, a.Organization, cacheContacts, key, Stamped{}, 0); err != nil {
		return a.storeAway(err)
	}
	return nil
}

// claimCustomer asks for a contact's claim, whose data is the contact's record. The claim's id is the contact's key without
// its role.
func (a *attempt) claimCustomer(key string, revision int64) (*ClaimHandle, *ClaimAnswer, error) {
	ref := ClaimRef{RoleCustomer, strings.TrimPrefix(key, "customer:")}
	h := &ClaimHandle{Organization: a.Organization, Ref: ref, Token: rand.Text(), EpochID: a.epoch.ID, Lease: a.p.cfg.Lease}
	ans, err := a.p.claims.Claim(a.ctx, &ClaimRequest{
		Organization: a.Organization, Ref: ref, Token: h.Token, Coordinates: h.Token, Revision: revision, Lease: h.Lease, EpochID: h.EpochID,
	})
	return h, ans, err
}

// busyWith parks while somebody else is at work on the contact.
func (a *attempt) busyWith(h *ClaimHandle, ans *ClaimAnswer) *ending {
	end := a.busy(ans)
	end.park.Keys = []string{h.Ref.FreeKey(a.Organization), h.Ref.WakeKey(a.Organization)}
	return end
}

// claimContact creates the contact, or finds it, under its claim.
func (a *attempt) claimContact(plan *contactPlan) (*contactRecord, *ending) {
	h, ans, err := a.claimCustomer(plan.Key, a.w.contactRevision)
	if err != nil {
		return nil, a.storeAway(err)
	}
	switch ans.State {
	case ClaimBusy:
		return nil, a.busyWith(h, ans)
	case ClaimDone:
		if known := readContactRecord(ans.Entry.Data, ans.Entry.Revision); known != nil {
			return known, nil
		}
		return nil, &ending{reject: &Rejection{Class: "exhausted", Retryable: "after-fix",
			Message: "the claim of the contact " + plan.Key + " says it's there but names none"}}
	}
	renewal := a.renewLater(h) // the budget may keep the call waiting for longer than the lease
	made, refused, end := a.createContact(h, plan, ans)
	renewal.stop()
	if end != nil {
		if refused {
			if err := a.p.claims.Answered(a.ctx, h, nil); err != nil {
				a.p.log.Debug("claim keeps its mark", "error", err.Error(), "organization", a.Organization)
			}
		}
		if err := a.p.claims.Release(a.ctx, h); err != nil && !errors.Is(err, ErrLost) {
			a.p.log.Debug("claim not released", "error", err.Error(), "organization", a.Organization)
		}
		return nil, end
	}
	made.Rev = a.w.contactRevision
	if err := a.p.claims.Store(a.ctx, a.Organization, cacheContacts, plan.Key, made.stamped(), a.p.cfg.Retention); err != nil {
		return nil, a.storeAway(err)
	}
	if err := a.p.claims.Finish(a.ctx, h, &ClaimFinish{State: "done", Data: made.encode(), Retention: a.p.cfg.Retention}); err != nil {
		return nil, a.storeAway(err)
	}
	a.tenant.contacts.set(plan.Key, made)
	a.p.wake(h.Ref.WakeKey(a.Organization))
	return made, nil
}

// createContact creates the contact, or finds the one that an earlier attempt, another system or a person made. Names are
// unique in Zoho (3062): a contact of the same name is adopted if it's plainly the same customer, else ours gets a suffix.
// What is in a contact that was found is not known. refused says that no write of it is in doubt.
func (a *attempt) createContact(h *ClaimHandle, plan *contactPlan, ans *ClaimAnswer) (_ *contactRecord, refused bool, _ *ending) {
	req := *plan.Request
	names := []string{req.ContactName, suffixedName(req.ContactName, plan.Key)}
	waited, end := a.refusedBefore(stepContact)
	if end != nil {
		return nil, true, end
	}
	if waited != nil || ans.State == ClaimInDoubt || a.forgotten() {
		if end := a.settledSince(ans.Entry.Since); end != nil {
			return nil, waited != nil, end
		}
		for _, name := range names {
			id, taken, end := a.findContact(plan, name)
			if end != nil || id != "" {
				return &contactRecord{ID: id}, waited != nil, end
			}
			if !taken { // then ours can't have gone on to the next name
				break
			}
		}
	}
	if waited != nil {
		return nil, true, &ending{reject: waited}
	}
	for _, name := range names {
		req.ContactName = name
		made, clash, end := a.postContact(h, &req)
		if made != nil {
			return &contactRecord{ID: made.ContactID, At: plan.At, Raw: plan.Raw, Sent: plan.sent(), Shown: shownBy(made)}, false, nil
		}
		if end != nil && !clash {
			return nil, end.reject != nil || end.park != nil && end.park.Reason != parkInDoubt, end
		}
		if id, _, end := a.findContact(plan, name); end != nil || id != "" {
			return &contactRecord{ID: id}, true, end
		}
	}
	if id, end := a.findByEmail(plan); end != nil || id != "" {
		return &contactRecord{ID: id}, true, end
	}
	return nil, true, a.refusedFor(stepContact, reject("rejected.books",
		"no free name for the contact %s: %q and its suffixed form are taken by other customers, and none of them has its key; "+
			"if it goes by another name in Zoho Books, give it this one there", plan.Key, plan.Request.ContactName))
}

// postContact makes the call; clash says that a contact of this name or key is there.
func (a *attempt) postContact(h *ClaimHandle, req *zohobooks.ContactRequest) (_ *zohobooks.Contact, clash bool, _ *ending) {
	r, err := a.reserve(a.class)
	if err != nil {
		return nil, false, a.failed(stepContact, err)
	}
	defer r.Release()
	if err := a.p.claims.Sending(a.ctx, h, stepContact, nil, nil); err != nil {
		return nil, false, a.storeAway(err)
	}
	c, err := a.tenant.books.CreateContact(r.Attach(a.ctx), req)
	if err != nil {
		if dec := zohobooks.Verdict(err); dec.Action == zohobooks.ActionAlreadyExists {
			return nil, true, nil
		}
		return nil, false, a.failed(stepContact, err)
	}
	a.went(true)
	return c, false, nil
}

// findByEmail finds the contact that carries this key under another name, as after a customer changed it: contacts can be
// searched by name and by e-mail, not by a custom field.
func (a *attempt) findByEmail(plan *contactPlan) (string, *ending) {
	if len(plan.Request.ContactPersons) == 0 || plan.Request.ContactPersons[0].Email == "" {
		return "", nil
	}
	var rows []zohobooks.Contact
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindContactsByEmail(ctx, plan.Request.ContactPersons[0].Email)
		return err
	}); err != nil {
		return "", a.failed(stepContact, err)
	}
	for i := range rows {
		if c, key, end := a.keyed(&rows[i]); end != nil || key == plan.Key {
			return c.ContactID, end
		}
	}
	return "", nil
}

// keyed is the contact of a list row with its key; the row may leave custom fields out.
func (a *attempt) keyed(row *zohobooks.Contact) (*zohobooks.Contact, string, *ending) {
	field := a.tenant.org().Fields.Contact.Key
	key, answered := row.Field(field)
	if answered {
		return row, key, nil
	}
	var full *zohobooks.Contact
	if err := a.read(func(ctx context.Context) (err error) {
		full, err = a.tenant.books.GetContact(ctx, row.ContactID)
		return err
	}); err != nil {
		return row, "", a.failed(stepContact, err)
	}
	return full, fieldOf(full, field), nil
}

// findContact looks a contact up by its name (Zoho has no filter by custom field for contacts) and decides by the key in
// it. One without a key is adopted when e-mail, currency and tax number agree; it gets no key, for it may have a person's
// own value there. taken says that the name is another customer's.
func (a *attempt) findContact(plan *contactPlan, name string) (id string, taken bool, _ *ending) {
	var rows []zohobooks.Contact
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindContactsByName(ctx, name)
		return err
	}); err != nil {
		return "", false, a.failed(stepContact, err)
	}
	for i := range rows {
		c, key, end := a.keyed(&rows[i])
		switch {
		case end != nil:
			return "", false, end
		case key == plan.Key:
			return c.ContactID, false, nil
		case key == "" && sameCustomer(c, plan.Request):
			return c.ContactID, false, nil
		}
	}
	return "", len(rows) > 0, nil
}

// sameCustomer says whether a contact that booksync did not make is plainly this customer.
func sameCustomer(c *zohobooks.Contact, req *zohobooks.ContactRequest) bool {
	var email string
	if len(req.ContactPersons) > 0 {
		email = req.ContactPersons[0].Email
	}
	return c.ContactType != "vendor" && c.Status != "inactive" &&
		email != "" && strings.EqualFold(c.Email, email) &&
		(c.CurrencyID == "" || req.CurrencyID == "" || c.CurrencyID == req.CurrencyID) &&
		c.VATRegNo == req.VATRegNo && c.GSTNo == req.GSTNo && c.TaxRegNo == req.TaxRegNo
}

func (a *attempt) settledSince(since time.Time) *ending {
	ready := since.Add(a.p.cfg.SettleDelay)
	if since.IsZero() || !a.p.clock.Now().Before(ready) {
		return nil
	}
	return &ending{park: &Park{Until: ready, Reason: parkInDoubt}}
}
