package app

import (
	"context"
	"errors"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
)

// limiter lets a Zoho Books client ask the budget in Redis.
type limiter struct {
	budget       *redis.Budget
	organization string
}

// Acquire implements zohobooks.Limiter.
func (l *limiter) Acquire(ctx context.Context, class zohobooks.Class) (zohobooks.Grant, error) {
	g, err := l.budget.Acquire(ctx, l.organization, classes[class])
	var paused *redis.PausedError
	switch {
	case errors.As(err, &paused):
		return nil, &zohobooks.PausedError{Until: paused.Until, Reason: paused.Reason}
	case err != nil:
		return nil, err
	}
	return grant{g}, nil
}

var classes = map[zohobooks.Class]redis.Class{
	zohobooks.ClassLookUp: redis.LookUp, zohobooks.ClassOrder: redis.Order, zohobooks.ClassPayment: redis.Payment,
	zohobooks.ClassRefund: redis.Refund, zohobooks.ClassOperator: redis.Operator, zohobooks.ClassProbe: redis.Probe,
}

type grant struct{ *redis.Grant }

// Done implements zohobooks.Grant. What never left is given back.
func (g grant) Done(a zohobooks.CallAnswer) {
	if a.Answered && a.Status == 0 {
		g.Return()
		return
	}
	g.Grant.Done(redis.Answer{
		Status: a.Status, Code: a.Code, DayLimit: a.DayLimit, DayRemaining: a.DayRemaining, DayReset: a.DayReset,
		RetryAfter: a.RetryAfter, Answered: a.Answered,
	})
}
