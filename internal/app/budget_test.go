package app

import (
	"testing"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
)

func TestTheJobKnowsTheReserveByItsReason(t *testing.T) {
	t.Parallel()
	if processor.PauseReserve != redis.ReasonDayReserve {
		t.Errorf("the job waits for %q, the budget says %q", processor.PauseReserve, redis.ReasonDayReserve)
	}
}
