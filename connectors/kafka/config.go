package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Protocol is a consumer group protocol.
type Protocol string

// The group protocols.
const (
	// ProtocolClassic rebalances cooperatively between the members (cooperative-sticky).
	ProtocolClassic Protocol = "classic"
	// ProtocolConsumer is KIP-848: the broker assigns, and the broker's configuration decides the session timeout.
	ProtocolConsumer Protocol = "consumer"
)

// SASL mechanisms.
const (
	MechanismPlain       = "PLAIN"
	MechanismSCRAM256    = "SCRAM-SHA-256"
	MechanismSCRAM512    = "SCRAM-SHA-512"
	MechanismOAuthBearer = "OAUTHBEARER"
)

// SASL is how the client proves who it is. The zero value is no authentication.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. Default: none.
	Mechanism string
	// User is the user name for PLAIN and SCRAM. Default: none.
	User string
	// Password is the password for PLAIN and SCRAM. Default: none.
	Password string
	// Token answers a bearer token for OAUTHBEARER; it is called for every connection and must keep its own cache. Default: none.
	Token func(ctx context.Context) (string, error)
}

// Config is the engine's configuration. The zero value of an optional field is its default.
type Config struct {
	// Brokers are the seed brokers, host:port. Required.
	Brokers []string
	// ClientID names the client to the brokers. Default: "booksync".
	ClientID string
	// TLS, if set, makes every connection a TLS one. Default: none.
	TLS *tls.Config
	// SASL is the authentication. Default: none.
	SASL SASL

	// Group is the consumer group. Required.
	Group string
	// Topics are the consumed topics. Required.
	Topics []string
	// OutputTopics are the topics the handler publishes to. They must exist and be writable before any record is handled. Default: none.
	OutputTopics []string
	// TransactionalID must be stable for one replica over its restarts and differ between replicas. Required.
	TransactionalID string
	// Protocol is the group protocol. Default: classic.
	Protocol Protocol
	// InstanceID makes the group membership static. Default: none.
	InstanceID string
	// StartAtEnd starts partitions without a commit at their end. Default: false, at their start.
	StartAtEnd bool

	// SessionTimeout is after how long without heartbeats the classic protocol gives up a member. Default: 10 s.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for its members to join again. Default: 30 s.
	RebalanceTimeout time.Duration
	// TransactionTimeout is after how long the brokers abort an open transaction. Default: 10 s.
	TransactionTimeout time.Duration
	// DrainTimeout is how long running handlers may take to end when the engine stops. Default: 30 s.
	DrainTimeout time.Duration

	// SettleEvery is the longest time a result waits for its transaction to begin. Default: 100 ms.
	SettleEvery time.Duration
	// SettleRecords is the number of results that starts a transaction at once. Default: 500 records.
	SettleRecords int
	// MaxRecordsPerPartition bounds the records of a partition that are in lanes, running or unpublished; parked ones are not counted. Default: 1,000 records.
	MaxRecordsPerPartition int
	// MaxRunningPerPartition bounds the handlers of a partition that run at a time: each holds its record's memory and claims. More of them than answers
	// can be waited for at once are of no use. Default: 64 handlers.
	MaxRunningPerPartition int
	// MaxFetchedBytesPerPartition is from how many fetched and not yet started bytes on a partition is not fetched while others are. Default: 2,097,152 bytes.
	MaxFetchedBytesPerPartition int
	// MaxParkedPerPartition is from how many parked records on a partition takes no new ones. Default: 500 records.
	MaxParkedPerPartition int
	// MaxUnpublished is from how many unpublished results on no handler starts. Default: 10,000 results.
	MaxUnpublished int
	// MetadataLimit is the brokers' offset.metadata.max.bytes; at three quarters of it a partition takes no new records. Default: 4,096 bytes.
	MetadataLimit int
	// FetchMaxBytes bounds one answer of one broker. Default: 16,777,216 bytes.
	FetchMaxBytes int
	// FetchMaxPartitionBytes bounds one partition's part of it. Default: 1,048,576 bytes.
	FetchMaxPartitionBytes int

	// WakeMemory is how long a wake-up is remembered for records that are about to park. Default: 60 s.
	WakeMemory time.Duration
	// MetadataMinAge is the shortest time between two metadata requests of one client. Default: 250 ms.
	MetadataMinAge time.Duration
	// Epoch answers a short text that is kept in every commit's metadata. It must not block. Default: none.
	Epoch func() string
}

