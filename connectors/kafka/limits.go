package kafka

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// defaultMaxMessage is Kafka's default of max.message.bytes.
const defaultMaxMessage = 1_048_588

// limits knows how large a record batch each topic takes. It outlives the lives, so that a limit learned by refusal is not learned again. Safe for concurrent use.
type limits struct {
	mu     sync.Mutex
	topics map[string]int
}

// set takes the topics' configured limits.
func (l *limits) set(topics map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics == nil {
		l.topics = make(map[string]int)
	}
	for topic, n := range topics {
		l.topics[topic] = n
	}
}

// lower notes that topic refused a batch of more than n bytes.
func (l *limits) lower(topic string, n int) {
	if n < l.of(topic) {
		l.set(map[string]int{topic: n})
	}
}

func (l *limits) of(topic string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.topics[topic]; ok {
		return n
	}
	return defaultMaxMessage
}

// fits reports whether r alone makes a batch its topic takes, uncompressed.
func (l *limits) fits(r *kgo.Record) bool { return recordSize(r) <= min(l.of(r.Topic), maxBatch) }

// maxBatch keeps the client's batches within its largest request (kgo's BrokerMaxWriteBytes, 100 MiB).
const maxBatch = 64 << 20

// batch is the client's limit for the batches of a topic; kgo wants at least 512.
func (l *limits) batch(topic string) int32 {
	if topic == "" {
		return defaultMaxMessage
	}
	return int32(max(512, min(l.of(topic), maxBatch)))
}

// recordSize is the size in bytes of a record batch (format 2) that holds only r, without compression: 61 bytes of batch header (KIP-98), then the
// record, and 4 bytes of length before the batch, which the client counts as well.
func recordSize(r *kgo.Record) int {
	n := 1 + 1 + 1 // attributes, timestamp delta, offset delta
	field := func(size int) { n += varintSize(size) + size }
	field(len(r.Key))
	field(len(r.Value))
	n += varintSize(len(r.Headers))
	for _, h := range r.Headers {
		field(len(h.Key))
		field(len(h.Value))
	}
	return 4 + 61 + varintSize(n) + n
}

// varintSize is the size of n as a zigzag varint.
func varintSize(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutVarint(b[:], int64(n))
}
