package processor

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// Headers of dead letters; docs/dead-letters.md describes them. A record that carries the source's coordinates and a replay id is
// a replay of what stood there.
const (
	HeaderSourceTopic     = "dlq.source.topic"
	HeaderSourcePartition = "dlq.source.partition"
	HeaderSourceOffset    = "dlq.source.offset"
	HeaderReplayID        = "dlq.replay.id"
	HeaderReplayCount     = "dlq.replay.count"
)

// maxMessage bounds a dead letter's message, in bytes.
const maxMessage = 1024

// OutcomeID is the same whenever the record's outcome is published: a hash of who read it and where it stood.
func OutcomeID(group, topic string, partition int32, offset int64) string {
	sum := sha256.Sum256([]byte(group + "\x00" + topic + "\x00" + strconv.Itoa(int(partition)) + "\x00" + strconv.FormatInt(offset, 10)))
	return hex.EncodeToString(sum[:16])
}

// outcome says what became of the record.
func (a *attempt) outcome(status schemas.Status) *schemas.Outcome {
	rec, now := a.d.Record, a.p.clock.Now()
	out := &schemas.Outcome{
		OutcomeID: OutcomeID(a.p.cfg.Group, rec.Topic, rec.Partition, rec.Offset),
		Status:    status, Workflow: string(a.workflow), Organization: a.Organization, BusinessID: a.ref.ID,
		OrderID: a.orderID, Revision: a.revision, Currency: a.currency(),
		Source: schemas.Source{
			Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp.UTC(), EventID: a.EventID,
		},
		Documents: a.result.documents, InvoiceAfter: a.result.invoiceAfter,
		Expected: a.result.Expected, Posted: a.result.Posted, Difference: a.result.Difference,
		Calls: int64(a.w.calls), Attempts: int64(a.w.attempts + 1), Reason: a.result.Remark,
		Timings: schemas.Timings{
			Queued:          milliseconds(a.w.firstSeen.Sub(rec.Timestamp)),
			WaitedForBudget: milliseconds(a.w.waitedForBudget),
			Called:          milliseconds(a.w.called),
			Total:           milliseconds(now.Sub(a.w.firstSeen)),
		},
		TraceID: a.d.TraceID, Version: a.p.cfg.Version, SettledAt: now.UTC().Truncate(time.Millisecond),
	}
	if a.tenant != nil {
		out.ConfigHash = a.tenant.org().Hash
	}
	return out
}

func (a *attempt) currency() string {
	switch {
	case a.order != nil:
		return a.order.Currency
	case a.payment != nil:
		return a.payment.Currency
	case a.refund != nil:
		return a.refund.Currency
	}
	return ""
}

// milliseconds is never negative: the clocks of broker and replica differ.
func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 0) }

// deadLetterHeaders say why, where from and what to do. Times are RFC 3339 in UTC.
func (a *attempt) deadLetterHeaders(rej *Rejection) []kgo.RecordHeader {
	rec, now := a.d.Record, a.p.clock.Now().UTC()
	first := a.w.failedAt
	if first.IsZero() {
		first = now
	}
	partition, offset := strconv.Itoa(int(rec.Partition)), strconv.FormatInt(rec.Offset, 10)
	message := cut(rej.Message, maxMessage)
	hs := []kgo.RecordHeader{}
	add := func(key, value string) {
		if value != "" {
			hs = append(hs, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
	}
	add("dlq.class", rej.Class)
	add("dlq.retryable", rej.Retryable)
	add("dlq.message", message)
	add("dlq.stage", a.stage(rej))
	add("dlq.workflow", string(a.workflow))
	add("dlq.organization", a.Organization)
	add("dlq.business-id", a.ref.ID)
	if !a.replay { // of a replay they stay as they came: its documents name them
		add(HeaderSourceTopic, rec.Topic)
		add(HeaderSourcePartition, partition)
		add(HeaderSourceOffset, offset)
		add("dlq.source.timestamp", rec.Timestamp.UTC().Format(time.RFC3339Nano))
	}
	add("dlq.group", a.p.cfg.Group)
	add("dlq.attempts", strconv.Itoa(a.w.attempts+1))
	add("dlq.first-failed-at", first.UTC().Format(time.RFC3339Nano))
	add("dlq.failed-at", now.Format(time.RFC3339Nano))
	if rej.Status != 0 {
		add("dlq.http.status", strconv.Itoa(rej.Status))
	}
	add("dlq.api.code", rej.Code)
	if a.schemaID != 0 {
		add("dlq.schema-id", strconv.Itoa(a.schemaID))
	}
	add("__connect.errors.topic", rec.Topic)
	add("__connect.errors.partition", partition)
	add("__connect.errors.offset", offset)
	add("__connect.errors.exception.message", message)
	return hs
}

// stage names the step that rejected.
func (a *attempt) stage(rej *Rejection) string {
	switch {
	case a.w.event == nil:
		return "decode"
	case a.refused != nil:
		return "check"
	case rej.Code != "" || rej.Class == "exhausted":
		return "apply"
	case a.handle == nil || a.states == nil:
		return "claim"
	}
	return "plan"
}

// deadLetter is the original record with the headers added; those of an earlier dead letter are replaced. Where the topic
// refuses its size it goes without its value, with the value's hash.
func (a *attempt) deadLetter(headers []kgo.RecordHeader) Message {
	rec := a.d.Record
	added := make(map[string]bool, len(headers))
	for _, h := range headers {
		added[h.Key] = true
	}
	var all []kgo.RecordHeader
	for _, h := range rec.Headers {
		if !added[h.Key] {
			all = append(all, h)
		}
	}
	small := append(sourceHeaders(all), headers...)
	all = append(all, headers...)
	topic := rec.Topic + a.p.cfg.Topics.DeadLetterSuffix
	sum := sha256.Sum256(rec.Value)
	small = append(small, kgo.RecordHeader{
		Key: "dlq.truncated", Value: []byte("value of " + strconv.Itoa(len(rec.Value)) + " bytes left out, sha256 " + hex.EncodeToString(sum[:])),
	})
	return Message{
		Record:   &kgo.Record{Topic: topic, Key: rec.Key, Value: rec.Value, Headers: all},
		TooLarge: &kgo.Record{Topic: topic, Key: rec.Key, Headers: small},
	}
}

// sourceHeaders are those of a replay that say what it's a replay of.
func sourceHeaders(all []kgo.RecordHeader) []kgo.RecordHeader {
	var kept []kgo.RecordHeader
	for _, h := range all {
		if strings.HasPrefix(h.Key, "dlq.source.") || strings.HasPrefix(h.Key, "dlq.replay.") {
			kept = append(kept, h)
		}
	}
	return kept
}
