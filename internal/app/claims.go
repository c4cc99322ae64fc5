package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
)

// claims gives the job the claims in Redis. It's a translation: the connector and the job don't know each other.
type claims struct {
	client *redis.Client
	claims *redis.Claims
	admin  *kafka.Admin
	topics []string

	mu     sync.Mutex
	epochs map[string]*processor.Epoch
	mark   string               // of all organisations' epochs
	orgs   []string             // those, sorted
	met    map[witness]struct{} // found in Redis
}

// witness is what a commit says of the changes in Redis that its results rest on, for one organisation.
type witness struct{ organization, text string }

// maxMet bounds the witnesses that are remembered; one that was forgotten is asked for again.
const maxMet = 10_000

// Claim implements processor.Claims.
func (c *claims) Claim(ctx context.Context, req *processor.ClaimRequest) (*processor.ClaimAnswer, error) {
	ans, err := c.claims.Claim(ctx, redis.ClaimRequest{
		Organization: req.Organization, Ref: refTo(req.Ref), Token: req.Token, Coordinates: req.Coordinates,
		Fingerprint: req.Fingerprint, Revision: req.Revision, Replay: req.Replay, Orders: req.Orders, Needs: refsTo(req.Needs),
		Announce: req.Announce, ListPending: req.ListPending, Lease: req.Lease, EpochID: req.EpochID,
		Step: req.Step, Steps: req.Steps,
	})
	if err != nil {
		return nil, claimError(err)
	}
	out := &processor.ClaimAnswer{
		Entry: entryFrom(ans.Entry), BusyUntil: ans.BusyUntil, Now: ans.Now, Pending: ans.Pending,
		State: claimStates[ans.State], Marked: ans.Marked, Orders: make(map[string]processor.ClaimEntry, len(ans.Orders)),
	}
	if out.State == "" {
		return nil, fmt.Errorf("claiming: unknown state %q", ans.State)
	}
	for id, e := range ans.Orders {
		out.Orders[id] = entryFrom(e)
	}
	for _, r := range ans.WaitingFor {
		out.WaitingFor = append(out.WaitingFor, processor.ClaimRef{Role: processor.Role(r.Role), ID: r.ID})
	}
	return out, nil
}

var claimStates = map[redis.ClaimState]processor.ClaimState{
	redis.Claimed: processor.ClaimClaimed, redis.Busy: processor.ClaimBusy, redis.Waiting: processor.ClaimWaiting,
	redis.InDoubt: processor.ClaimInDoubt, redis.Done: processor.ClaimDone, redis.Rejected: processor.ClaimRejected,
}

// Sending implements processor.Claims.
func (c *claims) Sending(ctx context.Context, h *processor.ClaimHandle, step string, steps []byte, orders map[string][]byte) error {
	_, err := c.claims.Intend(ctx, handleTo(h), step, steps, orders)
	return claimError(err)
}

// Answered implements processor.Claims.
func (c *claims) Answered(ctx context.Context, h *processor.ClaimHandle, steps []byte) error {
	return claimError(c.claims.Answered(ctx, handleTo(h), steps))
}

// Renew implements processor.Claims.
func (c *claims) Renew(ctx context.Context, h *processor.ClaimHandle) error {
	return claimError(c.claims.Renew(ctx, handleTo(h)))
}

// Release implements processor.Claims.
func (c *claims) Release(ctx context.Context, h *processor.ClaimHandle) error {
	return claimError(c.claims.Release(ctx, handleTo(h)))
}

// Finish implements processor.Claims.
func (c *claims) Finish(ctx context.Context, h *processor.ClaimHandle, f *processor.ClaimFinish) error {
	req := redis.FinishRequest{State: f.State, Outcome: f.Outcome, Steps: f.Steps, Data: f.Data, Retention: f.Retention}
	if len(f.Orders) > 0 {
		req.Orders = make(map[string]redis.OrderUpdate, len(f.Orders))
		for id, u := range f.Orders {
			req.Orders[id] = redis.OrderUpdate(u)
		}
	}
	return claimError(c.claims.Finish(ctx, handleTo(h), req))
}

// CacheGet implements processor.Claims.
func (c *claims) CacheGet(ctx context.Context, organization, kind, key string) ([]byte, error) {
	value, _, err := c.client.CacheGet(ctx, organization, kind, key)
	return value, err
}

// CacheSet implements processor.Claims.
func (c *claims) CacheSet(ctx context.Context, organization, kind, key string, value []byte, ttl time.Duration) error {
	return c.client.CacheSet(ctx, organization, kind, key, value, ttl)
}

// Raise implements processor.Claims.
func (c *claims) Raise(ctx context.Context, organization, kind, key, tag string, stamp int64, ttl time.Duration) (processor.Stamped, error) {
	s, err := c.client.Raise(ctx, organization, kind, key, tag, stamp, ttl)
	return processor.Stamped(s), err
}

// Hold implements processor.Claims.
func (c *claims) Hold(ctx context.Context, organization, kind, key string) (processor.Stamped, error) {
	s, err := c.client.Hold(ctx, organization, kind, key)
	return processor.Stamped(s), err
}

