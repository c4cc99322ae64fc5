// Package config holds every setting of booksync in one struct, [Config], and loads it.
//
// A setting comes, later ones winning, from its default, the YAML file, the environment and the command line. The YAML is
// read strictly: a key that no setting has is an error that names the line and the likely name. Every setting is also an
// environment variable: its path, upper-cased, dots as underscores, with BOOKSYNC_ in front (kafka.session_timeout is
// BOOKSYNC_KAFKA_SESSION_TIMEOUT); lists are comma-separated there, maps are inline YAML. A secret may also be named by a
// file that holds it: key `..._file`, variable `..._FILE`.
//
// All problems are collected and reported at once, each with its path, what is wrong and what to do about it. [Config.Print]
// masks secrets. [Organization.Hash] names an organisation's mapping in outcomes, whatever the order of its keys.
//
// The comment of every field below ends with the field's default; docs/configuration.md is generated from them, and a test
// holds comments, defaults and page together.
package config

import (
	"time"

	"github.com/booksync/booksync/internal/secret"
)

// Config is the whole configuration. The zero value is not usable; start from [Default].
type Config struct {
	Kafka          Kafka                   `yaml:"kafka"`
	Topics         Topics                  `yaml:"topics"`
	Engine         Engine                  `yaml:"engine"`
	SchemaRegistry SchemaRegistry          `yaml:"schema_registry"`
	Redis          Redis                   `yaml:"redis"`
	Claims         Claims                  `yaml:"claims"`
	Zoho           Zoho                    `yaml:"zoho"`
	Organizations  map[string]Organization `yaml:"organizations"`
	HTTP           HTTP                    `yaml:"http"`
	Telemetry      Telemetry               `yaml:"telemetry"`
	Log            Log                     `yaml:"log"`
}

// Kafka says how to reach the cluster and how to behave in the group.
type Kafka struct {
	// Seed brokers, host:port. Default 127.0.0.1:9092.
	Brokers []string `yaml:"brokers"`
	// Client id shown to the brokers. Default booksync.
	ClientID string `yaml:"client_id"`
	// Consumer group. Outcome ids depend on it: another group is another booksync. Default booksync.
	Group string `yaml:"group"`
	// Transactional id of this replica: different for every replica, the same at every start of one. Empty: the group and
	// the host's name. Default empty.
	TransactionalID string `yaml:"transactional_id"`
	// Group protocol: `classic` (cooperative-sticky), or `consumer` (KIP-848), where the broker decides the session timeout.
	// Default classic.
	Protocol string `yaml:"protocol" enum:"classic,consumer"`
	// Static member id; a restart within the session timeout then moves no partitions. Empty: dynamic. Default empty.
	InstanceID string `yaml:"instance_id"`
	// How long the group waits for a silent member. Classic protocol only. Default 10s.
	SessionTimeout time.Duration `yaml:"session_timeout" min:"1s" max:"30m"`
	TLS            TLS           `yaml:"tls"`
	SASL           SASL          `yaml:"sasl"`
}

// TLS secures a connection.
type TLS struct {
	// Use TLS. Default false.
	Enabled bool `yaml:"enabled"`
	// PEM file with the authorities to trust instead of the system's. Default empty.
	CAFile string `yaml:"ca_file"`
	// PEM file with this client's certificate. Default empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with this client's key. Default empty.
	KeyFile string `yaml:"key_file"`
	// Name to expect in the server's certificate instead of the host's. Default empty.
	ServerName string `yaml:"server_name"`
}

// SASL authenticates at Kafka.
type SASL struct {
	// Mechanism: empty (none), `plain`, `scram-sha-256`, `scram-sha-512` or `oauthbearer`. Default empty.
	Mechanism string `yaml:"mechanism" enum:",plain,scram-sha-256,scram-sha-512,oauthbearer"`
	// User name. Default empty.
	Username string `yaml:"username"`
	// Password. Default empty.
	Password secret.String `yaml:"password"`
	// File with the bearer token, read anew at every connection. For `oauthbearer`. Default empty.
	TokenFile string `yaml:"token_file"`
}

