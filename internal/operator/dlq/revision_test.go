package dlq

import (
	"testing"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
)

// TestALaterRevisionIsReplayed: it was refused while the order stands as an earlier one made it. The job takes it up.
func TestALaterRevisionIsReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(sample{order: "O1", revision: 2, offset: 1})
	first := processor.IdentifyOrder(w.order("O1", 1))
	first.Fingerprint = "content of revision 1"
	w.claims["order:O1"] = redis.Entry{
		Exists: true, State: redis.StateDone, Settled: redis.StateDone, Coordinates: "orders/0/0", Fingerprint: first.Fingerprint, Revision: 1,
		Rejection: redis.Origin{Coordinates: "orders/0/1", Revision: 2},
	}
	var got []Report
	req := request(true)
	res, err := w.desk().Replay(t.Context(), req, reports(&got))
	if err != nil {
		t.Fatal(err)
	}
	if res.Count() != 1 || len(w.replayed()) != 1 {
		t.Errorf("done %v, left out %v: %+v", res.Done, res.LeftOut, got[0].Fate)
	}
}
