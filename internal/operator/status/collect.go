package status

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/control"
)

// Options say what is asked beyond what is always asked.
type Options struct {
	// InDoubt goes through all claims, which takes time.
	InDoubt bool
	// Looked is told how many claims were looked at.
	Looked func(n int)
	Now    func() time.Time
}

// Collect asks Kafka, Redis and the replicas' reports. It blocks until each has answered or given up; what fails is in Status.Errors, so there is always an
// answer. store is nil where Redis is away.
func Collect(ctx context.Context, cfg *config.Config, store *access.Store, opts Options) *Status {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Status{
		At: opts.Now().UTC().Truncate(time.Second), Group: cfg.Kafka.Group, Parked: map[string]int{},
		Replicas: []ReplicaStatus{}, Pauses: []control.Paused{}, Topics: []Partition{},
	}
	if store != nil {
		s.failed("the replicas' reports", s.replicas(ctx, store))
		var err error
		s.Pauses, err = control.List(ctx, redis.NewSwitches(store.Client, cfg.Kafka.Group))
		s.failed("what is paused", err)
	}
	s.workflows(cfg)
	for _, name := range cfg.OrganizationNames() {
		o := Organization{Name: name, ConfigHash: cfg.Organizations[name].Hash(), Circuit: "unknown"}
		if store != nil {
			s.failed("the budget of "+name, o.budget(ctx, store, s.At))
			s.failed("the token of "+name, o.token(ctx, store, s.At))
		}
		s.reported(&o)
		s.Organizations = append(s.Organizations, o)
	}
	s.failed("the topics", s.topics(ctx, cfg))
	s.failed("the last reconciliations", s.reconciliations(ctx, cfg))
	if opts.InDoubt && store != nil {
		s.failed("the claims in doubt", s.inDoubt(ctx, cfg, store, opts.Looked))
	}
	return s
}

func (s *Status) failed(what string, err error) {
	if err != nil {
		s.Errors = append(s.Errors, fmt.Sprintf("%s: %v", what, err))
	}
}

// replicas reads what the replicas report.
func (s *Status) replicas(ctx context.Context, store *access.Store) error {
	reports, err := redis.NewReports(store.Client, s.Group).All(ctx)
	if err != nil {
		return err
	}
	for _, r := range reports {
		rs := ReplicaStatus{Silent: r.Age > SilentAfter, AgeSeconds: int64(r.Age.Seconds())}
		if err := json.Unmarshal(r.Text, &rs.Replica); err != nil {
			return fmt.Errorf("reading the report of %s: %w", r.Replica, err)
		}
		s.Replicas = append(s.Replicas, rs)
		if rs.Silent {
			continue
		}
		for reason, n := range rs.Parked {
			s.Parked[reason] += n
		}
	}
	return nil
}

// living are the replicas that run.
func (s *Status) living() []ReplicaStatus {
	return slices.DeleteFunc(slices.Clone(s.Replicas), func(r ReplicaStatus) bool { return r.Silent })
}

// workflows says how each workflow is worked: as the replicas that run say, else as the configuration does.
func (s *Status) workflows(cfg *config.Config) {
	for _, name := range cfg.OrganizationNames() {
		for _, workflow := range control.Workflows {
			w := Workflow{Organization: name, Workflow: workflow, State: cfg.Organizations[name].Workflows.Of(workflow)}
			for _, r := range s.living() {
				if mode := r.Organizations[name].Workflows[workflow]; mode != "" && mode != w.State {
					w.Differs, w.State = true, mode
				}
			}
			if w.Paused = control.Holding(s.Pauses, control.Scope{Organization: name, Workflow: workflow}); len(w.Paused) > 0 {
				w.State = StatePaused
			}
			s.Workflows = append(s.Workflows, w)
		}
	}
}

