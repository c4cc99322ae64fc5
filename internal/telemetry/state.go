package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// State is what the gauges show at one moment.
type State struct {
	// Stalled: work does not move and nothing says why; /healthz fails.
	Stalled bool
	// Partitions assigned to this replica.
	Partitions []PartitionState
	// Parked records by reason.
	Parked map[string]int
	// Unpublished results.
	Unpublished int
	// Organizations that this replica works for.
	Organizations []OrganizationState
}

// PartitionState is one partition.
type PartitionState struct {
	Topic     string
	Partition int32
	// Lag is the number of records behind the log's end; negative: unknown.
	Lag int64
	// OldestUnsettled is the age of the oldest record that waits for its verdict; 0 when none does.
	OldestUnsettled time.Duration
}

// OrganizationState is one organisation.
type OrganizationState struct {
	Name string
	// MinuteRemaining and DayRemaining are calls left; negative: unknown.
	MinuteRemaining, DayRemaining int
	// Circuit is closed, probing or open.
	Circuit Circuit
	// Paused organisations make no calls for the reason named by PauseReason.
	Paused      bool
	PauseReason string
	// TokenExpiresIn is the rest of the access token's life; negative: there is none.
	TokenExpiresIn time.Duration
	// ReconciledAgo is the age of the last reconciliation; negative: there was none.
	ReconciledAgo time.Duration
}

// Circuit is the state of an organisation's circuit breaker; its number is the gauge's value.
type Circuit int

// The states of a circuit.
const (
	CircuitClosed  Circuit = 0
	CircuitProbing Circuit = 1
	CircuitOpen    Circuit = 2
)

// Watch makes the gauges call state at every scrape; it must answer within the scrape's timeout. stop ends that.
func (m *Metrics) Watch(state func(ctx context.Context) State) (stop func(), err error) {
	var errs []error
	whole := func(name, unit, what string) metric.Int64ObservableGauge {
		g, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return g
	}
	seconds := func(name, what string) metric.Float64ObservableGauge {
		g, err := m.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(what))
		errs = append(errs, err)
		return g
	}
	stalled := whole("booksync.stalled", "", "1 while work does not move and nothing says why: /healthz fails.")
	lag := whole("booksync.consumer.lag", "{record}", "Records between the committed position and the log's end.")
	oldest := seconds("booksync.events.oldest_unsettled", "Age of the oldest record that waits for its verdict.")
	parked := whole("booksync.records.parked", "{record}", "Records parked, by what they wait for.")
	unpublished := whole("booksync.results.unpublished", "{record}", "Results that wait for a transaction.")
	budget := whole("booksync.budget.remaining", "{call}", "Calls left in the window.")
	circuit := whole("booksync.circuit.state", "", "0 closed, 1 probing, 2 open.")
	paused := whole("booksync.organization.paused", "", "1 while an organisation makes no calls, by reason.")
	token := seconds("booksync.token.expires_in", "Rest of the access token's life.")
	reconciled := seconds("booksync.reconciliation.age", "Time since the last reconciliation.")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("building the gauges: %w", err)
	}
	reg, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s := state(ctx)
		stands := int64(0)
		if s.Stalled {
			stands = 1
		}
		o.ObserveInt64(stalled, stands)
		for _, p := range s.Partitions {
			at := metric.WithAttributes(attribute.String(keyTopic, p.Topic), attribute.String(keyPartition, strconv.Itoa(int(p.Partition))))
			if p.Lag >= 0 {
				o.ObserveInt64(lag, p.Lag, at)
			}
			o.ObserveFloat64(oldest, p.OldestUnsettled.Seconds(), at)
		}
		for reason, n := range s.Parked {
			o.ObserveInt64(parked, int64(n), metric.WithAttributes(attribute.String(keyReason, reason)))
		}
		o.ObserveInt64(unpublished, int64(s.Unpublished))
		for _, org := range s.Organizations {
			name := attribute.String(keyOrganization, org.Name)
			at := metric.WithAttributes(name)
			if org.MinuteRemaining >= 0 {
				o.ObserveInt64(budget, int64(org.MinuteRemaining), metric.WithAttributes(name, attribute.String(keyWindow, "minute")))
			}
			if org.DayRemaining >= 0 {
				o.ObserveInt64(budget, int64(org.DayRemaining), metric.WithAttributes(name, attribute.String(keyWindow, "day")))
			}
			o.ObserveInt64(circuit, int64(org.Circuit), at)
			if org.Paused {
				o.ObserveInt64(paused, 1, metric.WithAttributes(name, attribute.String(keyReason, org.PauseReason)))
			} else {
				o.ObserveInt64(paused, 0, metric.WithAttributes(name, attribute.String(keyReason, "")))
			}
			if org.TokenExpiresIn >= 0 {
				o.ObserveFloat64(token, org.TokenExpiresIn.Seconds(), at)
			}
			if org.ReconciledAgo >= 0 {
				o.ObserveFloat64(reconciled, org.ReconciledAgo.Seconds(), at)
			}
		}
		return nil
	}, stalled, lag, oldest, parked, unpublished, budget, circuit, paused, token, reconciled)
	if err != nil {
		return nil, fmt.Errorf("registering the gauges: %w", err)
	}
	return func() { _ = reg.Unregister() }, nil
}
