package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Claim asks for a claim and the leases of the orders named, in one round trip. It does not wait for anybody. Errors: ErrEpochChanged, ErrUnreadable (nothing was taken), or trouble with
// Redis; then it is unknown whether the claim was taken (and the step marked), and the same request may be repeated with the same token: a step that was
// marked is in doubt then.
func (s *Claims) Claim(ctx context.Context, req ClaimRequest) (ClaimAnswer, error) {
	if err := checkClaim(req); err != nil {
		return ClaimAnswer{}, fmt.Errorf("claiming %s %s: %w", req.Ref.Role, req.Ref.ID, err)
	}
	k := keysOf(req.Organization)
	orders := distinct(req.Orders)
	announce := distinct(req.Announce)
	keys := make([]string, 0, 4+2*len(orders)+len(announce)+2*len(req.Needs))
	keys = append(keys, k.epoch(), k.claim(req.Ref), k.waiters(req.Ref))
	// refs are what the script's indexes mean: the claim, the orders, the needs.
	refs := []Ref{req.Ref}
	for _, o := range orders {
		r := Ref{RoleOrder, o}
		refs = append(refs, r)
		keys = append(keys, k.claim(r), k.waiters(r))
	}
	for _, o := range announce {
		keys = append(keys, k.pending(o))
	}
	for _, r := range req.Needs {
		refs = append(refs, r)
		keys = append(keys, k.claim(r), k.waiters(r))
	}
	if req.ListPending {
		keys = append(keys, k.pending(orders[0]))
	}
	announced := []byte("[]")
	if len(announce) > 0 {
		var err error
		if announced, err = json.Marshal(announce); err != nil {
			return ClaimAnswer{}, fmt.Errorf("encoding announced orders: %w", err)
		}
	}
	mark := ""
	if req.Step != "" {
		mark = s.c.nextMark()
	}
	v, err := s.c.run(ctx, claimScript, keys,
		req.EpochID, s.c.seen(req.Organization, req.EpochID), req.Token, s.lease(req.Lease), req.Coordinates, req.Fingerprint, padded(req.Revision),
		flag(req.Replay), req.Ref.ID, millis(s.cfg.WaiterTTL), millis(s.cfg.Retention), millis(s.cfg.Grace),
		len(orders), len(announce), len(req.Needs), flag(req.ListPending), announced,
		req.Step, req.Steps, mark)
	if err == nil {
		err = s.c.note(req.Organization, req.EpochID, v, 3)
	}
	if err == nil {
		err = verdictOf(v)
	}
	if err != nil {
		return ClaimAnswer{}, fmt.Errorf("claiming %s %s: %w", req.Ref.Role, req.Ref.ID, err)
	}
	return readAnswer(v, refs), nil
}

// Sending marks that a write is about to leave: after it the claim is in doubt until it is finished, answered, or taken over. It stores the caller's account
// of the steps (nil keeps it), renews the leases and answers Redis time. Errors: ErrLost, ErrEpochChanged, trouble with Redis; then nothing may be sent.
func (s *Claims) Sending(ctx context.Context, h Handle, step string, steps []byte) (time.Time, error) {
	if step == "" {
		return time.Time{}, fmt.Errorf("marking %s %s as sending: no step is named", h.Ref.Role, h.Ref.ID)
	}
	return s.mark(ctx, h, step, steps, nil)
}

// Intend is Sending that also writes the data of orders of the handle, as it will be if the write succeeds: who plans on such an order while the write is in
// doubt counts on it.
func (s *Claims) Intend(ctx context.Context, h Handle, step string, steps []byte, orders map[string][]byte) (time.Time, error) {
	if step == "" {
		return time.Time{}, fmt.Errorf("marking %s %s as sending: no step is named", h.Ref.Role, h.Ref.ID)
	}
	return s.mark(ctx, h, step, steps, orders)
}

// Answered takes the mark of Sending back: how the write ended is known (it was refused, or steps tells that it was done), so nothing is in doubt and
// Release may restore what was there before. It renews the leases. Errors as for Sending.
func (s *Claims) Answered(ctx context.Context, h Handle, steps []byte) error {
	_, err := s.mark(ctx, h, "", steps, nil)
	return err
}

