package judge

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/booksync/booksync/internal/torture/tale"
)

// settledBy is what a commit says: every offset below Position is settled, and above it up to Highest all but Open.
type settledBy struct {
	Position, Highest int64
	Open              []int64
}

// settled says whether the commit takes an offset for settled.
func (s settledBy) settled(offset int64) bool {
	return offset < s.Position || offset <= s.Highest && !slices.Contains(s.Open, offset)
}

// read decodes the metadata of a commit as docs/design.md describes it.
func (c Commit) read() (settledBy, error) {
	s := settledBy{Position: c.Position, Highest: c.Position - 1}
	if c.Metadata == "" {
		return s, nil
	}
	b, err := base64.StdEncoding.DecodeString(c.Metadata)
	if err != nil || len(b) == 0 || b[0] != 1 {
		return s, fmt.Errorf("unknown metadata %q", c.Metadata)
	}
	b = b[1:]
	bad := false
	next := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			bad = true
			return 0
		}
		b = b[n:]
		return int64(v)
	}
	if epoch := next(); epoch <= int64(len(b)) {
		b = b[epoch:]
	}
	ahead, at, count := next(), next(), next()
	if bad || at != c.Position || count > int64(len(b))+1 {
		return s, fmt.Errorf("metadata %q does not fit position %d", c.Metadata, c.Position)
	}
	s.Highest = c.Position + ahead - 1
	for i, offset := int64(0), c.Position; i < count; i++ {
		if i > 0 {
			offset += next()
		}
		s.Open = append(s.Open, offset)
	}
	if bad || len(b) > 0 {
		return s, fmt.Errorf("metadata %q is cut short or too long", c.Metadata)
	}
	return s, nil
}

// committed: at no time did the group's commits take a record for settled whose outcome nobody can see, nor one for open
// again that was settled; in the end every partition is committed up to its end.
func (c *checker) committed() {
	records := map[Partition][]tale.Place{}
	for _, e := range c.Tale.Emissions {
		if e.Sent && !e.Aborted {
			p := Partition{e.Where.Topic, e.Where.Partition}
			records[p] = append(records[p], e.Where)
		}
	}
	before := map[Partition]settledBy{}
	told := map[tale.Place]bool{}
	for _, commit := range c.Commits {
		now, err := commit.read()
		if err != nil {
			c.Problem(commits, "%s: %v", commit.Partition, err)
			continue
		}
		was, again := before[commit.Partition]
		for _, at := range records[commit.Partition] {
			if told[at] {
				continue
			}
			switch {
			case now.settled(at.Offset):
				if outs := c.Outcomes[at]; len(outs) == 0 || outs[0].Seen.After(commit.Seen.Add(c.Delay)) {
					told[at] = true
					c.Problem(commits, "%s is committed as settled at %s, its outcome is seen%s", at, clock(commit.Seen), describe(outs))
				}
			case again && was.settled(at.Offset):
				told[at] = true
				c.Problem(commits, "%s is committed as open at %s, it was settled before", at, clock(commit.Seen))
			}
		}
		before[commit.Partition] = now
	}
	for p, end := range c.Ends {
		if got, ok := c.Committed[p]; end > 0 && (!ok || got != end) {
			c.Problem(commits, "%s is committed up to %d and ends at %d", p, got, end)
		}
	}
}
