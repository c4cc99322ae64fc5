package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
)

// complete is a configuration whose connectors' parts are valid.
func complete(t *testing.T) *Config {
	t.Helper()
	c := mustParse(t, full)
	if err := c.Validate(NeedAll); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConnectorsTakeTheirParts(t *testing.T) {
	t.Parallel()
	c := complete(t)
	k, err := c.KafkaConfig()
	if err != nil || k.Validate() != nil {
		t.Errorf("kafka: %v %v", err, k.Validate())
	}
	host, _ := os.Hostname()
	if k.TransactionalID != "booksync-"+host || k.SASL.Mechanism != kafka.MechanismSCRAM512 || k.SASL.Password != "kafka-secret" {
		t.Errorf("kafka: %q %q", k.TransactionalID, k.SASL.Mechanism)
	}
	want := []string{"books.outcomes", "commerce.orders.dlq", "eu.orders.dlq", "commerce.payments.dlq", "commerce.refunds.dlq"}
	if diff := cmp.Diff(want, k.OutputTopics); diff != "" {
		t.Error(diff)
	}
	r, err := c.RedisConfig(slog.New(slog.DiscardHandler))
	if err != nil || r.Validate() != nil {
		t.Errorf("redis: %v %v", err, r.Validate())
	}
	if err := c.BudgetConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := c.ClaimsConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, name := range c.OrganizationNames() {
		b := c.BooksConfig(name).WithDefaults()
		if err := b.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok, err := c.RegistryConfig(); ok || err != nil {
		t.Errorf("a registry from nowhere: %v %v", ok, err)
	}
	keys, err := c.Redis.TokenKeys()
	if err != nil || len(keys) != 1 {
		t.Errorf("keys: %d %v", len(keys), err)
	}
	if err := (redis.TokenStoreConfig{CurrentKey: keys[0]}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsAreTheConnectorsOwn(t *testing.T) {
	t.Parallel()
	c := Default()
	k, err := c.KafkaConfig()
	if err != nil {
		t.Fatal(err)
	}
	kd := kafka.Config{}.WithDefaults()
	got := []any{k.ClientID, k.Protocol, k.SessionTimeout, k.TransactionTimeout, k.DrainTimeout, k.SettleEvery, k.SettleRecords, k.MaxRecordsPerPartition, k.MaxRunningPerPartition, k.MaxParkedPerPartition, k.MaxUnpublished}
	want := []any{kd.ClientID, kd.Protocol, kd.SessionTimeout, kd.TransactionTimeout, kd.DrainTimeout, kd.SettleEvery, kd.SettleRecords, kd.MaxRecordsPerPartition, kd.MaxRunningPerPartition, kd.MaxParkedPerPartition, kd.MaxUnpublished}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kafka: %s", diff)
	}
	rd := redis.Config{}.WithDefaults()
	if c.Redis.PoolSize != rd.PoolSize || c.Redis.Timeout != rd.Timeout || !slices.Equal(c.Redis.Addresses, rd.Addresses) {
		t.Errorf("redis: %+v %+v", c.Redis, rd)
	}
	l, ld := c.BudgetConfig().Default, redis.Limits{}.WithDefaults()
	if l.PerWindow != ld.PerWindow || l.Window != ld.Window || l.Concurrency != ld.Concurrency || l.SlotDeadline != ld.SlotDeadline || l.DayReserve != ld.DayReserve || l.RatePause != ld.RatePause {
		t.Errorf("budget: %+v %+v", l, ld)
	}
	zd := zohobooks.Config{}.WithDefaults()
	if c.Zoho.Timeout != zd.Timeout || c.Zoho.Concurrency != zd.Concurrency || c.Zoho.DataCenter != zd.DataCenter {
		t.Errorf("zoho: %+v", zd)
	}
	p := c.ProcessorConfig("v")
	if diff := cmp.Diff(p.WithDefaults(), p); diff != "" {
		t.Errorf("processor: a default is missing here: %s", diff)
	}
	if diff := cmp.Diff(p.WithDefaults(), (&Config{Kafka: Kafka{Group: "booksync"}}).ProcessorConfig("v").WithDefaults()); diff != "" {
		t.Errorf("processor: %s", diff)
	}
}

func TestDataCentersAreTheConnectors(t *testing.T) {
	t.Parallel()
	for _, s := range configSettings() {
		if s.path != "zoho.data_center" {
			continue
		}
		listed := strings.Split(s.tag.Get("enum"), ",")
		slices.Sort(listed)
		if diff := cmp.Diff(zohobooks.DataCenters(), listed); diff != "" {
			t.Error(diff)
		}
	}
	for _, dc := range zohobooks.DataCenters() {
		if appHosts[dc] == "" {
			t.Errorf("no host for people in %s", dc)
		}
	}
}

func TestNoReserveIsNotTheDefaultReserve(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "zoho: {reserve_percent: 0}")
	if got := c.BudgetConfig().Default.DayReserve; got >= 0 {
		t.Errorf("a reserve of 0 %% became %v", got)
	}
}

func TestMapping(t *testing.T) {
	t.Parallel()
	c := complete(t)
	m, err := c.Mapping("acme")
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "acme" || m.ID != "10234695" || m.TimeZone.String() != "Europe/Berlin" || m.AppURL != "https://books.zoho.com/app/10234695" ||
		m.RoundOff != "" || m.Hash != c.Organizations["acme"].Hash() {
		t.Errorf("%+v", m)
	}
	if g := m.Taxes["gst5+pst7"]; len(g.Components) != 2 || g.Components[1].Name != "PST" || !g.Rate.Equal(g.Components[0].Rate.Add(g.Components[1].Rate)) {
		t.Errorf("%+v", g)
	}
	if m.LineTargets["GOODS/vat20"].ItemID != "46000000389" || m.Fields.CreditNote.Origin != "cf_booksync_origin" {
		t.Errorf("%+v", m)
	}
	if _, err := c.Mapping("nobody"); err == nil {
		t.Error("a mapping from nowhere")
	}
}

func TestTLSAndTokenFiles(t *testing.T) {
	t.Parallel()
	if cfg, err := (TLS{}).Config(); cfg != nil || err != nil {
		t.Errorf("off: %v %v", cfg, err)
	}
	cfg, err := TLS{Enabled: true, ServerName: "kafka"}.Config()
	if err != nil || cfg.ServerName != "kafka" || cfg.RootCAs != nil {
		t.Errorf("%+v %v", cfg, err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (TLS{Enabled: true, CAFile: file}).Config(); err == nil {
		t.Error("a CA file without a certificate")
	}
	c := mustParse(t, "kafka: {sasl: {mechanism: oauthbearer, token_file: "+file+"}}")
	k, err := c.KafkaConfig()
	if err != nil {
		t.Fatal(err)
	}
	if token, err := k.SASL.Token(t.Context()); err != nil || token != "not a certificate" {
		t.Errorf("%q %v", token, err)
	}
}
