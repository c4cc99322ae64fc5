package dlq

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ID names a dead letter, or any record: where it stands. It never changes.
type ID struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is topic/partition/offset.
func (id ID) String() string {
	return id.Topic + "/" + strconv.Itoa(int(id.Partition)) + "/" + strconv.FormatInt(id.Offset, 10)
}

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// IsZero says that the coordinates are not known.
func (id ID) IsZero() bool { return id.Topic == "" }

// ParseID reads topic/partition/offset. The topic may be given as its source topic, or as the last word of that where no
// other has it: commerce.orders.dlq/0/42, commerce.orders/0/42 and orders/0/42 are the same.
func (d *Desk) ParseID(text string) (ID, error) {
	head, offset, ok := cutLast(text)
	topic, partition, ok2 := cutLast(head)
	o, err := strconv.ParseInt(offset, 10, 64)
	p, err2 := strconv.ParseInt(partition, 10, 32)
	if !ok || !ok2 || err != nil || err2 != nil || o < 0 || p < 0 {
		return ID{}, fmt.Errorf("%q is no id of a dead letter: want topic/partition/offset, such as %s/0/42", text, d.Topics()[0])
	}
	if topic, err = d.parseTopic(topic); err != nil {
		return ID{}, err
	}
	return ID{topic, int32(p), o}, nil
}

// parseTopic finds the dead-letter topic that is meant.
func (d *Desk) parseTopic(name string) (string, error) {
	var found []string
	for _, t := range d.Topics() {
		source := strings.TrimSuffix(t, d.cfg.Topics.DeadLetterSuffix)
		switch name {
		case t, source:
			return t, nil
		case source[strings.LastIndexByte(source, '.')+1:]:
			found = append(found, t)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return "", fmt.Errorf("%q names none, or several, of the dead-letter topics %s", name, strings.Join(d.Topics(), ", "))
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// ReadIDs reads ids, one at the beginning of each line; empty lines and lines that begin with # say nothing. So what ls
// prints with --rows can be cut down by hand and given back.
func (d *Desk) ReadIDs(r io.Reader) (map[ID]bool, error) {
	ids := make(map[ID]bool)
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		id, err := d.ParseID(words[0])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		ids[id] = true
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("reading ids: %w", err)
	}
	return ids, nil
}
