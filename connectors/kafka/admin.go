package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Admin asks and tells the brokers what is not consuming or publishing. It is safe for concurrent use; every method blocks until answered or ctx ends.
type Admin struct {
	cl    *kgo.Client
	adm   *kadm.Client
	group string
}

// NewAdmin builds an administrative client from the connection part of cfg; Group is needed only by the methods about committed positions. It touches no network.
func NewAdmin(cfg Config, extra ...kgo.Opt) (*Admin, error) {
	opts, err := cfg.ClientOpts()
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.MaxVersions(requestVersions(true)))
	cl, err := kgo.NewClient(append(opts, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the administrative kafka client: %w", err)
	}
	return &Admin{cl: cl, adm: kadm.NewClient(cl), group: cfg.Group}, nil
}

// Close closes the client.
func (a *Admin) Close() { a.cl.Close() }

// ErrTopic is wrapped by what Writable and Readable say about a topic that is missing or forbidden.
var ErrTopic = errors.New("kafka topic not usable")

// Bits of a topic's authorized operations (KIP-430), by the ACL operation's code.
const (
	mayRead  = 1 << 3
	mayWrite = 1 << 4
	// mayUnknown is what brokers without an authorizer answer: nothing known.
	mayUnknown = -1 << 31
)

// Writable answers nil when every topic exists and may be written to, as far as the brokers tell; otherwise an error that wraps ErrTopic and names the topics.
func (a *Admin) Writable(ctx context.Context, topics ...string) error {
	return a.usable(ctx, mayWrite, "written to", topics)
}

// Readable is Writable for consuming.
func (a *Admin) Readable(ctx context.Context, topics ...string) error {
	return a.usable(ctx, mayRead, "read", topics)
}

func (a *Admin) usable(ctx context.Context, operation int32, done string, topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return fmt.Errorf("looking at the kafka topics: %w", err)
	}
	var errs []error
	for _, t := range resp.Topics {
		name := ""
		if t.Topic != nil {
			name = *t.Topic
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err != nil && !errors.Is(err, kerr.LeaderNotAvailable):
			errs = append(errs, fmt.Errorf("%w: %q: %w", ErrTopic, name, err))
		case t.AuthorizedOperations != mayUnknown && t.AuthorizedOperations != 0 && t.AuthorizedOperations&operation == 0:
			errs = append(errs, fmt.Errorf("%w: %q may not be %s by this user", ErrTopic, name, done))
		}
	}
	return errors.Join(errs...)
}

const configMaxMessage = "max.message.bytes"

// MaxMessageBytes answers the topics' limits for a record batch, of those it may see; an error comes with what was learned.
func (a *Admin) MaxMessageBytes(ctx context.Context, topics ...string) (map[string]int, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	configs, err := a.adm.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("describing topic configurations: %w", err)
	}
	sizes := make(map[string]int, len(configs))
	for _, c := range configs {
		if c.Err != nil {
			err = fmt.Errorf("describing the configuration of topic %q: %w", c.Name, c.Err)
			continue
		}
		for _, kv := range c.Configs {
			if kv.Key != configMaxMessage || kv.Value == nil {
				continue
			}
			if n, parseErr := strconv.Atoi(*kv.Value); parseErr == nil && n > 0 {
				sizes[c.Name] = n
			}
		}
	}
	return sizes, err
}

// Ends answers the topics' log ends now: last stable offsets, what a read_committed reader can reach.
func (a *Admin) Ends(ctx context.Context, topics ...string) (map[string]map[int32]int64, error) {
	return offsets(a.adm.ListCommittedOffsets(ctx, topics...))
}

// Starts answers the topics' log starts.
func (a *Admin) Starts(ctx context.Context, topics ...string) (map[string]map[int32]int64, error) {
	return offsets(a.adm.ListStartOffsets(ctx, topics...))
}

func offsets(listed kadm.ListedOffsets, err error) (map[string]map[int32]int64, error) {
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing offsets: %w", err)
	}
	all := make(map[string]map[int32]int64)
	listed.Each(func(o kadm.ListedOffset) {
		if all[o.Topic] == nil {
			all[o.Topic] = make(map[int32]int64)
		}
		all[o.Topic][o.Partition] = o.Offset
	})
	return all, nil
}

// Position is a committed position with its metadata.
type Position struct {
	Offset   int64
	Metadata string
}

// Positions answers the group's committed positions: partitions without one are missing. It waits for transactions that are being decided.
func (a *Admin) Positions(ctx context.Context) (map[string]map[int32]Position, error) {
	for {
		all, err := a.positions(ctx)
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return all, err
		}
		if err := sleep(ctx, backoffMin); err != nil {
			return nil, err
		}
	}
}

