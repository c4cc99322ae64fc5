package config

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite golden files and the generated part of docs/configuration.md")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// full is a file with every kind of setting in it.
const full = `
kafka:
  brokers: [k1:9092, k2:9092]
  session_timeout: 15s
  sasl: {mechanism: scram-sha-512, username: booksync, password: kafka-secret}
topics:
  orders: commerce.orders, eu.orders
engine:
  drain_timeout: 45s
redis:
  token_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
claims:
  retention: 14d
organizations:
  acme: &acme
    id: 10234695
    client_id: 1000.ABC
    client_secret: very-secret
    refresh_token: 1000.refresh
    base_currency: EUR
    time_zone: Europe/Berlin
    taxes:
      vat20: {tax_id: 982000000566007, rate: 20.0}
      gst5+pst7:
        tax_id: "46000000012"
        rate: 12
        components:
          - {name: GST, rate: 5}
          - {name: PST, rate: 7}
      export: {exemption_id: "11"}
    default_tax: vat20
    items: {SKU-1: 46000000001, "007": 0012}
    line_targets:
      GOODS: {account_id: "46000000388"}
      GOODS/vat20: {item_id: "46000000389"}
    clearing: {stripe/EUR: "46000000500"}
  acme-uk:
    <<: *acme
    id: "10234696"
    time_zone: Europe/London
    base_currency: GBP
`

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

func noFiles(string) ([]byte, error) { return nil, os.ErrNotExist }
