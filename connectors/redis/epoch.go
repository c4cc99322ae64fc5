package redis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrEpochChanged says that Redis holds another epoch than the caller's, or none, or is known to have lost its last writes: nothing was changed.
// The caller reads the log ends anew, calls Epoch again and starts the record over.
var ErrEpochChanged = errors.New("the epoch in redis is another: redis was emptied or lost writes")

// Epoch is the stretch of time in which Redis is known to have lost nothing.
type Epoch struct {
	// ID is random.
	ID string
	// Loss: an earlier epoch was lost, with what was in it. Every record below Ends is in doubt: look it up before writing.
	Loss bool
	// Ends are the log ends, by topic and partition, of the moment the epoch was written.
	Ends map[string]map[int32]int64
	// At is when it was written, Redis time.
	At time.Time
}

// InDoubt says whether a record may have been worked on before the loss.
func (e Epoch) InDoubt(topic string, partition int32, offset int64) bool {
	if !e.Loss {
		return false
	}
	end, known := e.Ends[topic][partition]
	return !known || offset < end
}

// EpochFacts is what the caller knows when Redis holds no epoch.
type EpochFacts struct {
	// HasCommits: the group has committed offsets, so this is no first start.
	HasCommits bool
	// Ends are the log ends of the topics, by topic and partition. Read them after it was noticed that the epoch is absent (CurrentEpoch,
	// ErrEpochChanged): ends read earlier would leave out records that were worked on under the lost one.
	Ends map[string]map[int32]int64
	// Known is an epoch the caller has met elsewhere, as in the metadata of a commit; empty if none. The client remembers those it met itself.
	Known string
}

// seenEpoch is an epoch and the number of this client's last change in it. Redis counts each client's changes by themselves: one count for all would
// be made up by the others' changes before this client asks again, and the loss of its last ones go unnoticed.
type seenEpoch struct {
	id       string
	sequence int64
	numbers  answered
}

// overdrawn is a number of changes that no epoch holds: naming it ends the epoch.
const overdrawn = 1 << 52

// CurrentEpoch reads the epoch without writing one; false when Redis holds none.
func (c *Client) CurrentEpoch(ctx context.Context, org string) (Epoch, bool, error) {
	if err := checkOrganization(org); err != nil {
		return Epoch{}, false, fmt.Errorf("reading the epoch: %w", err)
	}
	v, err := c.rdb.HMGet(ctx, keysOf(org).epoch(), "id", "loss", "ends", "at").Result()
	if err != nil {
		return Epoch{}, false, fmt.Errorf("reading the epoch: %w", err)
	}
	if v[0] == nil {
		return Epoch{}, false, nil
	}
	e, err := readEpoch(v)
	return e, err == nil, err
}

// Epoch answers the epoch in force, the same for every replica. When Redis holds none it writes one from the facts: a first start if the group has no
// commits and nobody remembers an epoch, a loss otherwise. If one client remembers an epoch and another has written a first start meanwhile, the
// first start is replaced by a loss.
func (c *Client) Epoch(ctx context.Context, org string, first EpochFacts) (Epoch, error) {
	if err := checkOrganization(org); err != nil {
		return Epoch{}, fmt.Errorf("establishing the epoch: %w", err)
	}
	ends, err := json.Marshal(first.Ends)
	if err != nil {
		return Epoch{}, fmt.Errorf("encoding log ends: %w", err)
	}
	known, _ := c.lastEpoch(org)
	if known == "" {
		known = first.Known
	}
	loss := "0"
	if first.HasCommits || known != "" {
		loss = "1"
	}
	v, err := c.run(ctx, epochScript, []string{keysOf(org).epoch()}, rand.Text(), loss, ends, known)
	if err != nil {
		return Epoch{}, fmt.Errorf("establishing the epoch: %w", err)
	}
	e, err := readEpoch(v)
	if err != nil {
		return Epoch{}, err
	}
	c.mu.Lock()
	if s := c.epochs[org]; s == nil || s.id != e.ID {
		c.epochs[org] = &seenEpoch{id: e.ID}
	}
	c.mu.Unlock()
	return e, nil
}

func readEpoch(v []any) (Epoch, error) {
	e := Epoch{ID: textOf(v[0]), Loss: textOf(v[1]) == "1", At: timeOf(v[3])}
	if ends := bytesOf(v[2]); len(ends) > 0 {
		if err := json.Unmarshal(ends, &e.Ends); err != nil {
			return Epoch{}, fmt.Errorf("decoding the log ends of the epoch: %w", err)
		}
	}
	return e, nil
}

func (c *Client) lastEpoch(org string) (string, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.epochs[org]
	if s == nil {
		return "", 0
	}
	return s.id, s.sequence
}

// seen names the field that counts this client's changes, and the highest number it was answered in an epoch.
func (c *Client) seen(org, id string) string {
	client, sequence := c.Changes(org, id)
	return changesSeen(client, id, sequence)
}

// changesSeen tells a script whose changes in which epoch are counted, and how many there were: the name of the field, which names both, and a number.
func changesSeen(client, id string, number int64) string {
	return changesField(client, id) + " " + strconv.FormatInt(number, 10)
}

func changesField(client, id string) string { return client + ":" + id }

// Changes says which of an epoch's changes Redis has answered this client, for others to hold against Redis ([Client.Witness]) should this process and
// the last writes of Redis be lost together: a name of the client without spaces, and a number.
func (c *Client) Changes(org, id string) (client string, number int64) {
	last, sequence := c.lastEpoch(org)
	if last != id {
		sequence = 0
	}
	return c.counter, sequence
}

// Witness reports whether Redis still holds that many changes of a client in the epoch. Where not, Redis has lost writes that somebody went on from: the
// epoch is ended, and every client finds ErrEpochChanged.
func (c *Client) Witness(ctx context.Context, org, id, client string, number int64) (bool, error) {
	if err := checkOrganization(org); err != nil {
		return false, fmt.Errorf("asking for changes: %w", err)
	}
	v, err := c.run(ctx, witnessScript, []string{keysOf(org).epoch()}, id, changesSeen(client, id, number))
	if err != nil {
		return false, fmt.Errorf("asking for the changes of %s: %w", client, err)
	}
	return len(v) == 1 && numberOf(v[0]) == 1, nil
}

// note remembers the number of a change, which stands at this place of a script's answer; an answer without one says that the epoch is over. Epochs not
// established through this client are not remembered: the check is for long-lived ones. ErrEpochChanged: another change had the number, so Redis has lost
// that one; whatever this client asks next ends the epoch.
func (c *Client) note(org, id string, answer []any, place int) error {
	if len(answer) <= place {
		return nil
	}
	number := numberOf(answer[place])
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.epochs[org]
	if s == nil || s.id != id {
		return nil
	}
	if !s.numbers.add(number) {
		s.sequence = overdrawn
		return ErrEpochChanged
	}
	s.sequence = max(s.sequence, number)
	return nil
}
