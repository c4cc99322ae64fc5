// Package app builds the service from its configuration and runs it: the only place where the connectors, the job and
// what operators see meet. `run`, `demo` and the torture run differ only in what they give it.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Options are what `run` leaves as it is and others change.
type Options struct {
	Log *slog.Logger
	// Observe, if set, is told of every outcome once it's published. It must not block.
	Observe func(*schemas.Outcome)
	// RedisSkipServerCheck leaves out the check of the server's eviction policy where the server can't tell, as miniredis.
	RedisSkipServerCheck bool
	// ReconcileLook is how often it is asked whether a scheduled reconciliation is due. Default 1 min.
	ReconcileLook time.Duration
	// Idle, if set, is how often the switches are read although nothing told of a change, and how often a replica reports how it
	// is doing: longer than by default where simulated hours pass.
	Idle time.Duration
	// Dial replaces the dialer of every connection: to Kafka, Redis and Zoho. Default: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now is the job's clock. Default: time.Now.
	Now func() time.Time
	// StallAfter is how long work may go without a sign of life until /healthz fails. Default 50 s, or more where calls may take longer.
	StallAfter time.Duration

	// Of tests: what stands between the engine and the job, and further options of the Zoho Books clients.
	wrap  func(kafka.Handler) kafka.Handler
	books []zohobooks.Option
}

// Service is booksync, built and not yet running.
type Service struct {
	cfg    *config.Config
	opts   Options
	log    *slog.Logger
	tel    *telemetry.Telemetry
	codec  *schemas.Codec
	store  *access.Store
	claims *claims
	admin  *kafka.Admin
	books  map[string]*zohobooks.Client
	job    atomic.Pointer[processor.Processor]
	engine atomic.Pointer[kafka.Engine]

	switches atomic.Pointer[redis.SwitchWatch]
	watchdog *watchdog

	mu       sync.Mutex
	waiting  error            // why it does not consume yet
	unusable map[string]error // why not, by organisation
	addr     string
}

// New builds a service. It connects to Redis; Kafka and Zoho are asked by Run, which waits for them.
func New(ctx context.Context, cfg *config.Config, opts Options) (*Service, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, opts: opts, log: opts.Log, books: make(map[string]*zohobooks.Client), waiting: errors.New("starting"), unusable: make(map[string]error)}
	s.watchdog = newWatchdog(s)
	if err := s.build(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Service) build(ctx context.Context) error {
	headers, err := telemetry.ParseHeaders(s.cfg.Telemetry.OTLPHeaders.Reveal())
	if err != nil {
		return fmt.Errorf("telemetry.otlp_headers: %w", err)
	}
	if s.tel, err = telemetry.Setup(ctx, telemetry.Config{
		ServiceName: s.cfg.Telemetry.ServiceName, InstanceID: s.cfg.Kafka.TransactionalID, OTLPEndpoint: s.cfg.Telemetry.OTLPEndpoint,
		OTLPHeaders: headers, SampleRatio: s.cfg.Telemetry.SampleRatio, Logger: s.log,
	}); err != nil {
		return err
	}
	if s.codec, err = access.Codec(s.cfg); err != nil {
		return err
	}
	if s.admin, err = access.Admin(s.cfg, s.kafkaOpts()...); err != nil {
		return err
	}
	s.store, err = access.OpenStore(ctx, s.cfg, access.Options{Log: s.log, SkipServerCheck: s.opts.RedisSkipServerCheck, Dial: s.opts.Dial})
	if err != nil {
		return err
	}
	if !s.store.SharesTokens() {
		s.log.Warn("no redis.token_key: access tokens are not shared, every replica asks for its own")
	}
	inRedis, err := redis.NewClaims(s.store.Client, s.cfg.ClaimsConfig())
	if err != nil {
		return err
	}
	s.claims = &claims{
		client: s.store.Client, claims: inRedis, admin: s.admin, topics: s.cfg.Topics.Sources(), epochs: make(map[string]*processor.Epoch),
	}
	for _, name := range s.cfg.OrganizationNames() {
		opts := append([]zohobooks.Option{zohobooks.WithObserver(s.called(name)), zohobooks.WithDialer(s.opts.Dial)}, s.opts.books...)
		if s.books[name], err = s.store.Books(name, opts...); err != nil {
			return err
		}
	}
	return nil
}

// called counts a call of an organisation.
func (s *Service) called(organization string) func(zohobooks.CallInfo) {
	return func(c zohobooks.CallInfo) {
		s.watchdog.called()
		s.tel.Metrics.Call(context.Background(), telemetry.Call{
			Organization: organization, Resource: c.Resource, Method: c.Method, Status: c.Status, Code: c.Code,
		}, c.Duration, c.Waited)
	}
}

