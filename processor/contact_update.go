package processor

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// keepInStep brings a contact up to what the event says of the customer, and returns its id. Nothing changed: no call. While
// somebody else updates the contact, and after trouble that may pass, the order waits as it would with its invoice: the customer
// may have no further order to make good for it. A refusal is named in the outcome and not tried again until the customer
// changes once more, and trouble that doesn't pass keeps no order from its invoice.
func (a *attempt) keepInStep(known *contactRecord, plan *contactPlan) (string, *ending) {
	for range 3 { // what another replica has done meanwhile is looked at anew
		h, ans, err := a.claimCustomer(plan.Key, known.Rev+1)
		if err != nil {
			return "", a.storeAway(err)
		}
		switch ans.State {
		case ClaimBusy:
			return "", a.busyWith(h, ans)
		case ClaimDone:
			newer := readContactRecord(ans.Entry.Data, ans.Entry.Revision)
			if newer == nil || newer.ID != known.ID {
				return known.ID, nil
			}
			known = newer
			continue
		}
		return a.updateClaimed(h, ans, known, plan)
	}
	return "", a.parkFor(parkBackOff, a.p.cfg.BackOff)
}

// updateClaimed is keepInStep under the contact's claim. While it works on the contact the cache agrees with no event: one that
// says what the last one said can't pass by unseen.
func (a *attempt) updateClaimed(h *ClaimHandle, ans *ClaimAnswer, known *contactRecord, plan *contactPlan) (string, *ending) {
	release := func() {
		if err := a.p.claims.Release(a.ctx, h); err != nil && !errors.Is(err, ErrLost) {
			a.p.log.Debug("claim not released", "error", err.Error(), "organization", a.Organization)
		}
	}
	held, err := a.p.claims.Hold(a.ctx, a.Organization, cacheContacts, plan.Key)
	if err != nil {
		release()
		return "", a.storeAway(err)
	}
	if cached := cachedRecord(held); cached != nil && cached.ID == known.ID {
		at := max(known.At, cached.At)
		if cached.Rev >= known.Rev {
			known = cached
		}
		known = known.seen(at, known.Raw)
	}
	inDoubt := ans.State == ClaimInDoubt
	if over := ans.Entry.Since.Add(a.p.cfg.WriteHorizon); inDoubt && a.p.clock.Now().Before(over) && !writes(pendingOf(ans), plan.sent()) {
		release() // the earlier update may still land: a later one that says something else would lie under it
		end := a.busyWith(h, ans)
		end.park.Until, end.park.Reason = over, parkInDoubt
		return "", end
	}
	if !inDoubt && !known.changed(plan) {
		if plan.At >= known.At {
			known = known.seen(plan.At, plan.Raw)
		}
		end := a.rememberContact(plan.Key, known)
		release()
		return known.ID, end
	}
	renewal := a.renewLater(h)
	now, end := a.compareContact(h, ans, known, plan)
	renewal.stop()
	switch {
	case end != nil && end.reject == nil:
		release()
		return "", end
	case end != nil && now == nil: // it could not be read, time and again
		release()
		a.outOfStep(end.reject)
		return known.ID, nil
	case end != nil: // refused
		a.outOfStep(end.reject)
		if err := a.p.claims.Answered(a.ctx, h, nil); err != nil {
			release()
			return "", a.storeAway(err)
		}
	}
	now.Rev = known.Rev + 1
	if err := a.p.claims.Finish(a.ctx, h, &ClaimFinish{State: "done", Data: now.encode(), Retention: a.p.cfg.Retention}); err != nil {
		return "", a.storeAway(err)
	}
	return now.ID, a.rememberContact(plan.Key, now)
}

// outOfStep goes on with the order although its contact could not be brought up to date. What failed so far was not the order's.
func (a *attempt) outOfStep(r *Rejection) {
	a.result.Remark = "the contact was not updated: " + r.Message
	a.w.attempts, a.w.failures, a.w.failedAt = 0, 0, time.Time{}
}

// writes reports whether an update whose hashes are pending writes what another one would.
func writes(pending, want hashes) bool {
	for part, h := range want {
		if pending[part] != h {
			return false
		}
	}
	return true
}

// compareContact reads the contact and writes what the event changes, but for what a person has edited since booksync wrote
// it. With an ending beside the record the write was refused; without a record nothing is known to have changed.
func (a *attempt) compareContact(h *ClaimHandle, ans *ClaimAnswer, known *contactRecord, plan *contactPlan) (*contactRecord, *ending) {
	var shows *zohobooks.Contact
	if err := a.read(func(ctx context.Context) (err error) {
		shows, err = a.tenant.books.GetContact(ctx, known.ID)
		return err
	}); err != nil {
		return nil, a.failed("reading the contact", err)
	}
	d := diffContact(known, pendingOf(ans), plan, shows, a.tenant.org().Fields.Contact.Origin)
	if len(d.kept) > 0 {
		a.p.log.Info("contact keeps what a person wrote", "organization", a.Organization, "contact_id", known.ID, "parts", strings.Join(d.kept, " "))
	}
	if len(d.write) == 0 {
		return d.after, nil
	}
	answer, end := a.putContact(h, plan, d, shows)
	if end != nil {
		if end.reject != nil {
			return d.after, end
		}
		return nil, end
	}
	got := shownBy(answer)
	for _, part := range d.write {
		d.after.Shown[part] = got[part]
	}
	return d.after, nil
}

