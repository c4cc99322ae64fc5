// Package configdiff says what a change of the configuration changes: in words, with the organisations and workflows that it touches, so that a deploy can be
// judged before it's made and found again afterwards by the hash of the mapping that each outcome carries.
package configdiff

import (
	"slices"
	"strings"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/control"
)

// Diff is the difference between two configurations.
type Diff struct {
	Equal         bool           `json:"equal"`
	Organizations []Organization `json:"organizations"` // all that either has
	Changes       []Change       `json:"changes"`
}

// Organization is an organisation in both configurations.
type Organization struct {
	Name string `json:"name"`
	// OldHash and NewHash name the mappings, as outcomes do in config_hash; "" where the organisation is not there.
	OldHash string `json:"old_hash,omitempty"`
	NewHash string `json:"new_hash,omitempty"`
	// Touched are the workflows that the changes concern.
	Touched []string `json:"touched,omitempty"`
}

// Change is one setting that differs. Settings that either configuration leaves out have their defaults.
type Change struct {
	// Organization is "" for what concerns the service.
	Organization string `json:"organization,omitempty"`
	// Path is the setting's; of an organisation, below it.
	Path string `json:"path"`
	// Old and New are the values; "" where an element of a map is not there. Of secrets they are not shown.
	Old    string `json:"old"`
	New    string `json:"new"`
	Secret bool   `json:"secret,omitempty"`
	// Workflows are those that it concerns.
	Workflows []string `json:"workflows"`
	// Meaning says in words what changes.
	Meaning string `json:"meaning"`
}

// Compare compares two configurations.
func Compare(before, after *config.Config) Diff {
	var d Diff
	old, now := flat(before), flat(after)
	for _, path := range paths(before, after) {
		a, b := old[path], now[path]
		if a.Same(b) {
			continue
		}
		d.Changes = append(d.Changes, change(path, a, b, before, after))
	}
	d.collapse(before, after)
	d.Equal = len(d.Changes) == 0
	for _, name := range names(before, after) {
		o := Organization{Name: name}
		if c, ok := before.Organizations[name]; ok {
			o.OldHash = c.Hash()
		}
		if c, ok := after.Organizations[name]; ok {
			o.NewHash = c.Hash()
		}
		for _, c := range d.Changes {
			if c.Organization == name || c.Organization == "" {
				o.Touched = append(o.Touched, c.Workflows...)
			}
		}
		o.Touched = inOrder(o.Touched)
		d.Organizations = append(d.Organizations, o)
	}
	return d
}

func flat(c *config.Config) map[string]config.Flat {
	m := make(map[string]config.Flat)
	for _, f := range c.Flatten() {
		m[f.Path] = f
	}
	return m
}

// paths are those of both, in the order of the first that has them.
func paths(configs ...*config.Config) []string {
	seen := map[string]bool{}
	var out []string
	for _, c := range configs {
		for _, f := range c.Flatten() {
			if !seen[f.Path] {
				seen[f.Path] = true
				out = append(out, f.Path)
			}
		}
	}
	return out
}

func names(before, after *config.Config) []string {
	all := append(before.OrganizationNames(), after.OrganizationNames()...)
	slices.Sort(all)
	return slices.Compact(all)
}

// inOrder is the workflows in their usual order, each once.
func inOrder(workflows []string) []string {
	var out []string
	for _, w := range control.Workflows {
		if slices.Contains(workflows, w) {
			out = append(out, w)
		}
	}
	return out
}

const organizations = "organizations."

func change(path string, a, b config.Flat, before, after *config.Config) Change {
	c := Change{Path: path, Old: a.Text, New: b.Text, Secret: a.Secret() || b.Secret()}
	for _, name := range names(before, after) {
		if rest, ok := strings.CutPrefix(path, organizations+name+"."); ok {
			c.Organization, c.Path = name, rest
		}
	}
	c.Workflows, c.Meaning = meaning(&c)
	return c
}

// collapse makes one change of an organisation that only one configuration has.
func (d *Diff) collapse(before, after *config.Config) {
	for _, name := range names(before, after) {
		_, was := before.Organizations[name]
		_, is := after.Organizations[name]
		if was && is {
			continue
		}
		d.Changes = slices.DeleteFunc(d.Changes, func(c Change) bool { return c.Organization == name })
		c := Change{Organization: name, Path: organizations + name, New: "configured", Workflows: control.Workflows,
			Meaning: "the organisation is new: its events are posted from now on instead of rejected as rejected.organization"}
		if was {
			c.Old, c.New = "configured", ""
			c.Meaning = "the organisation is gone: its events will be REJECTED as rejected.organization; set its workflows to off if they are to wait"
		}
		d.Changes = append(d.Changes, c)
	}
}