func (s *Claims) mark(ctx context.Context, h Handle, step string, steps []byte, orders map[string][]byte) (time.Time, error) {
	args := []any{
		h.EpochID, s.c.seen(h.Organization, h.EpochID), h.Token, s.lease(h.Lease), step, flag(steps != nil), steps,
		millis(s.cfg.Retention), s.c.nextMark(), millis(s.cfg.Grace),
	}
	const firstOrder = 3 // KEYS before it: epoch, claim
	for i, order := range distinct(h.Orders) {
		if data, ok := orders[order]; ok {
			args = append(args, firstOrder+i, data)
		}
	}
	v, err := s.change(ctx, sendingScript, h, s.held(h), args...)
	if err != nil {
		return time.Time{}, fmt.Errorf("marking step %q of %s %s: %w", step, h.Ref.Role, h.Ref.ID, err)
	}
	return timeOf(v[1]), nil
}

// Renew prolongs the leases of the claim and its orders from now. Errors: ErrLost, ErrEpochChanged, trouble with Redis.
func (s *Claims) Renew(ctx context.Context, h Handle) error {
	_, err := s.change(ctx, renewScript, h, s.held(h),
		h.EpochID, s.c.seen(h.Organization, h.EpochID), h.Token, s.lease(h.Lease), millis(s.cfg.Grace))
	if err != nil {
		return fmt.Errorf("renewing %s %s: %w", h.Ref.Role, h.Ref.ID, err)
	}
	return nil
}

// Release gives back what the attempt holds, for parking or leaving. What was settled before stays settled, a marked write stays in doubt, a claim that holds
// nothing is removed. Who waits for what is free now is woken. Released again, or with nothing held any more, it answers nil; ErrLost if another attempt holds
// the claim (leases of orders that are still ours are given back all the same).
func (s *Claims) Release(ctx context.Context, h Handle) error {
	k := keysOf(h.Organization)
	orders := distinct(h.Orders)
	keys := []string{k.epoch(), k.claim(h.Ref), k.waiters(h.Ref)}
	args := []any{h.EpochID, s.c.seen(h.Organization, h.EpochID), h.Token, k.wake(), h.Ref.FreeKey(h.Organization)}
	for _, o := range orders {
		r := Ref{RoleOrder, o}
		keys = append(keys, k.claim(r), k.waiters(r))
		args = append(args, r.FreeKey(h.Organization))
	}
	if _, err := s.change(ctx, releaseScript, h, keys, args...); err != nil {
		return fmt.Errorf("releasing %s %s: %w", h.Ref.Role, h.Ref.ID, err)
	}
	return nil
}

// Finish settles the claim, changes the orders named and gives their leases back, in one step, and wakes who waits for any of them. Asked again with the same
// token it answers nil. Errors: ErrLost (nothing was changed and nothing may be published), ErrEpochChanged, trouble with Redis (unknown: ask again).
func (s *Claims) Finish(ctx context.Context, h Handle, req FinishRequest) error {
	k := keysOf(h.Organization)
	orders := distinct(h.Orders)
	if err := checkFinish(orders, req); err != nil {
		return fmt.Errorf("finishing %s %s: %w", h.Ref.Role, h.Ref.ID, err)
	}
	retention := req.Retention
	setDefault(&retention, s.cfg.Retention)
	keys := []string{k.epoch(), k.claim(h.Ref), k.waiters(h.Ref)}
	args := []any{h.EpochID, s.c.seen(h.Organization, h.EpochID), h.Token, req.State, req.Outcome, flag(req.Steps != nil), req.Steps,
		flag(req.Data != nil), req.Data, millis(retention), h.Ref.ID, k.wake(), h.Ref.WakeKey(h.Organization), k.pendingPrefix()}
	for _, o := range orders {
		r := Ref{RoleOrder, o}
		keys = append(keys, k.claim(r), k.waiters(r), k.pending(o))
		u := req.Orders[o]
		revision := ""
		if u.Revision > 0 {
			revision = padded(u.Revision)
		}
		args = append(args, r.WakeKey(h.Organization), flag(u.Data != nil), u.Data, revision, flag(u.Done))
	}
	if _, err := s.change(ctx, finishScript, h, keys, args...); err != nil {
		return fmt.Errorf("finishing %s %s: %w", h.Ref.Role, h.Ref.ID, err)
	}
	return nil
}