// reported adds what the replicas say of an organisation.
func (s *Status) reported(o *Organization) {
	for _, r := range s.living() {
		ro, ok := r.Organizations[o.Name]
		if !ok {
			continue
		}
		if ro.CircuitOpen {
			o.Circuit = "open"
		} else if o.Circuit != "open" {
			o.Circuit = "closed"
		}
		if ro.PausedUntil.After(o.PausedUntil) && ro.PausedUntil.After(s.At) {
			o.PausedUntil, o.PauseReason = ro.PausedUntil, ro.PauseReason
		}
		if ro.TokenUntil.After(o.TokenUntil) {
			o.TokenUntil = ro.TokenUntil
		}
		o.Mixed = o.Mixed || ro.ConfigHash != o.ConfigHash
	}
}

func (o *Organization) token(ctx context.Context, store *access.Store, now time.Time) error {
	t, err := store.Client.TokenState(ctx, o.Name)
	if err != nil {
		return err
	}
	if t.Left > 0 {
		o.TokenUntil = now.Add(t.Left).Truncate(time.Second)
	}
	o.TokenRefusal = t.Refusal
	return nil
}

func (o *Organization) budget(ctx context.Context, store *access.Store, now time.Time) error {
	b, err := store.Budget.State(ctx, o.Name)
	if err != nil {
		return err
	}
	window := store.Budget.Limits(o.Name).Window
	o.Budget = &Budget{
		Limit: b.Limit, Left: b.Left, InFlight: b.InFlight, DayLimit: b.DayLimit, DayRemaining: b.DayRemaining, DayReset: b.DayReset,
	}
	o.Budget.forecast(b.Now, window)
	if b.PausedUntil.After(b.Now) {
		o.PausedUntil, o.PauseReason = now.Add(b.PausedUntil.Sub(b.Now)), b.PauseReason
	}
	return nil
}

// day is how long a day's quota lasts.
const day = 24 * time.Hour

// forecast says when the day's calls are spent.
func (b *Budget) forecast(now time.Time, window time.Duration) {
	perHour := int64(0)
	pace := func(calls int, in time.Duration) {
		perHour = max(perHour, int64(calls)*int64(time.Hour/time.Second)/max(int64(in/time.Second), 1))
	}
	if window >= time.Second && b.Limit > 0 {
		pace(b.Limit-b.Left, window)
	}
	if b.DayLimit > 0 {
		since := now.Sub(b.DayReset.Add(-day))
		if since > time.Minute { // the first minute says nothing of a day
			pace(b.DayLimit-b.DayRemaining, since)
		}
	}
	b.PerHour = int(perHour)
	if b.DayLimit == 0 || perHour <= 0 {
		return
	}
	left := int64(b.DayRemaining) * int64(time.Hour/time.Second) / perHour // seconds: more of them than a Duration holds, where little is used of much
	if left < int64(b.DayReset.Sub(now)/time.Second) {
		b.EndsAt = now.Add(time.Duration(left) * time.Second).UTC().Truncate(time.Second)
	}
}

// inDoubt goes through the claims of every organisation.
func (s *Status) inDoubt(ctx context.Context, cfg *config.Config, store *access.Store, looked func(int)) error {
	claims, err := redis.NewClaims(store.Client, cfg.ClaimsConfig())
	if err != nil {
		return err
	}
	s.InDoubt = &InDoubt{Oldest: []DoubtfulClaim{}}
	seen := func(n int) {
		s.InDoubt.Looked += n
		if looked != nil {
			looked(n)
		}
	}
	for _, name := range cfg.OrganizationNames() {
		err := claims.InDoubt(ctx, name, seen, func(d redis.Doubtful) error {
			s.InDoubt.add(DoubtfulClaim{Organization: name, Workflow: d.Role, ID: d.ID, Step: d.Step, Since: d.Since, Record: d.Coordinates})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// add keeps the oldest.
func (d *InDoubt) add(c DoubtfulClaim) {
	d.Count++
	older := func(a, b DoubtfulClaim) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) }
	i, _ := slices.BinarySearchFunc(d.Oldest, c, older)
	if i < OldestInDoubt {
		d.Oldest = slices.Insert(d.Oldest, i, c)
		d.Oldest = d.Oldest[:min(len(d.Oldest), OldestInDoubt)]
	}
}