// putContact makes the call.
func (a *attempt) putContact(h *ClaimHandle, plan *contactPlan, d contactDiff, shows *zohobooks.Contact) (*zohobooks.Contact, *ending) {
	r, err := a.reserve(a.class)
	if err != nil {
		return nil, a.failed(stepContactUpdate, err)
	}
	defer r.Release()
	pending, err := json.Marshal(d.after.Sent)
	if err != nil {
		panic("contact hashes: " + err.Error()) // texts: cannot fail
	}
	if err := a.p.claims.Sending(a.ctx, h, stepContactUpdate, pending, nil); err != nil {
		return nil, a.storeAway(err)
	}
	answer, err := a.tenant.books.UpdateContact(r.Attach(a.ctx), d.after.ID, updateRequest(plan, d, shows, a.tenant.org()))
	if err != nil {
		return nil, a.failed(stepContactUpdate, err)
	}
	a.went(true)
	return answer, nil
}

// pendingOf are the hashes of an update in doubt: what shows them was written by it.
func pendingOf(ans *ClaimAnswer) hashes {
	var pending hashes
	if ans.State != ClaimInDoubt || json.Unmarshal(ans.Entry.Steps, &pending) != nil {
		return nil
	}
	return pending
}

// contactDiff is what an event changes of a contact: the parts to write, those that a person's edit keeps, and the record
// once that is done.
type contactDiff struct {
	write, kept []string
	after       *contactRecord
}

// diffContact compares what the event says with what booksync knows and what Zoho shows. Pure.
func diffContact(known *contactRecord, pending hashes, plan *contactPlan, shows *zohobooks.Contact, originField string) contactDiff {
	shown, want := shownBy(shows), plan.sent()
	sent, at, ours := known.Sent, known.At, true
	if sent == nil { // Redis has forgotten: the contact itself says what was written
		var written int64
		sent, written, ours = readContactOrigin(fieldOf(shows, originField))
		at = max(at, written)
	}
	after := &contactRecord{ID: known.ID, At: max(at, plan.At), Raw: plan.Raw, Sent: make(hashes), Shown: make(hashes)}
	maps.Copy(after.Sent, sent)
	maps.Copy(after.Shown, known.Shown)
	d := contactDiff{after: after}
	if plan.At < at {
		after.Raw = known.Raw
		return d
	}
	for _, part := range slices.Sorted(maps.Keys(want)) {
		h, is, was := want[part], shown[part], sent[part]
		if was == h {
			continue
		}
		after.Sent[part] = h
		last, wrote := known.Shown[part]
		if !wrote {
			last = was
		}
		switch {
		case is == h:
			after.Shown[part] = is
		case !ours: // a person made the contact; what it lacks may be filled in by a later change
			after.Shown[part] = strings.Repeat("-", partHash)
			if is == "" {
				after.Shown[part] = ""
			}
		case is == last, pending != nil && is == pending[part]:
			d.write = append(d.write, part)
		default:
			d.kept = append(d.kept, part)
			after.Shown[part] = last
		}
	}
	return d
}

// updateRequest carries the parts to write, whole. Persons are replaced as a list, so that those a person added are sent
// back as they are.
func updateRequest(plan *contactPlan, d contactDiff, shows *zohobooks.Contact, org *Organization) *zohobooks.ContactRequest {
	full := plan.Request
	req := &zohobooks.ContactRequest{}
	if field := org.Fields.Contact.Origin; field != "" {
		req.CustomFields = []zohobooks.CustomField{{APIName: field, Value: contactOrigin(d.after.Sent, d.after.At)}}
	}
	person, persons := primaryOf(shows), false
	for _, part := range d.write {
		switch part {
		case partCompany:
			req.CompanyName = full.CompanyName
		case partNumber:
			req.VATRegNo, req.GSTNo, req.TaxRegNo = full.VATRegNo, full.GSTNo, full.TaxRegNo
		case partTreatment:
			req.GSTTreatment, req.VATTreatment, req.TaxTreatment = full.GSTTreatment, full.VATTreatment, full.TaxTreatment
			req.PlaceOfContact, req.CountryCode = full.PlaceOfContact, full.CountryCode
		case partBilling:
			req.BillingAddress = full.BillingAddress.Replacing()
		case partShipping:
			req.ShippingAddress = full.ShippingAddress.Replacing()
		case partPerson:
			person.FirstName, person.LastName, persons = full.ContactPersons[0].FirstName, full.ContactPersons[0].LastName, true
		case partEmail:
			person.Email, persons = full.ContactPersons[0].Email, true
		case partPhone:
			person.Phone, persons = full.ContactPersons[0].Phone, true
		}
	}
	if persons {
		person.Primary = true
		req.ContactPersons = []zohobooks.ContactPerson{person}
		for _, other := range shows.ContactPersons {
			if !other.Primary {
				req.ContactPersons = append(req.ContactPersons, other)
			}
		}
	}
	return req
}
