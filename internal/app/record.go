package app

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
)

func headerOf(d *kafka.Delivery, key string) string {
	for _, h := range d.Record.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// setHeader sets a header of a record about to be published, in place of one of the same name; a nil record is none.
func setHeader(r *kgo.Record, key, value string) {
	if r == nil {
		return
	}
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
			return
		}
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
}
