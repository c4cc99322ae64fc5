package setup

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/booksync/booksync/connectors/kafka"
)

// kafka looks at the topics. Those that are read belong to the producers; those that are written are made when asked to.
func (r *run) kafka(ctx context.Context) {
	t := r.cfg.Topics
	if r.deps.Cluster == nil {
		return
	}
	found, err := r.deps.Cluster.DescribeTopics(ctx, append(t.Sources(), t.Produced()...)...)
	if err != nil {
		r.add("kafka", "", strings.Join(r.cfg.Kafka.Brokers, ","), Unknown, err.Error(), "start Kafka, or correct kafka.brokers, tls and sasl")
		return
	}
	for _, name := range t.Sources() {
		topic, ok := found[name]
		if !ok {
			r.add("kafka", "", name, Missing, "does not exist", "it belongs to the producers: let them create it, or correct topics in the configuration")
			continue
		}
		r.report.Snapshot.topic(topic)
		r.add("kafka", "", name, OK, describe(topic), "")
	}
	for _, want := range r.written(found) {
		r.writtenTopic(ctx, want, found)
	}
}

// written are the topics booksync writes, as setup would make them.
func (r *run) written(found map[string]kafka.Topic) []kafka.Topic {
	t := r.cfg.Topics
	keep := func(topic kafka.Topic, ms int64) kafka.Topic {
		topic.Configs["retention.ms"] = strconv.FormatInt(ms, 10)
		return topic
	}
	out := []kafka.Topic{}
	for _, name := range []string{t.Outcomes, t.Audit, t.Reconciliations} {
		topic := kafka.TrailTopic(name, int32(t.Partitions)) //nolint:gosec // bounded by the configuration's check
		topic.Replication = int16(t.Replication)             //nolint:gosec // likewise
		out = append(out, keep(topic, t.Retention.Milliseconds()))
	}
	for _, source := range t.Sources() {
		topic := kafka.DeadLetterTopic(t.DeadLetter(source), found[source])
		topic.Replication = int16(t.Replication) //nolint:gosec // likewise
		out = append(out, keep(topic, t.DeadLetterRetention.Milliseconds()))
	}
	return out
}

func (r *run) writtenTopic(ctx context.Context, want kafka.Topic, found map[string]kafka.Topic) {
	have, ok := found[want.Name]
	switch {
	case ok:
		r.report.Snapshot.topic(have)
		r.checkTopic(want, have)
	case !r.opts.Apply:
		r.add("kafka", "", want.Name, Missing, "does not exist", "`booksync setup --apply` creates it")
	default:
		if _, err := r.deps.Cluster.CreateTopics(ctx, want); err != nil {
			r.add("kafka", "", want.Name, Missing, err.Error(), "allow this user to create it, or create it by hand with "+configs(want))
			return
		}
		r.report.Snapshot.topic(want)
		r.add("kafka", "", want.Name, Created, describe(want), "")
	}
}

// checkTopic compares a topic that exists with the one that setup would have made.
func (r *run) checkTopic(want, have kafka.Topic) {
	alter := func(config string) string {
		return fmt.Sprintf("kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s", want.Name, config)
	}
	fine := true
	if policy := have.Configs["cleanup.policy"]; strings.Contains(policy, "compact") {
		fine = false
		r.add("kafka", "", want.Name, Wrong, "cleanup.policy is "+policy+": compaction removes what has the same key, here one order's records", alter("cleanup.policy=delete"))
	}
	if n, w := number(have, "max.message.bytes"), number(want, "max.message.bytes"); n > 0 && n < w {
		fine = false
		r.add("kafka", "", want.Name, Wrong, fmt.Sprintf("takes records up to %d bytes, %d are needed: a dead letter of the largest record would lose its value", n, w),
			alter("max.message.bytes="+strconv.FormatInt(w, 10)))
	}
	if n, w := number(have, "retention.ms"), number(want, "retention.ms"); n > 0 && n < w {
		fine = false
		r.add("kafka", "", want.Name, Warning, fmt.Sprintf("keeps its records for %s, less than configured", days(n)), alter("retention.ms="+strconv.FormatInt(w, 10)))
	}
	if fine {
		r.add("kafka", "", want.Name, OK, describe(have), "")
	}
}

func number(t kafka.Topic, config string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(t.Configs[config]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func days(ms int64) string {
	const day = 24 * 60 * 60 * 1000
	if ms < day {
		return count(int(ms/(day/24)), "hour")
	}
	return count(int(ms/day), "day")
}

func describe(t kafka.Topic) string {
	s := count(int(t.Partitions), "partition")
	if ms := number(t, "retention.ms"); ms > 0 {
		s += ", kept for " + days(ms)
	}
	return s
}

// configs are the options of kafka-topics.sh for t, in a fixed order.
func configs(t kafka.Topic) string {
	s := fmt.Sprintf("--partitions %d", t.Partitions)
	for _, key := range []string{"cleanup.policy", "retention.ms", "max.message.bytes"} {
		if v := t.Configs[key]; v != "" {
			s += " --config " + key + "=" + v
		}
	}
	return s
}