// Lookup reads claims without taking anything, in the order asked.
func (s *Claims) Lookup(ctx context.Context, org string, refs ...Ref) ([]Entry, error) {
	if err := checkOrganization(org); err != nil {
		return nil, fmt.Errorf("looking up claims: %w", err)
	}
	if len(refs) == 0 {
		return nil, nil
	}
	k := keysOf(org)
	keys := make([]string, len(refs))
	for i, r := range refs {
		keys[i] = k.claim(r)
	}
	v, err := s.c.run(ctx, lookupScript, keys)
	if err != nil {
		return nil, fmt.Errorf("looking up claims: %w", err)
	}
	entries := make([]Entry, len(v))
	for i := range v {
		entries[i] = readEntry(listOf(v[i]))
	}
	return entries, nil
}

func (s *Claims) change(ctx context.Context, script *script, h Handle, keys []string, args ...any) ([]any, error) {
	if err := errors.Join(checkOrganization(h.Organization), checkRef(h.Ref)); err != nil {
		return nil, err
	}
	if h.Token == "" {
		return nil, errors.New("token is empty")
	}
	v, err := s.c.run(ctx, script, keys, args...)
	if err != nil {
		return nil, err
	}
	if err := s.c.note(h.Organization, h.EpochID, v, 2); err != nil {
		return nil, err
	}
	return v, verdictOf(v)
}

// held gives the keys of the epoch, the claim and the orders of a handle.
func (s *Claims) held(h Handle) []string {
	k := keysOf(h.Organization)
	keys := []string{k.epoch(), k.claim(h.Ref)}
	for _, o := range distinct(h.Orders) {
		keys = append(keys, k.order(o))
	}
	return keys
}

func (s *Claims) lease(d time.Duration) int64 {
	setDefault(&d, s.cfg.Lease)
	return max(1, millis(d))
}

func verdictOf(v []any) error {
	if len(v) == 0 {
		return errors.New("the script's answer is empty")
	}
	switch textOf(v[0]) {
	case "epoch":
		return ErrEpochChanged
	case "lost":
		return ErrLost
	case "unreadable":
		return ErrUnreadable
	}
	return nil
}

func checkClaim(req ClaimRequest) error {
	errs := []error{checkOrganization(req.Organization), checkRef(req.Ref)}
	if req.Token == "" {
		errs = append(errs, errors.New("token is empty"))
	}
	if req.Revision < 0 {
		errs = append(errs, fmt.Errorf("revision %d is negative", req.Revision))
	}
	for _, r := range req.Needs {
		errs = append(errs, checkRef(r))
	}
	if slices.Contains(req.Orders, "") || slices.Contains(req.Announce, "") {
		errs = append(errs, errors.New("an order id is empty"))
	}
	if req.ListPending && len(req.Orders) == 0 {
		errs = append(errs, errors.New("pending payments are asked for without an order"))
	}
	return errors.Join(errs...)
}

func checkFinish(orders []string, req FinishRequest) error {
	if req.State != StateDone && req.State != StateRejected {
		return fmt.Errorf("state %q is neither %s nor %s", req.State, StateDone, StateRejected)
	}
	for o, u := range req.Orders {
		if !slices.Contains(orders, o) {
			return fmt.Errorf("order %s is to be changed without its lease", o)
		}
		if u.Revision < 0 {
			return fmt.Errorf("revision %d of order %s is negative", u.Revision, o)
		}
	}
	return nil
}

// padded writes a revision so that scripts can compare it as text: Lua's numbers hold only 53 bits.
func padded(revision int64) string { return fmt.Sprintf("%019d", revision) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// distinct drops repeated ids and keeps the order.
func distinct(ids []string) []string {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			var out []string
			for _, id := range ids {
				if !slices.Contains(out, id) {
					out = append(out, id)
				}
			}
			return out
		}
	}
	return ids
}
