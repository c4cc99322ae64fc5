package dlq

import (
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
)

// Headers of dead letters and of replays; docs/dead-letters.md describes them.
const (
	headerClass        = "dlq.class"
	headerReplayOf     = "dlq.replay.of"
	headerTruncated    = "dlq.truncated"
	headerTraceParent  = "traceparent"
	prefixDeadLetter   = "dlq."
	prefixSource       = "dlq.source."
	prefixConnect      = "__connect.errors."
	classUnknown       = "unknown" // of a record that somebody else put into a dead-letter topic
	quarantinedReplays = 3
)

// Letter is a dead letter as its headers have it.
type Letter struct {
	ID           ID        `json:"id"`
	Key          string    `json:"key"`
	Class        string    `json:"class"`
	Code         string    `json:"code,omitempty"`
	HTTPStatus   string    `json:"http_status,omitempty"`
	Retryable    string    `json:"retryable,omitempty"`
	Message      string    `json:"message,omitempty"`
	Stage        string    `json:"stage,omitempty"`
	Workflow     string    `json:"workflow,omitempty"`
	Organization string    `json:"organization,omitempty"`
	BusinessID   string    `json:"business_id,omitempty"`
	Group        string    `json:"group,omitempty"`
	SchemaID     string    `json:"schema_id,omitempty"`
	Attempts     int       `json:"attempts,omitempty"`
	FirstFailed  time.Time `json:"first_failed_at,omitzero"`
	FailedAt     time.Time `json:"failed_at"`
	// Origin is the record as it first came, Source the one that failed: they differ when it was replayed.
	Origin ID `json:"origin,omitzero"`
	Source ID `json:"source,omitzero"`
	// Truncated says what of the value is missing.
	Truncated string `json:"truncated,omitempty"`
	// Replays says how often it was replayed before it came to be this dead letter; ReplayID by which action last, ReplayOf
	// which dead letter that was.
	Replays     int    `json:"replays,omitempty"`
	ReplayID    string `json:"replay_id,omitempty"`
	ReplayOf    string `json:"replay_of,omitempty"`
	TraceParent string `json:"-"`
}

// Quarantined says that it came back from so many replays that another one needs force.
func (l *Letter) Quarantined() bool { return l.Replays >= quarantinedReplays }

// TraceID is the trace of the attempt that failed, "" without one.
func (l *Letter) TraceID() string {
	const version, id = 3, 32 // 00-<32 hexadecimal digits>-...
	if len(l.TraceParent) < version+id {
		return ""
	}
	return l.TraceParent[version : version+id]
}

// letter reads a record of a dead-letter topic. What headers do not say comes from the topic: anything may be in there.
func (d *Desk) letter(rec *kgo.Record) Letter {
	l := Letter{ID: idOf(rec), Key: string(rec.Key), Class: classUnknown, FailedAt: rec.Timestamp.UTC()}
	for i := range rec.Headers {
		l.header(rec.Headers[i].Key, rec.Headers[i].Value)
	}
	source := strings.TrimSuffix(rec.Topic, d.cfg.Topics.DeadLetterSuffix)
	if l.Workflow == "" {
		l.Workflow = d.cfg.Topics.Workflow(source)
	}
	if l.Source.Topic == "" {
		l.Source = l.Origin
	}
	return l
}

func (l *Letter) header(key string, value []byte) {
	switch key {
	case headerClass:
		l.Class = string(value)
	case "dlq.retryable":
		l.Retryable = string(value)
	case "dlq.message":
		l.Message = string(value)
	case "dlq.stage":
		l.Stage = string(value)
	case "dlq.workflow":
		l.Workflow = string(value)
	case "dlq.organization":
		l.Organization = string(value)
	case "dlq.business-id":
		l.BusinessID = string(value)
	case "dlq.group":
		l.Group = string(value)
	case "dlq.attempts":
		l.Attempts = int(numberOf(value))
	case "dlq.first-failed-at":
		l.FirstFailed = instantOf(value, l.FirstFailed)
	case "dlq.failed-at":
		l.FailedAt = instantOf(value, l.FailedAt)
	case "dlq.http.status":
		l.HTTPStatus = string(value)
	case "dlq.api.code":
		l.Code = string(value)
	case "dlq.schema-id":
		l.SchemaID = string(value)
	case processor.HeaderSourceTopic:
		l.Origin.Topic = string(value)
	case processor.HeaderSourcePartition:
		l.Origin.Partition = int32(numberOf(value)) //nolint:gosec // anybody's header: a wrong one names no record
	case processor.HeaderSourceOffset:
		l.Origin.Offset = numberOf(value)
	case "__connect.errors.topic":
		l.Source.Topic = string(value)
	case "__connect.errors.partition":
		l.Source.Partition = int32(numberOf(value)) //nolint:gosec // likewise
	case "__connect.errors.offset":
		l.Source.Offset = numberOf(value)
	case headerTruncated:
		l.Truncated = string(value)
	case processor.HeaderReplayCount:
		l.Replays = int(numberOf(value))
	case processor.HeaderReplayID:
		l.ReplayID = string(value)
	case headerReplayOf:
		l.ReplayOf = string(value)
	case headerTraceParent:
		l.TraceParent = string(value)
	}
}

func numberOf(value []byte) int64 {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func instantOf(value []byte, otherwise time.Time) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(value))
	if err != nil {
		return otherwise
	}
	return t.UTC()
}

func idOf(rec *kgo.Record) ID { return ID{rec.Topic, rec.Partition, rec.Offset} }