func (a *Admin) positions(ctx context.Context) (map[string]map[int32]Position, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	req.Group = a.group
	req.Topics = nil // all
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = a.group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, a.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[string]map[int32]Position{}, nil // a group that never was has no positions
	}
	if err != nil {
		return nil, fmt.Errorf("fetching the positions of group %q: %w", a.group, err)
	}
	all := make(map[string]map[int32]Position)
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			if errors.Is(err, kerr.GroupIDNotFound) {
				continue
			}
			return nil, fmt.Errorf("fetching the positions of group %q: %w", a.group, err)
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("fetching the position of %s/%d: %w", t.Topic, p.Partition, err)
				}
				if p.Offset < 0 {
					continue
				}
				if all[t.Topic] == nil {
					all[t.Topic] = make(map[int32]Position)
				}
				pos := Position{Offset: p.Offset}
				if p.Metadata != nil {
					pos.Metadata = *p.Metadata
				}
				all[t.Topic][p.Partition] = pos
			}
		}
	}
	return all, nil
}

// HasCommits reports whether the group has a commit for any partition of any topic.
func (a *Admin) HasCommits(ctx context.Context) (bool, error) {
	positions, err := a.Positions(ctx)
	return len(positions) > 0, err
}

// Topic describes a topic, or asks for one.
type Topic struct {
	Name        string
	Partitions  int32             // asking: at least 1
	Replication int16             // asking: -1 or 0 for the brokers' default
	Configs     map[string]string // asking: what differs from the brokers' defaults
}

// DescribeTopics answers the topics that exist among names, by name.
func (a *Admin) DescribeTopics(ctx context.Context, names ...string) (map[string]Topic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	details, err := a.adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describing topics: %w", err)
	}
	found := make(map[string]Topic)
	var existing []string
	for name, d := range details {
		if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if d.Err != nil {
			return nil, fmt.Errorf("describing topic %q: %w", name, d.Err)
		}
		found[name] = Topic{Name: name, Partitions: int32(len(d.Partitions)), Replication: int16(d.Partitions.NumReplicas()), Configs: make(map[string]string)}
		existing = append(existing, name)
	}
	if len(existing) == 0 {
		return found, nil
	}
	configs, err := a.adm.DescribeTopicConfigs(ctx, existing...)
	if err != nil {
		return nil, fmt.Errorf("describing topic configurations: %w", err)
	}
	for _, c := range configs {
		for _, kv := range c.Configs {
			if kv.Value != nil && c.Err == nil {
				found[c.Name].Configs[kv.Key] = *kv.Value
			}
		}
	}
	return found, nil
}

// CreateTopics creates those of topics that do not exist and answers their names. It changes nothing about existing ones.
func (a *Admin) CreateTopics(ctx context.Context, topics ...Topic) (created []string, err error) {
	var errs []error
	for _, t := range topics {
		configs := make(map[string]*string, len(t.Configs))
		for k, v := range t.Configs {
			configs[k] = kmsg.StringPtr(v)
		}
		replication := t.Replication
		if replication == 0 {
			replication = -1
		}
		_, err := a.adm.CreateTopic(ctx, max(t.Partitions, 1), replication, configs, t.Name)
		switch {
		case err == nil:
			created = append(created, t.Name)
		case !errors.Is(err, kerr.TopicAlreadyExists):
			errs = append(errs, fmt.Errorf("creating topic %q: %w", t.Name, err))
		}
	}
	return created, errors.Join(errs...)
}

const (
	// trailRetention keeps outcomes and audit entries for ten years: they are the books' trail.
	trailRetention = 10 * 365 * 24 * 60 * 60 * 1000
	// deadLetterExtra is the room for a dead letter's own headers.
	deadLetterExtra = 64 << 10
)

// TrailTopic is a topic whose records are kept for years.
func TrailTopic(name string, partitions int32) Topic {
	return Topic{Name: name, Partitions: partitions, Configs: map[string]string{
		"retention.ms": strconv.Itoa(trailRetention), "cleanup.policy": "delete",
	}}
}

// DeadLetterTopic is a topic that takes every record of source, which DescribeTopics answered, with headers added.
func DeadLetterTopic(name string, source Topic) Topic {
	limit, err := strconv.Atoi(strings.TrimSpace(source.Configs[configMaxMessage]))
	if err != nil || limit <= 0 {
		limit = defaultMaxMessage
	}
	return Topic{Name: name, Partitions: max(source.Partitions, 1), Replication: source.Replication, Configs: map[string]string{
		configMaxMessage: strconv.Itoa(limit + deadLetterExtra), "cleanup.policy": "delete",
	}}
}