// Topics names the topics. All records of an order, its payments and refunds included, need the order id as key.
type Topics struct {
	// Order events. More than one where organisations must never wait for each other. Default commerce.orders.
	Orders []string `yaml:"orders"`
	// Payment events. Default commerce.payments.
	Payments []string `yaml:"payments"`
	// Refund events. Default commerce.refunds.
	Refunds []string `yaml:"refunds"`
	// Outcomes, one for every record consumed. Default books.outcomes.
	Outcomes string `yaml:"outcomes"`
	// Operators' actions. Default books.audit.
	Audit string `yaml:"audit"`
	// What is put behind a topic's name to get its dead-letter topic. Default .dlq.
	DeadLetterSuffix string `yaml:"dead_letter_suffix"`
	// Partitions of the topics that setup creates. Default 6.
	Partitions int `yaml:"partitions" min:"1" max:"10000"`
	// Replication factor of the topics that setup creates; -1: the brokers' default. Default -1.
	Replication int `yaml:"replication" min:"-1" max:"100"`
	// How long the outcome and audit topics are kept; they are the books' trail. Default 3650d.
	Retention time.Duration `yaml:"retention" min:"24h"`
	// How long the dead-letter topics are kept. Default 90d.
	DeadLetterRetention time.Duration `yaml:"dead_letter_retention" min:"24h"`
}

// Engine bounds the work in memory and the transactions.
type Engine struct {
	// Start partitions without a commit at their end instead of their start. Default false.
	StartAtEnd bool `yaml:"start_at_end"`
	// Longest time between two transactions while there are results. Default 100ms.
	SettleEvery time.Duration `yaml:"settle_every" min:"1ms" max:"10s"`
	// Results that end a transaction early. Default 500 records.
	SettleRecords int `yaml:"settle_records" min:"1" max:"100000"`
	// Records held in memory per partition; at the bound its fetching pauses. Default 1000 records.
	MaxRecordsPerPartition int `yaml:"max_records_per_partition" min:"1" max:"1000000"`
	// Records of a partition that are worked on at a time: more of them than calls can be in flight only hold memory and claims. Default 64 records.
	MaxRunningPerPartition int `yaml:"max_running_per_partition" min:"1" max:"1000000"`
	// Parked records per partition; at the bound the partition waits. Default 500 records.
	MaxParkedPerPartition int `yaml:"max_parked_per_partition" min:"1" max:"1000000"`
	// Results not yet published; at the bound nothing new starts. Default 10000 records.
	MaxUnpublished int `yaml:"max_unpublished" min:"1" max:"1000000"`
	// How long stopping waits for calls in flight. Default 30s.
	DrainTimeout time.Duration `yaml:"drain_timeout" min:"1ms" max:"15m"`
	// Kafka's transaction timeout. Default 10s.
	TransactionTimeout time.Duration `yaml:"transaction_timeout" min:"1s" max:"15m"`
}

// SchemaRegistry names the Confluent-compatible registry.
type SchemaRegistry struct {
	// URLs of the registry. Empty: none; then single-object encoding with the embedded schemas only. Default empty.
	URLs []string `yaml:"urls"`
	// User name. Default empty.
	Username string `yaml:"username"`
	// Password. Default empty.
	Password secret.String `yaml:"password"`
	TLS      TLS           `yaml:"tls"`
}

// Redis says how to reach Redis, which keeps claims, budget and tokens. It must run with maxmemory-policy noeviction.
type Redis struct {
	// Addresses, host:port: of the server, of several nodes of a cluster, or of the sentinels. Default 127.0.0.1:6379.
	Addresses []string `yaml:"addresses"`
	// Name of the master that the sentinels watch; empty: there are none. Default empty.
	MasterName string `yaml:"master_name"`
	// Treat a single address as a cluster's; several without master_name are one anyway. Default false.
	Cluster bool `yaml:"cluster"`
	// ACL user. Default empty.
	Username string `yaml:"username"`
	// Password. Default empty.
	Password secret.String `yaml:"password"`
	// Database number; 0 in a cluster. Default 0.
	Database int `yaml:"database" min:"0" max:"1000"`
	// Timeout of a command. Default 3s.
	Timeout time.Duration `yaml:"timeout" min:"10ms" max:"1m"`
	// Connections kept per node. Default 16.
	PoolSize int `yaml:"pool_size" min:"1" max:"10000"`
	TLS      TLS `yaml:"tls"`
	// Key that encrypts the shared access tokens: 32 bytes in base64 (`openssl rand -base64 32`). Default empty.
	TokenKey secret.String `yaml:"token_key"`
	// The key before it, still read while rotating. Default empty.
	TokenKeyPrevious secret.String `yaml:"token_key_previous"`
}

