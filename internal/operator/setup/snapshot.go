package setup

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/kafka"
)

// snapshotVersion is raised when an older file can no longer be compared with.
const snapshotVersion = 1

// Snapshot is what the configuration relied on at one time. It holds no secrets.
type Snapshot struct {
	Version       int                           `json:"version"`
	Topics        map[string]TopicFacts         `json:"topics"`
	Schemas       map[string]string             `json:"schemas"`
	Organizations map[string]*OrganizationFacts `json:"organizations"`
}

// TopicFacts are those of a topic that matter.
type TopicFacts struct {
	Partitions      int32  `json:"partitions"`
	CleanupPolicy   string `json:"cleanup_policy,omitempty"`
	MaxMessageBytes int64  `json:"max_message_bytes,omitempty"`
}

// OrganizationFacts are those of an organisation that the mapping names.
type OrganizationFacts struct {
	ID          string                  `json:"id"`
	Name        string                  `json:"name"`
	TimeZone    string                  `json:"time_zone"`
	Currency    string                  `json:"currency"`
	LockedUntil string                  `json:"locked_until,omitempty"`
	Mapping     string                  `json:"mapping"` // its hash
	Taxes       map[string]TaxFacts     `json:"taxes"`
	Accounts    map[string]AccountFacts `json:"accounts"`
	Items       map[string]ItemFacts    `json:"items"`
	Fields      map[string]bool         `json:"fields"` // entity.api_name, and whether it is unique

	// unread names what could not be looked at this time.
	unread map[string]bool
}

// TaxFacts are a tax's.
type TaxFacts struct {
	Name string `json:"name"`
	Rate string `json:"rate"`
	Type string `json:"type"`
}

// AccountFacts are an account's.
type AccountFacts struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Currency string `json:"currency,omitempty"`
	Active   bool   `json:"active"`
}

// ItemFacts are an item's.
type ItemFacts struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
}

func newSnapshot() *Snapshot {
	return &Snapshot{Version: snapshotVersion, Topics: map[string]TopicFacts{}, Schemas: map[string]string{}, Organizations: map[string]*OrganizationFacts{}}
}

func (s *Snapshot) topic(t kafka.Topic) {
	s.Topics[t.Name] = TopicFacts{Partitions: t.Partitions, CleanupPolicy: t.Configs["cleanup.policy"], MaxMessageBytes: number(t, "max.message.bytes")}
}

// ReadSnapshot reads a file that Write wrote.
func ReadSnapshot(name string) (*Snapshot, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	}
	s := newSnapshot()
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading the snapshot %s: %w", name, err)
	}
	if s.Version != snapshotVersion {
		return nil, fmt.Errorf("reading the snapshot %s: its version is %d, not %d: make it anew with `booksync setup --snapshot`", name, s.Version, snapshotVersion)
	}
	return s, nil
}

// Write replaces the file as a whole.
func (s *Snapshot) Write(name string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	return nil
}

// compare reports what is not as it was. What the configuration no longer names is nobody's loss and left out; what could
// not be looked at this time is not compared.
func (r *run) compare(before *Snapshot) {
	now := r.report.Snapshot
	changed := func(org, item, format string, args ...any) {
		r.add("compared with the snapshot", org, item, Changed, fmt.Sprintf(format, args...), "mend it, or take the new state with `booksync setup --snapshot`")
	}
	for _, name := range slices.Sorted(maps.Keys(before.Topics)) {
		was := before.Topics[name]
		is, ok := now.Topics[name]
		switch {
		case !ok && !r.named(name):
		case !ok && len(now.Topics) > 0:
			changed("", name, "the topic is gone")
		case ok && !is.same(was):
			changed("", name, "was %s, is %s", was, is)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before.Organizations)) {
		was, is := before.Organizations[name], now.Organizations[name]
		if is == nil || was == nil { // no longer configured, or not reached
			continue
		}
		r.compareOrganization(name, was, is, func(item, format string, args ...any) { changed(name, item, format, args...) })
	}
}

func (r *run) compareOrganization(name string, was, is *OrganizationFacts, changed func(item, format string, args ...any)) {
	for _, f := range []struct{ item, was, is string }{
		{"organization_id", was.ID, is.ID}, {"time zone", was.TimeZone, is.TimeZone}, {"base currency", was.Currency, is.Currency},
	} {
		if f.was != f.is {
			changed(f.item, "was %s, is %s", f.was, f.is)
		}
	}
	if was.Mapping != is.Mapping {
		r.add("compared with the snapshot", name, "mapping", Note, "was "+was.Mapping+", is "+is.Mapping+": the configuration changed", "")
	}
	if was.LockedUntil != is.LockedUntil {
		r.add("compared with the snapshot", name, "locked until", Note, fmt.Sprintf("was %q, is %q", was.LockedUntil, is.LockedUntil), "")
	}
	m := r.mapped(name)
	if !is.unread["taxes"] {
		compareFacts(was.Taxes, is.Taxes, m.taxes, "tax", changed)
	}
	if !is.unread["accounts"] {
		compareFacts(was.Accounts, is.Accounts, m.accounts, "account", changed)
	}
	if !is.unread["items"] {
		compareFacts(was.Items, is.Items, m.items, "item", changed)
	}
	for _, field := range slices.Sorted(maps.Keys(was.Fields)) {
		unique, ok := is.Fields[field]
		switch {
		case !m.fields[field] || is.unread[strings.SplitN(field, ".", 2)[0]]:
		case !ok:
			changed("field "+field, "it is gone")
		case was.Fields[field] && !unique:
			changed("field "+field, "it is not unique any more: nothing refuses a second document")
		}
	}
}

// compareFacts reports what of the mapped ids is gone or different.
func compareFacts[T interface {
	comparable
	fmt.Stringer
}](was, is map[string]T, mapped map[string]bool, what string, changed func(item, format string, args ...any)) {
	for _, id := range slices.Sorted(maps.Keys(was)) {
		now, ok := is[id]
		switch {
		case !mapped[id]:
		case !ok:
			changed(what+" "+id, "%s is gone", was[id])
		case now != was[id]:
			changed(what+" "+id, "was %s, is %s", was[id], now)
		}
	}
}

// named says whether the configuration names the topic.
func (r *run) named(topic string) bool {
	t := r.cfg.Topics
	return slices.Contains(t.Sources(), topic) || slices.Contains(t.Produced(), topic)
}

// same compares; a limit of 0 was not known, as of a topic that was just made.
func (f TopicFacts) same(was TopicFacts) bool {
	return f.Partitions == was.Partitions && f.CleanupPolicy == was.CleanupPolicy &&
		(f.MaxMessageBytes == was.MaxMessageBytes || f.MaxMessageBytes == 0 || was.MaxMessageBytes == 0)
}

// String is the facts in words.
func (f TopicFacts) String() string {
	return fmt.Sprintf("%d partitions, cleanup.policy %s, max.message.bytes %d", f.Partitions, f.CleanupPolicy, f.MaxMessageBytes)
}

// String is the facts in words.
func (f TaxFacts) String() string { return fmt.Sprintf("%q at %s %% (%s)", f.Name, f.Rate, f.Type) }

// String is the facts in words.
func (f AccountFacts) String() string {
	s := fmt.Sprintf("%q (%s", f.Name, f.Type)
	if f.Currency != "" {
		s += ", " + f.Currency
	}
	if !f.Active {
		s += ", inactive"
	}
	return s + ")"
}

// String is the facts in words.
func (f ItemFacts) String() string {
	if !f.Active {
		return fmt.Sprintf("%q (inactive)", f.Name)
	}
	return fmt.Sprintf("%q", f.Name)
}
