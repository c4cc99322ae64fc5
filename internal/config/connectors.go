package config

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// KafkaConfig is the engine's configuration, and that of any client of the cluster.
func (c *Config) KafkaConfig() (kafka.Config, error) {
	k, e := c.Kafka, c.Engine
	secure, err := k.TLS.Config()
	if err != nil {
		return kafka.Config{}, fmt.Errorf("kafka.tls: %w", err)
	}
	id := k.TransactionalID
	if id == "" {
		host, err := os.Hostname()
		if err != nil {
			return kafka.Config{}, fmt.Errorf("naming this replica after its host: %w; set kafka.transactional_id", err)
		}
		id = k.Group + "-" + host
	}
	out := kafka.Config{
		Brokers: k.Brokers, ClientID: k.ClientID, TLS: secure,
		Group: k.Group, Topics: c.Topics.Sources(), OutputTopics: c.outputs(), TransactionalID: id,
		Protocol: kafka.Protocol(k.Protocol), InstanceID: k.InstanceID, SessionTimeout: k.SessionTimeout, StartAtEnd: e.StartAtEnd,
		TransactionTimeout: e.TransactionTimeout, DrainTimeout: e.DrainTimeout,
		SettleEvery: e.SettleEvery, SettleRecords: e.SettleRecords,
		MaxRecordsPerPartition: e.MaxRecordsPerPartition, MaxRunningPerPartition: e.MaxRunningPerPartition, MaxParkedPerPartition: e.MaxParkedPerPartition, MaxUnpublished: e.MaxUnpublished,
	}
	out.SASL = kafka.SASL{Mechanism: strings.ToUpper(k.SASL.Mechanism), User: k.SASL.Username, Password: k.SASL.Password.Reveal()}
	if out.SASL.Mechanism == kafka.MechanismOAuthBearer {
		out.SASL.Token = func(context.Context) (string, error) { return readToken(k.SASL.TokenFile) }
	}
	return out, nil
}

// outputs are what the job publishes to; the audit topic is the operators'.
func (c *Config) outputs() []string {
	out := []string{c.Topics.Outcomes}
	for _, source := range c.Topics.Sources() {
		out = append(out, c.Topics.DeadLetter(source))
	}
	return out
}

// readToken reads a bearer token, which an agent on this machine renews.
func readToken(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading kafka.sasl.token_file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", errors.New("reading kafka.sasl.token_file: it is empty")
	}
	return token, nil
}

// RedisConfig is the configuration of the Redis client.
func (c *Config) RedisConfig(log *slog.Logger) (redis.Config, error) {
	r := c.Redis
	secure, err := r.TLS.Config()
	if err != nil {
		return redis.Config{}, fmt.Errorf("redis.tls: %w", err)
	}
	return redis.Config{
		Addresses: r.Addresses, MasterName: r.MasterName, Cluster: r.Cluster, Username: r.Username, Password: r.Password.Reveal(),
		DB: r.Database, TLS: secure, PoolSize: r.PoolSize, Timeout: r.Timeout, Logger: log,
	}, nil
}

// ClaimsConfig is the configuration of the claims.
func (c *Config) ClaimsConfig() redis.ClaimsConfig {
	return redis.ClaimsConfig{Lease: c.Claims.Lease, Retention: c.Claims.Retention}
}

// BudgetConfig is the budget of every organisation, by name.
func (c *Config) BudgetConfig() redis.BudgetConfig {
	out := redis.BudgetConfig{Organizations: map[string]redis.Limits{}}
	for name := range c.Organizations {
		out.Organizations[name] = c.budget(c.Limits(name))
	}
	out.Default = c.budget(Limits{PerMinute: c.Zoho.CallsPerMinute, Concurrency: c.Zoho.Concurrency})
	return out
}

func (c *Config) budget(l Limits) redis.Limits {
	// A call without an answer may still run at Zoho for a while after the timeout here.
	grace := c.Zoho.Timeout / 2
	reserve := float64(c.Zoho.ReservePercent) / 100
	if reserve == 0 {
		reserve = -1 // none; 0 would be the default
	}
	return redis.Limits{
		PerWindow: l.PerMinute, Window: c.Zoho.Window, Concurrency: l.Concurrency,
		SlotDeadline: c.Zoho.Timeout + grace, DayReserve: reserve, RatePause: c.Zoho.Pause,
	}
}

// RegistryConfig is the schema registry's configuration; ok is false when none is configured.
func (c *Config) RegistryConfig() (cfg schemas.RegistryConfig, ok bool, err error) {
	s := c.SchemaRegistry
	if len(s.URLs) == 0 {
		return schemas.RegistryConfig{}, false, nil
	}
	secure, err := s.TLS.Config()
	if err != nil {
		return schemas.RegistryConfig{}, false, fmt.Errorf("schema_registry.tls: %w", err)
	}
	return schemas.RegistryConfig{URLs: s.URLs, Username: s.Username, Password: s.Password.Reveal(), TLS: secure}, true, nil
}

// BooksConfig is how the organisation with this name is reached.
func (c *Config) BooksConfig(name string) zohobooks.Config {
	o, z := c.Organizations[name], c.Zoho
	return zohobooks.Config{
		DataCenter: firstText(o.DataCenter, z.DataCenter), APIBase: firstText(o.APIBase, z.APIBase),
		AccountsBase: firstText(o.AccountsBase, z.AccountsBase), AllowLoopback: z.AllowLoopback,
		OrganizationID: o.ID, ClientID: o.ClientID, ClientSecret: o.ClientSecret, RefreshToken: o.RefreshToken,
		Timeout: z.Timeout, Concurrency: c.Limits(name).Concurrency,
	}
}

// ProcessorConfig is the job's configuration.
func (c *Config) ProcessorConfig(version string) processor.Config {
	return processor.Config{
		Group: c.Kafka.Group, Version: version,
		Topics: processor.Topics{Orders: c.Topics.Orders, Payments: c.Topics.Payments, Refunds: c.Topics.Refunds,
			Outcomes: c.Topics.Outcomes, DeadLetterSuffix: c.Topics.DeadLetterSuffix},
		Lease: c.Claims.Lease, WriteHorizon: c.Zoho.WriteHorizon, SettleDelay: c.Zoho.SettleDelay, MaxAttempts: c.Zoho.MaxAttempts,
		BackOff: c.Zoho.BackOff, BackOffLimit: c.Zoho.BackOffLimit,
		MarkSentBatch: c.Zoho.MarkSentBatch, MarkSentWait: c.Zoho.MarkSentEvery, Retention: c.Claims.Retention, Recheck: c.Claims.Recheck,
	}
}

// Config is the TLS configuration of a client; nil when TLS is off.
func (t TLS) Config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("reading ca_file: there is no certificate in it")
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading cert_file and key_file: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}
