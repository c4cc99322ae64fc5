package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// ClientOpts answers the options every client of c needs: brokers, client id, TLS and SASL. Only those fields of c are read, so a tool may set no others.
func (c Config) ClientOpts() ([]kgo.Opt, error) {
	if err := c.validateConnection(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.MetadataMinAge(c.MetadataMinAge),
		kgo.MetadataMaxAge(time.Minute), // how soon new partitions are seen
	}
	if c.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(c.TLS))
	}
	if m := c.SASL.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case MechanismPlain:
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism()
	case MechanismSCRAM256:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism()
	case MechanismSCRAM512:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism()
	case MechanismOAuthBearer:
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.Token(ctx)
			if err != nil {
				return oauth.Auth{}, fmt.Errorf("getting a bearer token: %w", err)
			}
			return oauth.Auth{Token: token}, nil
		})
	}
	return nil
}

// groupOpts are the options of a life's client beyond the connection. The client joins the group only once topics are added to it.
func (c Config) groupOpts() []kgo.Opt {
	start := kgo.NewOffset().AtStart()
	if c.StartAtEnd {
		start = kgo.NewOffset().AtEnd()
	}
	opts := []kgo.Opt{
		kgo.TransactionalID(c.TransactionalID),
		kgo.TransactionTimeout(c.TransactionTimeout),
		// A record that takes longer than its transaction may live cannot be committed any more.
		kgo.RecordDeliveryTimeout(c.TransactionTimeout),
		kgo.ConsumerGroup(c.Group),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.SessionTimeout),
		kgo.HeartbeatInterval(c.SessionTimeout / 4),
		kgo.RebalanceTimeout(c.RebalanceTimeout),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers move the position: without them it never reaches the end of a topic whose last write was a transaction.
		kgo.KeepControlRecords(),
		kgo.ConsumeStartOffset(start),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		// A partition that is fetched again has to wait until the running fetch ends.
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.FetchMaxBytes(int32(c.FetchMaxBytes)),
		kgo.FetchMaxPartitionBytes(int32(c.FetchMaxPartitionBytes)),
		kgo.MaxBufferedRecords(max(50_000, 4*c.MaxUnpublished)),
	}
	if c.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.InstanceID))
	}
	if c.Protocol == ProtocolConsumer {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	return opts
}

// The request keys whose versions are capped, see requestVersions.
var (
	keyProduce         = int16(kmsg.Produce)
	keyOffsetCommit    = int16(kmsg.OffsetCommit)
	keyOffsetFetch     = int16(kmsg.OffsetFetch)
	keyEndTxn          = int16(kmsg.EndTxn)
	keyTxnOffsetCommit = int16(kmsg.TxnOffsetCommit)
)

// requestVersions caps the versions of the requests the package writes by itself. Offset requests keep topic names (newer ones use topic ids). Without
// transaction.version 2 (KIP-890) every transaction request keeps the older protocol, in which the offsets topic is added to a transaction explicitly.
func requestVersions(kip890 bool) *kversion.Versions {
	v := kversion.Stable()
	limit := func(key, highest int16) {
		if now, ok := v.LookupMaxKeyVersion(key); ok && now > highest {
			v.SetMaxKeyVersion(key, highest)
		}
	}
	limit(keyOffsetCommit, 9)
	limit(keyOffsetFetch, 9)
	limit(keyTxnOffsetCommit, 5)
	if !kip890 {
		limit(keyProduce, 11)
		limit(keyEndTxn, 4)
		limit(keyTxnOffsetCommit, 4)
	}
	return v
}

// transactionsV2 asks a broker whether the cluster runs transaction.version 2. Brokers that know no features run the older one.
func transactionsV2(ctx context.Context, cl *kgo.Client) (bool, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "booksync", "1"
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return false, fmt.Errorf("asking for the brokers' features: %w", err)
	}
	return slices.ContainsFunc(resp.FinalizedFeatures, func(f kmsg.ApiVersionsResponseFinalizedFeature) bool {
		return f.Name == "transaction.version" && f.MaxVersionLevel >= 2
	}), nil
}

var errClosed = errors.New("kafka: the engine is closed")