// Run consumes until ctx ends, then drains: calls in flight end, their results are published, the group is left. It waits
// for Kafka, Redis and Zoho as long as they are away, and says so in /readyz. hurry, when it closes, cuts the draining short.
func (s *Service) Run(ctx context.Context, hurry <-chan struct{}) error {
	defer s.Close()
	stopHTTP, err := s.serve(ctx)
	if err != nil {
		return err
	}
	defer stopHTTP()
	var dog sync.WaitGroup
	dogLife, stopDog := context.WithCancel(context.WithoutCancel(ctx))
	dog.Go(func() { s.watchdog.watch(dogLife) })
	defer dog.Wait()
	defer stopDog()
	stopReporting, err := s.reporting(ctx)
	if err != nil {
		return err
	}
	defer stopReporting()
	orgs, late, err := s.organizations(ctx)
	if err != nil {
		return err
	}
	wake := func(keys ...string) {
		if e := s.engine.Load(); e != nil {
			e.Wake(keys...)
		}
	}
	watch, err := s.watchSwitches(ctx, wake)
	if err != nil {
		return err
	}
	defer watch.Stop()
	s.switches.Store(watch)
	tenants := make([]processor.Tenant, 0, len(orgs)+len(late))
	for _, org := range orgs {
		tenants = append(tenants, processor.Tenant{Organization: org, Books: s.books[org.Name]})
	}
	for _, name := range late {
		tenants = append(tenants, processor.Tenant{Name: name, Books: s.books[name]})
	}
	job, err := processor.New(s.cfg.ProcessorConfig(telemetry.Version()), processor.Deps{
		Codec: s.codec, Claims: s.claims, Progress: progress{s}, Clock: clock(s.opts.Now), Log: s.log, Switches: switches{watch}, Wake: wake,
		InDoubt: func(workflow processor.Workflow, organization, result string) {
			s.tel.Metrics.InDoubt(context.Background(), string(workflow), organization, result)
		},
		Compared: func(organization, result string) {
			s.tel.Metrics.PaymentCompared(context.Background(), organization, telemetry.PaymentResult(result))
		},
	}, tenants...)
	if err != nil {
		return err
	}
	s.job.Store(job)
	defer job.Close()
	watching, stopWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	keepInStep := func(orgs []*processor.Organization) {
		watchers.Go(func() { s.watchLocks(watching, job, slices.Clone(orgs)) })
		watchers.Go(func() { s.reconcileBySchedule(watching, orgs) })
	}
	keepInStep(orgs)
	for _, name := range late {
		watchers.Go(func() {
			if org := s.usable(watching, name); org != nil {
				job.Replace(org)
				keepInStep([]*processor.Organization{org})
			}
		})
	}
	defer watchers.Wait()
	defer stopWatching()
	return s.consume(ctx, job, hurry, wake)
}

// consume runs the engine.
func (s *Service) consume(ctx context.Context, job *processor.Processor, hurry <-chan struct{}, wake func(...string)) error {
	kc, err := s.cfg.KafkaConfig()
	if err != nil {
		return err
	}
	kc.Epoch = s.claims.epochMark
	var h kafka.Handler = &handler{job: job, telemetry: s.tel, group: s.cfg.Kafka.Group, observe: s.opts.Observe, now: s.opts.Now}
	if s.opts.wrap != nil {
		h = s.opts.wrap(h)
	}
	h = watched{s.watchdog, h}
	engine, err := kafka.New(kc, h, kafka.WithLogger(s.log), kafka.WithClientOpts(s.kafkaOpts()...))
	if err != nil {
		return err
	}
	s.engine.Store(engine)
	s.wait(nil)

	wakes, stopWakes, err := s.claims.claims.Wakes(ctx)
	if err != nil {
		return fmt.Errorf("subscribing to wake-ups: %w", err)
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stopWakes()
	beside.Go(func() {
		for key := range wakes {
			wake(key)
		}
	})
	done := make(chan struct{})
	defer close(done)
	beside.Go(func() {
		select {
		case <-hurry:
			engine.Hurry()
		case <-done:
		}
	})
	s.log.Info("consuming", "group", s.cfg.Kafka.Group, "topics", kc.Topics, "organizations", s.cfg.OrganizationNames())
	err = engine.Run(ctx)
	s.log.Info("stopped")
	return err
}

// Close gives back what New took. Run calls it.
func (s *Service) Close() {
	for _, b := range s.books {
		b.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.admin != nil {
		s.admin.Close()
	}
	if s.codec != nil {
		s.codec.Close()
	}
	if s.tel != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.tel.Shutdown(ctx); err != nil {
			s.log.Warn("telemetry not stopped", "error", err.Error())
		}
	}
}

// clock is the job's; nil is the real time.
type clock func() time.Time

// Now implements processor.Clock.
func (c clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	return c()
}

// engine is a moment of the job's clock by the engine's, which is the real one.
func (c clock) engine(t time.Time) time.Time {
	if c == nil {
		return t
	}
	return t.Add(time.Since(c()))
}

// kafkaOpts are what Options change of the Kafka clients.
func (s *Service) kafkaOpts() []kgo.Opt {
	if s.opts.Dial == nil {
		return nil
	}
	return []kgo.Opt{kgo.Dialer(s.opts.Dial)}
}

// progress asks the engine how far the topics are settled; before it runs nothing is.
type progress struct{ s *Service }

// Ends implements processor.Progress.
func (p progress) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	return p.s.engine.Load().Ends(ctx, topic)
}

// Passed implements processor.Progress.
func (p progress) Passed(ctx context.Context, topic string, ends map[int32]int64) (bool, error) {
	return p.s.engine.Load().Passed(ctx, topic, ends)
}
