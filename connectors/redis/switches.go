package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Switch is work that an operator has paused: of one organisation and one workflow, or of all where they are empty. Several owners may pause the same
// work; it goes on when each has taken its switch back.
type Switch struct {
	Organization string `json:"organization"`
	Workflow     string `json:"workflow"`
	// Owner is on whose account it's paused: people share one, each rollback has its own.
	Owner  string `json:"owner"`
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	// Since is Redis's time when it was first set.
	Since time.Time `json:"since"`
}

// covers says whether the switch concerns work of this organisation and workflow; an empty one asks for what concerns all of them.
func (s Switch) covers(organization, workflow string) bool {
	return (s.Organization == "" || s.Organization == organization) && (s.Workflow == "" || s.Workflow == workflow)
}

// field names the switch in the hash. JSON keeps the three apart whatever they hold.
func (s Switch) field() string {
	b, err := json.Marshal([]string{s.Organization, s.Workflow, s.Owner})
	if err != nil {
		panic("naming a switch: " + err.Error()) // texts: cannot fail
	}
	return string(b)
}

// text is what is kept beside the time.
func (s Switch) text() string {
	b, err := json.Marshal([]string{s.Actor, s.Reason})
	if err != nil {
		panic("encoding a switch: " + err.Error())
	}
	return string(b)
}

// versionField is the hash's own; a switch's begins with a bracket.
const versionField = "version"

// Switches is what operators have paused, for all replicas of one consumer group. It is safe for concurrent use; every method is one round trip.
type Switches struct {
	// Every is how often a Watch reads although nothing told of a change. Zero: 200 ms.
	Every time.Duration

	c       *Client
	key     string
	channel string
}

// NewSwitches gives the switches of a consumer group.
func NewSwitches(c *Client, group string) *Switches {
	key := "booksync:switches:" + group
	return &Switches{c: c, key: key, channel: key + ":changed"}
}

// Set sets a switch and answers it as it's kept: setting it again keeps its time and replaces actor and reason.
func (s *Switches) Set(ctx context.Context, w Switch) (Switch, error) {
	if w.Owner == "" {
		return Switch{}, errors.New("a switch needs an owner")
	}
	if _, err := s.c.run(ctx, switchesScript, []string{s.key}, "set", s.channel, 0, w.field(), w.text()); err != nil {
		return Switch{}, fmt.Errorf("setting a switch: %w", err)
	}
	all, err := s.List(ctx)
	if err != nil {
		return Switch{}, err
	}
	for _, have := range all {
		if have.field() == w.field() {
			return have, nil
		}
	}
	return Switch{}, errors.New("setting a switch: somebody has taken it back at once")
}

// Clear takes switches back, whoever set them, and answers how many there were.
func (s *Switches) Clear(ctx context.Context, switches ...Switch) (int, error) {
	if len(switches) == 0 {
		return 0, nil
	}
	args := []any{"clear", s.channel, 0}
	for _, w := range switches {
		args = append(args, w.field())
	}
	v, err := s.c.run(ctx, switchesScript, []string{s.key}, args...)
	if err != nil {
		return 0, fmt.Errorf("taking switches back: %w", err)
	}
	return int(numberOf(v[1])), nil
}

// List answers the switches that are set, the oldest first.
func (s *Switches) List(ctx context.Context) ([]Switch, error) {
	st, err := s.read(ctx)
	return st.switches, err
}

// switchState is the hash as it was read.
type switchState struct {
	version  int64
	switches []Switch
	raw      map[string]string
}

func (s *Switches) read(ctx context.Context) (switchState, error) {
	raw, err := s.c.rdb.HGetAll(ctx, s.key).Result()
	if err != nil {
		return switchState{}, fmt.Errorf("reading the switches: %w", err)
	}
	st := switchState{version: numberOf(raw[versionField]), raw: raw}
	delete(raw, versionField)
	for field, value := range raw {
		w, err := readSwitch(field, value)
		if err != nil {
			return switchState{}, err
		}
		st.switches = append(st.switches, w)
	}
	slices.SortFunc(st.switches, func(a, b Switch) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.field(), b.field()))
	})
	return st, nil
}

func readSwitch(field, value string) (Switch, error) {
	var names, texts []string
	since, text, _ := strings.Cut(value, " ")
	if err := errors.Join(json.Unmarshal([]byte(field), &names), json.Unmarshal([]byte(text), &texts)); err != nil || len(names) != 3 || len(texts) != 2 {
		return Switch{}, fmt.Errorf("reading the switch %q: it is none of booksync's", field)
	}
	return Switch{Organization: names[0], Workflow: names[1], Owner: names[2], Actor: texts[0], Reason: texts[1], Since: timeOf(since)}, nil
}

// restore writes what was known back where Redis has lost it.
func (s *Switches) restore(ctx context.Context, known switchState) error {
	args := []any{"restore", s.channel, known.version}
	for field, value := range known.raw {
		args = append(args, field, value)
	}
	if _, err := s.c.run(ctx, switchesScript, []string{s.key}, args...); err != nil {
		return fmt.Errorf("putting the switches back: %w", err)
	}
	return nil
}
