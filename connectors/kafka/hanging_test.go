package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// openTxn is a transaction that a partition holds open.
type openTxn struct {
	topic     string
	partition int32
	producer  int64
	start     int64
}

// abortHanging does until the test ends what an operator does with `kafka-transactions.sh find-hanging` and `abort`: it ends transactions that a partition holds
// open although their coordinator calls them complete. A single Kafka 4.3.1 that is killed while it writes the markers of a transaction was seen to leave such
// a one (its transaction log went from PrepareCommit to CompleteCommit; readers and the group's commits stood before its first offset for ever). To the engine it
// is an aborted transaction: its positions are not committed, so its results are published again.
func (k *kit) abortHanging(transactionalIDs ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var before map[openTxn]kadm.DescribedProducer
		for sleep(ctx, 2*time.Second) == nil {
			now := k.hanging(ctx, transactionalIDs)
			for txn, p := range now {
				if _, twice := before[txn]; !twice {
					continue
				}
				k.t.Logf("a transaction hangs in %s/%d from offset %d on and is aborted", txn.topic, txn.partition, txn.start)
				_, err := k.admin.adm.WriteTxnMarkers(ctx, kadm.TxnMarkers{
					ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, CoordinatorEpoch: p.CoordinatorEpoch, Topics: topicsOf(txn),
				})
				if err != nil && ctx.Err() == nil {
					k.t.Logf("aborting it: %v", err)
				}
			}
			before = now
		}
	}()
	k.t.Cleanup(func() {
		cancel()
		<-done
	})
}

func topicsOf(txn openTxn) kadm.TopicsSet {
	s := kadm.TopicsSet{}
	s.Add(txn.topic, txn.partition)
	return s
}

// hanging answers the transactions that partitions hold open and that no coordinator knows as such. Brokers that do not answer know of none.
func (k *kit) hanging(ctx context.Context, transactionalIDs []string) map[openTxn]kadm.DescribedProducer {
	topics, err := k.admin.adm.ListTopicsWithInternal(ctx, k.outcomes, k.dead, "__consumer_offsets")
	if err != nil {
		return nil
	}
	producers, err := k.admin.adm.DescribeProducers(ctx, topics.TopicsSet())
	if err != nil {
		return nil
	}
	// Asked after the partitions were: what was open there and ended since is seen only once.
	txns, err := k.admin.adm.DescribeTransactions(ctx, transactionalIDs...)
	if err != nil {
		return nil
	}
	complete := map[int64]bool{}
	for _, txn := range txns {
		complete[txn.ProducerID] = txn.Err == nil && (txn.State == "Empty" || txn.State == "CompleteCommit" || txn.State == "CompleteAbort")
	}
	found := map[openTxn]kadm.DescribedProducer{}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset >= 0 && complete[p.ProducerID] {
			found[openTxn{p.Topic, p.Partition, p.ProducerID, p.CurrentTxnStartOffset}] = p
		}
	})
	return found
}
