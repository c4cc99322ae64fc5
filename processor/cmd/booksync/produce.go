package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/schemas"
)

func (c *cli) produceCommand() *cobra.Command {
	var topic string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "produce orders|payments|refunds FILE|-",
		Short: "Write events to Kafka: JSON in, Avro out",
		Long: `Reads events as JSON, one a line, encodes them in Avro and writes them to the workflow's topic with the order id
as key. Names and meanings of the fields are those of schemas/*.avsc; decimals may be texts or numbers, instants
are RFC 3339. With a schema registry the schema must be registered ('booksync setup --apply').

Lines that are no such event are named on stderr and left out; the others are written all the same, and the exit
code is then 1.`,
		Example: `  booksync produce orders orders.jsonl
  jq -c .orders[] export.json | booksync produce orders -
  booksync produce refunds refunds.jsonl --dry-run`,
		Args: args(2),
		RunE: func(cmd *cobra.Command, a []string) error {
			kind, ok := eventKinds[a[0]]
			if !ok {
				return usage(cmd, fmt.Sprintf("want orders, payments or refunds instead of %q", a[0]))
			}
			in, closeIn, err := c.open(a[1])
			if err != nil {
				return err
			}
			defer closeIn()
			return c.produce(cmd.Context(), kind, topic, in, dryRun)
		},
	}
	cmd.Flags().StringVar(&topic, "topic", "", "another `topic` than the configured one")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "read and encode only; Kafka is not contacted")
	return cmd
}

// eventKind is how one workflow's events go from JSON to Avro.
type eventKind struct {
	name   string // of the workflow, plural
	topics func(*config.Config) []string
	// encode answers the key and the value; the error is about the line.
	encode func(ctx context.Context, codec *schemas.Codec, topic string, line []byte) (key string, value []byte, err error)
}

var eventKinds = map[string]eventKind{
	"orders": {"orders", func(c *config.Config) []string { return c.Topics.Orders }, func(ctx context.Context, codec *schemas.Codec, topic string, line []byte) (string, []byte, error) {
		v, err := schemas.OrderFromJSON(line)
		if err != nil {
			return "", nil, err
		}
		value, err := codec.EncodeOrder(ctx, topic, v)
		return v.OrderID, value, err
	}},
	"payments": {"payments", func(c *config.Config) []string { return c.Topics.Payments }, func(ctx context.Context, codec *schemas.Codec, topic string, line []byte) (string, []byte, error) {
		v, err := schemas.PaymentFromJSON(line)
		if err != nil {
			return "", nil, err
		}
		value, err := codec.EncodePayment(ctx, topic, v)
		return v.OrderID, value, err
	}},
	"refunds": {"refunds", func(c *config.Config) []string { return c.Topics.Refunds }, func(ctx context.Context, codec *schemas.Codec, topic string, line []byte) (string, []byte, error) {
		v, err := schemas.RefundFromJSON(line)
		if err != nil {
			return "", nil, err
		}
		value, err := codec.EncodeRefund(ctx, topic, v)
		return v.OrderID, value, err
	}},
}

// open opens a file; "-" is stdin.
func (c *cli) open(name string) (io.Reader, func(), error) {
	if name == "-" {
		return c.stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, &exitError{code: codeUsage, err: fmt.Errorf("opening the events: %w", err)}
	}
	return f, func() { _ = f.Close() }, nil
}

func (c *cli) produce(ctx context.Context, kind eventKind, topic string, in io.Reader, dryRun bool) error {
	cfg, err := c.load(config.NeedKafka)
	if err != nil {
		return err
	}
	if topic == "" {
		topics := kind.topics(cfg)
		if len(topics) != 1 {
			return &exitError{code: codeUsage, err: fmt.Errorf("%d topics are configured for %s: name one with --topic", len(topics), kind.name)}
		}
		topic = topics[0]
	}
	codec, err := access.Codec(cfg)
	if err != nil {
		return err
	}
	defer codec.Close()
	p := &producing{cli: c, topic: topic}
	if !dryRun {
		if p.client, err = access.Producer(cfg, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(produceTimeout)); err != nil {
			return err
		}
		defer p.client.Close()
	}
	if err := p.lines(ctx, in, func(line []byte) (string, []byte, error) { return kind.encode(ctx, codec, topic, line) }); err != nil {
		return err
	}
	verb := "written to"
	if dryRun {
		verb = "fit for"
	}
	fmt.Fprintf(c.stdout, "%s %s %s\n", plural(p.good, "record"), verb, topic)
	if p.bad > 0 {
		return failed("%s left out", plural(p.bad, "line"))
	}
	return nil
}

// producing is one run of produce.
type producing struct {
	*cli
	topic     string
	client    *kgo.Client // nil: dry run
	good, bad int
}

// longestLine bounds one event's JSON; Kafka takes 1 MiB of Avro by default, and JSON is longer.
const longestLine = 16 << 20

// produceTimeout is how long a record may take to be written, retries included; then Kafka counts as not available.
const produceTimeout = 30 * time.Second

// batchRecords are written before the next lines are read, so that a long file does not fill the memory.
const batchRecords = 1000

func (p *producing) lines(ctx context.Context, in io.Reader, encode func([]byte) (string, []byte, error)) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), longestLine)
	var batch []*kgo.Record
	for n := 1; scanner.Scan(); n++ {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		key, value, err := encode(line)
		switch {
		case err == nil:
		case errors.Is(err, schemas.ErrRegistryUnavailable):
			return unavailable(err)
		case errors.Is(err, schemas.ErrNotRegistered):
			return failed("%w; `booksync setup --apply` registers it", err)
		case ctx.Err() != nil:
			return fmt.Errorf("encoding: %w", ctx.Err())
		default:
			p.bad++
			fmt.Fprintf(p.stderr, "line %d: %v\n", n, err)
			continue
		}
		batch = append(batch, &kgo.Record{Topic: p.topic, Key: []byte(key), Value: value})
		if len(batch) == batchRecords {
			if err := p.send(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := scanner.Err(); err != nil {
		return failed("reading the events after line %d: %w", p.good+p.bad, err)
	}
	return p.send(ctx, batch)
}

func (p *producing) send(ctx context.Context, batch []*kgo.Record) error {
	if p.client != nil && len(batch) > 0 {
		results := p.client.ProduceSync(ctx, batch...)
		if err := results.FirstErr(); err != nil {
			return unavailable(fmt.Errorf("writing to %s: %w", p.topic, err))
		}
	}
	p.good += len(batch)
	return nil
}