// Store implements processor.Claims.
func (c *claims) Store(ctx context.Context, organization, kind, key string, s processor.Stamped, ttl time.Duration) error {
	return c.client.Store(ctx, organization, kind, key, redis.Stamped(s), ttl)
}

// Epoch implements processor.Claims: the epoch in force, asked of Redis the first time and whenever a claim found another.
// Where Redis holds none it is written, with what Kafka says of this moment.
func (c *claims) Epoch(ctx context.Context, organization string, refresh bool) (*processor.Epoch, error) {
	c.mu.Lock()
	known := c.epochs[organization]
	c.mu.Unlock()
	if known != nil && !refresh {
		return known, nil
	}
	var facts redis.EpochFacts
	_, there, err := c.client.CurrentEpoch(ctx, organization)
	if err != nil {
		return nil, err
	}
	if !there || refresh {
		if facts.HasCommits, err = c.admin.HasCommits(ctx); err != nil {
			return nil, fmt.Errorf("asking for the group's commits: %w", err)
		}
		if facts.Ends, err = c.admin.Ends(ctx, c.topics...); err != nil {
			return nil, fmt.Errorf("asking for the topics' ends: %w", err)
		}
	}
	e, err := c.client.Epoch(ctx, organization, facts)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epochs[organization] = &processor.Epoch{ID: e.ID, Loss: e.Loss, Since: e.At, Ends: e.Ends}
	c.remark()
	return c.epochs[organization], nil
}

// remark makes the mark of all epochs anew; entries handed out before stay as they were. The lock is held.
func (c *claims) remark() {
	c.orgs = slices.Sorted(maps.Keys(c.epochs))
	ids := make([]string, len(c.orgs))
	for i, org := range c.orgs {
		ids[i] = org + "=" + c.epochs[org].ID
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
	c.mark = hex.EncodeToString(sum[:8])
	for org, e := range c.epochs {
		marked := *e
		marked.Mark = c.mark
		c.epochs[org] = &marked
	}
}

// epochMark is what commits name now: the mark of the epochs, this client and how many of its changes Redis has answered in each, by organisation.
// Whatever a commit settles rests on no more changes than those.
func (c *claims) epochMark() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mark == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(c.mark)
	for i, org := range c.orgs {
		client, number := c.client.Changes(org, c.epochs[org].ID)
		if i == 0 {
			b.WriteString(" " + client + " ")
		} else {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(number, 10))
	}
	return b.String()
}

// splitMark takes what a commit named apart: the mark of the epochs, and the rest. The end of it may have been cut off, which makes the last number smaller:
// less to be found, and nothing that is not there.
func splitMark(text string) (mark, changes string) {
	mark, changes, _ = strings.Cut(text, " ")
	return mark, changes
}

// Witness implements processor.Claims.
func (c *claims) Witness(ctx context.Context, organization, mark, changes string) error {
	if changes == "" {
		return nil
	}
	c.mu.Lock()
	e, i := c.epochs[organization], slices.Index(c.orgs, organization)
	w := witness{organization, changes}
	_, met := c.met[w]
	same := mark == c.mark // else it is of another epoch, of which is known that it was lost
	c.mu.Unlock()
	if met || !same || e == nil { // every claim asks, nearly always for what was met
		return nil
	}
	client, numbers, ok := strings.Cut(changes, " ")
	all := strings.Split(numbers, ",")
	if !ok || i >= len(all) {
		return nil
	}
	number, err := strconv.ParseInt(all[i], 10, 64)
	if err != nil || !strings.HasPrefix(client, "n:") {
		return nil //nolint:nilerr // nothing that booksync has written
	}
	there, err := c.client.Witness(ctx, organization, e.ID, client, number)
	switch {
	case err != nil:
		return claimError(err)
	case !there:
		return processor.ErrEpochChanged
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.met) >= maxMet || c.met == nil {
		c.met = make(map[witness]struct{})
	}
	c.met[w] = struct{}{}
	return nil
}

func claimError(err error) error {
	switch {
	case errors.Is(err, redis.ErrLost):
		return errors.Join(processor.ErrLost, err)
	case errors.Is(err, redis.ErrEpochChanged):
		return errors.Join(processor.ErrEpochChanged, err)
	case errors.Is(err, redis.ErrUnreadable):
		return errors.Join(processor.ErrUnreadable, err)
	}
	return err
}

func refTo(r processor.ClaimRef) redis.Ref { return redis.Ref{Role: string(r.Role), ID: r.ID} }

func refsTo(refs []processor.ClaimRef) []redis.Ref {
	out := make([]redis.Ref, len(refs))
	for i, r := range refs {
		out[i] = refTo(r)
	}
	return out
}

func handleTo(h *processor.ClaimHandle) redis.Handle {
	return redis.Handle{Organization: h.Organization, Ref: refTo(h.Ref), Token: h.Token, EpochID: h.EpochID, Orders: h.Orders, Lease: h.Lease}
}

func entryFrom(e redis.Entry) processor.ClaimEntry {
	return processor.ClaimEntry{
		Exists: e.Exists, State: e.State, Coordinates: e.Coordinates, Fingerprint: e.Fingerprint, Revision: e.Revision,
		Sending: processor.ClaimOrigin(e.Sending), Step: e.Step, Since: e.Since, Steps: e.Steps, Outcome: e.Outcome, Data: e.Data,
	}
}