// maxEpoch bounds Config.Epoch's answer in the metadata; a UUID in text has 36 bytes.
const maxEpoch = 64

// WithDefaults returns c with every optional field set.
func (c Config) WithDefaults() Config {
	or(&c.ClientID, "booksync")
	or(&c.Protocol, ProtocolClassic)
	or(&c.SessionTimeout, 10*time.Second)
	or(&c.RebalanceTimeout, 30*time.Second)
	or(&c.TransactionTimeout, 10*time.Second)
	or(&c.DrainTimeout, 30*time.Second)
	or(&c.SettleEvery, 100*time.Millisecond)
	or(&c.SettleRecords, 500)
	or(&c.MaxRecordsPerPartition, 1000)
	or(&c.MaxRunningPerPartition, 64)
	or(&c.MaxFetchedBytesPerPartition, 2<<20)
	or(&c.MaxParkedPerPartition, 500)
	or(&c.MaxUnpublished, 10_000)
	or(&c.MetadataLimit, 4096)
	or(&c.FetchMaxBytes, 16<<20)
	or(&c.FetchMaxPartitionBytes, 1<<20)
	or(&c.WakeMemory, time.Minute)
	or(&c.MetadataMinAge, 250*time.Millisecond)
	if c.Epoch == nil {
		c.Epoch = func() string { return "" }
	}
	return c
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate answers everything that is wrong with c, joined. It touches no network.
func (c Config) Validate() error {
	errs := []error{c.validateConnection()}
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Group == "" {
		wrong("kafka: group is missing")
	}
	if len(c.Topics) == 0 {
		wrong("kafka: topics are missing")
	}
	if c.TransactionalID == "" {
		wrong("kafka: transactional id is missing")
	}
	for _, topic := range c.Topics {
		if slices.Contains(c.OutputTopics, topic) {
			wrong("kafka: topic %q is both consumed and published to", topic)
		}
	}
	switch c.Protocol {
	case "", ProtocolClassic, ProtocolConsumer:
	default:
		wrong("kafka: unknown group protocol %q: use %q or %q", c.Protocol, ProtocolClassic, ProtocolConsumer)
	}
	durations := []struct {
		name  string
		value time.Duration
	}{
		{"session timeout", c.SessionTimeout}, {"rebalance timeout", c.RebalanceTimeout}, {"transaction timeout", c.TransactionTimeout},
		{"drain timeout", c.DrainTimeout}, {"settle interval", c.SettleEvery}, {"wake memory", c.WakeMemory}, {"metadata age", c.MetadataMinAge},
	}
	for _, d := range durations {
		if d.value < 0 {
			wrong("kafka: %s is negative", d.name)
		}
	}
	numbers := []struct {
		name  string
		value int
	}{
		{"settle records", c.SettleRecords}, {"records per partition", c.MaxRecordsPerPartition}, {"running records per partition", c.MaxRunningPerPartition}, {"fetched bytes per partition", c.MaxFetchedBytesPerPartition},
		{"parked records per partition", c.MaxParkedPerPartition}, {"unpublished results", c.MaxUnpublished}, {"metadata limit", c.MetadataLimit},
		{"fetch bytes", c.FetchMaxBytes}, {"fetch bytes per partition", c.FetchMaxPartitionBytes},
	}
	for _, n := range numbers {
		if n.value < 0 {
			wrong("kafka: %s is negative", n.name)
		}
	}
	if c.MetadataLimit != 0 && c.MetadataLimit < 512 {
		wrong("kafka: metadata limit of %d bytes is below 512", c.MetadataLimit)
	}
	return errors.Join(errs...)
}

func (c Config) validateConnection() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka: brokers are missing")
	}
	switch s := c.SASL; s.Mechanism {
	case "":
		if s.User != "" || s.Password != "" || s.Token != nil {
			return errors.New("kafka: sasl credentials without a mechanism")
		}
	case MechanismPlain, MechanismSCRAM256, MechanismSCRAM512:
		if s.User == "" || s.Password == "" {
			return fmt.Errorf("kafka: sasl %s needs user and password", s.Mechanism)
		}
	case MechanismOAuthBearer:
		if s.Token == nil {
			return errors.New("kafka: sasl OAUTHBEARER needs a token source")
		}
	default:
		return fmt.Errorf("kafka: unknown sasl mechanism %q", s.Mechanism)
	}
	return nil
}
