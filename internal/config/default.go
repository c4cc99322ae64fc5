package config

import "time"

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		Kafka: Kafka{
			Brokers:        []string{"127.0.0.1:9092"},
			ClientID:       "booksync",
			Group:          "booksync",
			Protocol:       "classic",
			SessionTimeout: 10 * time.Second,
		},
		Topics: Topics{
			Orders:              []string{"commerce.orders"},
			Payments:            []string{"commerce.payments"},
			Refunds:             []string{"commerce.refunds"},
			Outcomes:            "books.outcomes",
			Audit:               "books.audit",
			DeadLetterSuffix:    ".dlq",
			Partitions:          6,
			Replication:         -1,
			Retention:           3650 * day,
			DeadLetterRetention: 90 * day,
		},
		Engine: Engine{
			SettleEvery:            100 * time.Millisecond,
			SettleRecords:          500,
			MaxRecordsPerPartition: 1000,
			MaxRunningPerPartition: 64,
			MaxParkedPerPartition:  500,
			MaxUnpublished:         10000,
			DrainTimeout:           30 * time.Second,
			TransactionTimeout:     10 * time.Second,
		},
		Redis:  Redis{Addresses: []string{"127.0.0.1:6379"}, Timeout: 3 * time.Second, PoolSize: 16},
		Claims: Claims{Lease: time.Minute, Retention: 35 * day, Recheck: 30 * time.Second},
		Zoho: Zoho{
			DataCenter:     "us",
			Timeout:        30 * time.Second,
			Concurrency:    10,
			CallsPerMinute: 100,
			ReservePercent: 20,
			Window:         61 * time.Second,
			Pause:          time.Minute,
			WriteHorizon:   5 * time.Minute,
			SettleDelay:    5 * time.Second,
			BackOff:        time.Second,
			BackOffLimit:   time.Minute,
			MaxAttempts:    8,
			MarkSentBatch:  25,
			MarkSentEvery:  2 * time.Second,
		},
		HTTP:      HTTP{Listen: "127.0.0.1:8080"},
		Telemetry: Telemetry{SampleRatio: 1, ServiceName: "booksync"},
		Log:       Log{Level: "info", Format: "json"},
	}
}

// DefaultOrganization is an organisation without any key in the file.
func DefaultOrganization() Organization {
	names := EntityFields{Key: "cf_booksync_key", Origin: "cf_booksync_origin"}
	return Organization{
		Live:               true,
		Edition:            "global",
		TaxRounding:        "entity_level",
		RoundOff:           "none",
		Fields:             Fields{Contact: names, Invoice: names, Payment: names, CreditNote: names},
		InvoicePolicy:      "sent",
		MismatchPolicy:     "flag",
		Tolerance:          1,
		ZeroTotal:          "post",
		LockPolicy:         "reject",
		DependencyDeadline: time.Hour,
	}
}
