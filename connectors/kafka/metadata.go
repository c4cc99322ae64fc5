package kafka

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// metadataVersion is the first byte of every commit's metadata.
const metadataVersion = 1

// metadata is what a commit says beyond its position: every offset up to Highest is settled, except those in Open.
type metadata struct {
	Epoch string
	// Highest is the highest delivered offset; position-1 when nothing is open.
	Highest int64
	// Open are the unsettled offsets, ascending. The first one is the position.
	Open []int64
}

var errMetadata = errors.New("commit metadata cannot be read")

// encodeMetadata writes m for a commit at position: version byte, then varints: length of the epoch and its bytes, highest-position+1, position,
// number of open offsets, and the distance of each to the one before (the first one is the position itself and is left out). The whole in base64.
func encodeMetadata(position int64, m metadata) string {
	b := make([]byte, 0, 64+2*len(m.Open))
	b = append(b, metadataVersion)
	b = binary.AppendUvarint(b, uint64(len(m.Epoch)))
	b = append(b, m.Epoch...)
	b = binary.AppendUvarint(b, uint64(m.Highest-position+1))
	b = binary.AppendUvarint(b, uint64(position))
	b = binary.AppendUvarint(b, uint64(len(m.Open)))
	for i := 1; i < len(m.Open); i++ {
		b = binary.AppendUvarint(b, uint64(m.Open[i]-m.Open[i-1]))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// decodeMetadata reads what encodeMetadata wrote. Empty metadata, which an operator's offset reset leaves, means that everything below position is
// settled and nothing above it is known. Metadata that belongs to another position or breaks an invariant is an error that wraps errMetadata.
func decodeMetadata(position int64, text string) (metadata, error) {
	if text == "" {
		return metadata{Highest: position - 1}, nil
	}
	wrong := func(what string) (metadata, error) {
		return metadata{}, fmt.Errorf("%w: %s", errMetadata, what)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return wrong("not base64")
	}
	if len(b) == 0 || b[0] != metadataVersion {
		return wrong("unknown version")
	}
	r := varints{b: b[1:]}
	epoch := r.bytes(r.next())
	ahead, at, count := r.next(), r.next(), r.next()
	switch {
	case r.bad:
		return wrong("truncated")
	case at != uint64(position):
		return wrong("it belongs to another position")
	case ahead > 1<<62 || int64(ahead) < 0 || position+int64(ahead) < position:
		return wrong("highest offset out of range")
	case count > uint64(len(b)):
		return wrong("more open offsets than bytes")
	}
	m := metadata{Epoch: string(epoch), Highest: position + int64(ahead) - 1}
	if count == 0 {
		if ahead != 0 || len(r.b) != 0 {
			return wrong("nothing open, yet offsets follow")
		}
		return m, nil
	}
	m.Open = make([]int64, 1, count)
	m.Open[0] = position
	for last := position; uint64(len(m.Open)) < count; {
		step := r.next()
		if r.bad || step == 0 || step > 1<<62 || last+int64(step) > m.Highest {
			return wrong("open offsets out of order")
		}
		last += int64(step)
		m.Open = append(m.Open, last)
	}
	if len(r.b) != 0 || m.Highest < position {
		return wrong("bytes left over")
	}
	return m, nil
}

// varints reads unsigned varints off b; bad stays set after the first that is not there.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) next() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *varints) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

// varintLen is the number of bytes AppendUvarint writes for v.
func varintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