// Claims sets the times of the claims in Redis.
type Claims struct {
	// How long a claim or an order's lease lasts without renewal; longer than zoho.timeout. Default 1m.
	Lease time.Duration `yaml:"lease" min:"1s" max:"1h"`
	// How long a settled claim is kept: the topics' retention plus the replay window. Default 35d.
	Retention time.Duration `yaml:"retention" min:"1h"`
	// How often a waiting record looks again although nobody woke it. Default 30s.
	Recheck time.Duration `yaml:"recheck" min:"10ms" max:"1h"`
}

// Zoho sets what holds for every organisation, unless the organisation says otherwise.
type Zoho struct {
	// Data centre: us, eu, in, au, jp, ca, sa, cn, uk or ae. Default us.
	DataCenter string `yaml:"data_center" enum:"us,eu,in,au,jp,ca,sa,cn,uk,ae"`
	// Base URL of the API instead of the data centre's, such as a simulator's http://127.0.0.1:8090/books/v3. Default empty.
	APIBase string `yaml:"api_base"`
	// Base URL of the accounts server instead of the data centre's. Default empty.
	AccountsBase string `yaml:"accounts_base"`
	// Allow loopback addresses, and plain HTTP to them, as bases; for the simulator. Default false.
	AllowLoopback bool `yaml:"allow_loopback"`
	// Timeout of one API call. Default 30s.
	Timeout time.Duration `yaml:"timeout" min:"100ms" max:"5m"`
	// Calls in flight per organisation, over all replicas: 5 on Zoho's free plan, 10 on the paid ones. Default 10.
	Concurrency int `yaml:"concurrency" min:"1" max:"1000"`
	// Calls per minute and organisation, over all replicas. Default 100.
	CallsPerMinute int `yaml:"calls_per_minute" min:"1" max:"1000000"`
	// Part of the day's calls kept for payments and refunds, in percent. Default 20.
	ReservePercent int `yaml:"reserve_percent" min:"0" max:"90"`
	// Length of the window that calls_per_minute is counted in; a little more than Zoho's minute. Default 1m1s.
	Window time.Duration `yaml:"window" min:"100ms" max:"10m"`
	// Pause of an organisation that Zoho refused for its rate, unless the answer names a longer one. Default 1m.
	Pause time.Duration `yaml:"pause" min:"10ms" max:"1h"`
	// How long after its request left a write may still take effect. Default 5m.
	WriteHorizon time.Duration `yaml:"write_horizon" min:"100ms" max:"1h"`
	// How long to wait before a document that is not found is believed not to be there. Default 5s.
	SettleDelay time.Duration `yaml:"settle_delay" min:"1ms" max:"5m"`
	// First back-off after a failed call; it doubles, with jitter, up to back_off_limit. Default 1s.
	BackOff time.Duration `yaml:"back_off" min:"1ms" max:"1h"`
	// Longest back-off. Default 1m.
	BackOffLimit time.Duration `yaml:"back_off_limit" min:"1ms" max:"24h"`
	// Attempts at a record that fails while others succeed, before it is dead-lettered. Default 8.
	MaxAttempts int `yaml:"max_attempts" min:"1" max:"1000"`
	// Invoices marked sent in one call, at most. Default 25.
	MarkSentBatch int `yaml:"mark_sent_batch" min:"1" max:"25"`
	// How long an invoice waits for others to be marked sent with. Default 2s.
	MarkSentEvery time.Duration `yaml:"mark_sent_every" min:"1ms" max:"1m"`
}

// HTTP serves /healthz, /readyz and /metrics.
type HTTP struct {
	// Address to listen on; empty: none. Default 127.0.0.1:8080.
	Listen string `yaml:"listen"`
}

// Telemetry says where traces go; metrics are always served at /metrics.
type Telemetry struct {
	// OTLP/HTTP endpoint for traces, such as http://127.0.0.1:4318. Empty: no traces. Default empty.
	OTLPEndpoint string `yaml:"otlp_endpoint"`
	// Headers for the endpoint as name=value, comma-separated. Default empty.
	OTLPHeaders secret.String `yaml:"otlp_headers"`
	// Part of the records that are traced, from 0 to 1. Default 1.
	SampleRatio float64 `yaml:"sample_ratio" min:"0" max:"1"`
	// service.name of metrics and traces. Default booksync.
	ServiceName string `yaml:"service_name"`
}

// Log says how to log, to stderr.
type Log struct {
	// Level: debug, info, warn or error. Default info.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
	// Format: json or text. Default json.
	Format string `yaml:"format" enum:"json,text"`
}
