package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/booksync/booksync/internal/simulator"
)

// action is what a fault of the wire does.
type action string

// The actions. Each befalls one operation of one replica, when it is about to leave.
const (
	loseRequest action = "request lost"         // the connection breaks before it leaves
	loseAnswer  action = "answer lost"          // it is done, and the connection breaks
	loseAnswers action = "answers lost"         // so does every connection on which its like is asked again, for a while
	vanish      action = "done, and away"       // it is done, and the service is away before it answers
	slow        action = "slow"                 // it arrives later
	kill        action = "kill before"          // the replica dies before it leaves
	killAfter   action = "kill after"           // the replica dies when it has left
	freeze      action = "freeze"               // the replica's network stands still, and goes on
	join        action = "join"                 // another replica joins the group, and leaves it again: two rebalances
	twin        action = "twin"                 // another process has the replica's transactional id: each fences the other
	flap        action = "flap"                 // a member joins the group and leaves it at once: two rebalances between two settles
	mute        action = "wake-ups lost"        // what others publish in Redis does not come any more
	empty       action = "redis empty"          // Redis is restarted and has lost everything
	failover    action = "redis failover"       // Redis goes on without its last writes
	redisOut    action = "redis away"           //
	kafkaOut    action = "kafka away"           //
	booksOut    action = "books away"           //
	personEdit  action = "a person edits"       // a victim's invoice
	personGone  action = "a person deletes"     // a victim's document
	quotaGone   action = "quota gone"           // the day's calls are used up, until the day ends
	scopeGone   action = "scope revoked"        // and granted again
	smallQuota  action = "small quota"          // the day's calls do not suffice; counted when they are used up
	skew        action = "clock skew"           // a replica's clock is wrong from the start
	aborted     action = "transactions aborted" // by the producers; counted, not planned
)

// wireFault befalls the nth operation whose name begins with op, over all replicas.
type wireFault struct {
	op     string
	nth    int
	action action
	for_   time.Duration // how long: slow, frozen, away, until the restart; how many operations of Redis are lost
	lost   int

	seen     int
	done     bool
	deafTill time.Time // until when answers are lost
}

func (f *wireFault) String() string {
	s := fmt.Sprintf("%s at the %s operation %q", f.action, ordinal(f.nth), f.op)
	if f.for_ > 0 {
		s += " for " + f.for_.String()
	}
	if f.lost > 0 {
		s += fmt.Sprintf(" losing %d operations", f.lost)
	}
	return s
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprint(n) + suffix
}

// plan is a seed's schedule of faults.
type plan struct {
	replicas int
	protocol string
	start    time.Time
	skews    []time.Duration // by replica
	switches simulator.Switches
	// hurry divides the times of the tale: what a shop sends in minutes comes within seconds. 0: as it is told.
	hurry float64
	// perMinute and perDay are how many calls the company may make in a minute and in a day.
	perMinute, perDay int
	ageEvery          time.Duration // how often Redis looks for what expires
	wire              []*wireFault
	books             []simulator.Fault
}

// forgetful says whether Redis loses what it holds, or a part.
func (p *plan) forgetful() bool {
	return slices.ContainsFunc(p.wire, func(f *wireFault) bool { return f.action == empty || f.action == failover })
}

// patience is how long it may take until every record has its verdict: what the tale takes, waits and searches for what never
// comes, and all that the faults hold up. Whatever takes longer waits for something that it need not wait for.
func (p *plan) patience() time.Duration {
	d := 45 * time.Minute
	for _, f := range p.wire {
		d += f.for_
		if f.action == quotaGone {
			d += 90 * time.Minute // until midnight, and for a quota whose end nobody told
		}
	}
	for _, f := range p.books {
		d += f.Delay + f.For
		if f.Kind == simulator.FaultErrorBefore && f.Method != "" { // what nothing fences waits for the horizon each time
			d += time.Duration(f.Count) * (writeHorizon + time.Minute)
		}
	}
	if p.perDay < usualQuota {
		d += 2 * time.Hour // until midnight
	}
	return d
}

func (p *plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d replicas, protocol %s, from %s, clocks off by %v, %d calls a minute, %d a day\n",
		p.replicas, p.protocol, p.start.Format(time.RFC3339), p.skews, p.perMinute, p.perDay)
	if p.hurry > 0 {
		fmt.Fprintf(&b, "  the tale is told %.0f times as fast\n", p.hurry)
	}
	for _, f := range p.wire {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	for _, f := range p.books {
		fmt.Fprintf(&b, "  books: %s %s %s nth %d count %d delay %s for %s code %d\n", f.Kind, f.Method, f.Path, f.Nth, f.Count, f.Delay, f.For, f.Code)
	}
	return b.String()
}

// maxSkew is by how much a replica's clock is wrong at most.
const maxSkew = 1500 * time.Millisecond

// planner draws a plan; equal seeds give equal plans.
type planner struct {
	*plan
	r *rand.Rand
}

func (p *planner) pick(list ...string) string { return list[p.r.IntN(len(list))] }
func (p *planner) between(a, b int) int       { return a + p.r.IntN(b-a+1) }
func (p *planner) seconds(a, b int) time.Duration {
	return time.Duration(p.between(a*10, b*10)) * 100 * time.Millisecond
}
func (p *planner) at(op string, nth int, a action) *wireFault {
	f := &wireFault{op: op, nth: nth, action: a}
	p.wire = append(p.wire, f)
	return f
}

// Operations that faults are bound to, each with about how often it happens in a run.
var (
	kafkaOps = map[string]int{
		"kafka EndTxn": 40, "kafka TxnOffsetCommit": 40, "kafka Produce": 40, "kafka AddPartitionsToTxn": 20, "kafka AddOffsetsToTxn": 20,
		"kafka OffsetCommit": 30, "kafka InitProducerID": 4, "kafka OffsetFetch": 4, "kafka JoinGroup": 6, "kafka SyncGroup": 6, "kafka Heartbeat": 60,
		"kafka Fetch": 100, "kafka ListOffsets": 10, "kafka Metadata": 10,
	}
	redisOps = map[string]int{
		"redis claim": 120, "redis sending": 60, "redis finish": 70, "redis release": 60, "redis renew": 10, "redis budget": 120, "redis epoch": 3, "redis get": 10,
	}
	booksOps = map[string]int{
		"books POST /invoices": 20, "books POST /customerpayments": 18, "books POST /creditnotes": 8, "books POST /creditnotes/*/refunds": 6,
		"books POST /contacts": 8, "books POST /invoices/status/sent": 4, "books GET": 10, "books POST /oauth/v2/token": 1,
		"books POST /customerpayments/*/refunds": 1, "books POST /invoices/*/status/void": 2, "books POST /creditnotes/*/invoices": 1,
	}
)

func (p *planner) op(ops map[string]int) (string, int) {
	names := sorted(ops)
	name := names[p.r.IntN(len(names))]
	return name, 1 + p.r.IntN(ops[name])
}

// draw makes a seed's plan. Some seeds have one kind of trouble only, so that each is seen by itself; most have several.
func draw(seed int64) *plan {
	p := &planner{plan: &plan{replicas: 2, protocol: "classic", start: begin, perMinute: perMinute, perDay: usualQuota, ageEvery: ageEvery}, r: rand.New(rand.NewPCG(uint64(seed), 0x666175_6c74))}
	if p.r.IntN(3) == 0 {
		p.replicas = 3
	}
	if p.r.IntN(5) == 0 {
		p.protocol = "consumer"
	}
	p.skews = make([]time.Duration, p.replicas+1)
	if p.r.IntN(4) == 0 {
		for i := range p.skews {
			p.skews[i] = time.Duration(p.between(-int(maxSkew/time.Millisecond), int(maxSkew/time.Millisecond))) * time.Millisecond
		}
	}
	kinds := []func(){
		p.wireTrouble, p.wireTrouble, p.kills, p.kills, p.freezes, p.rebalances, p.lostAnswers, p.lostAnswers, p.errors, p.lateLandings, p.storms,
		p.tokens, p.lags, p.outages, p.forgets, p.failovers, p.people, p.mutes, p.quota, p.slowness, p.rush, p.rush, p.stretches,
	}
	p.r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	n := 1
	if p.r.IntN(4) > 0 {
		n = p.between(3, 8)
	}
	for _, kind := range kinds[:n] {
		kind()
	}
	if slices.ContainsFunc(p.wire, func(f *wireFault) bool { return f.action == kill || f.action == killAfter }) {
		p.at("kafka EndTxn", p.between(4, 40), killAfter).for_ = p.seconds(1, 60) // what was to happen behind a transaction does not
	}
	p.further(seed)
	p.strain(seed)
	if p.perDay < usualQuota && p.forgetful() {
		p.perDay += 400 // what is looked up again
	}
	return p.plan
}

// further draws kinds of trouble beside the others, with a rand of its own, so that a seed's other faults stay what they are.
func (p *planner) further(seed int64) {
	p.r = rand.New(rand.NewPCG(uint64(seed), 0x6d6f_7265))
	for _, kind := range []func(){p.twins, p.flaps, p.flaps, p.scarcity, p.oddRefusals} {
		if p.r.IntN(8) == 0 {
			kind()
		}
	}
}

// twins: somebody starts a replica twice.
func (p *planner) twins() {
	p.at("kafka EndTxn", p.between(3, 30), twin).for_ = p.seconds(2, 30)
}

// flaps come while results wait for their transaction, and while one is written.
func (p *planner) flaps() {
	for range p.between(1, 4) {
		p.at(p.pick("redis finish", "redis finish", "kafka Produce", "kafka TxnOffsetCommit", "kafka EndTxn"), p.between(2, 35), flap)
	}
}

// scarcity: the day's quota does not suffice, and the day ends soon.
func (p *planner) scarcity() {
	if slices.ContainsFunc(p.wire, func(f *wireFault) bool { return f.action == quotaGone }) {
		return
	}
	p.perDay = p.between(300, 340)                                                                        // two days of it suffice, less the reserve, with all that faults cost
	p.start = time.Date(begin.Year(), begin.Month(), begin.Day()+1, 3, p.between(30, 50), 0, 0, time.UTC) // 23:30 to 23:50 in New York
}

func (p *planner) wireTrouble() {
	for range p.between(1, 4) {
		op, nth := p.op(kafkaOps)
		if p.r.IntN(2) == 0 {
			op, nth = p.op(redisOps)
		}
		p.at(op, nth, []action{loseRequest, loseAnswer, loseAnswer}[p.r.IntN(3)])
	}
	p.at("kafka EndTxn", p.between(1, 30), loseAnswer) // it took effect
}

func (p *planner) kills() {
	for range p.between(1, 3) {
		op, nth := p.op([]map[string]int{kafkaOps, redisOps, booksOps}[p.r.IntN(3)])
		p.at(op, nth, []action{kill, killAfter}[p.r.IntN(2)]).for_ = p.seconds(1, 120)
	}
}

func (p *planner) freezes() {
	for range p.between(1, 2) {
		op, nth := p.op([]map[string]int{kafkaOps, redisOps, booksOps}[p.r.IntN(3)])
		p.at(op, nth, freeze).for_ = p.seconds(3, 150)
	}
}

// rebalances come in the middle of calls and between two settles.
func (p *planner) rebalances() {
	for range p.between(1, 3) {
		op := p.pick("books POST", "kafka TxnOffsetCommit", "kafka EndTxn", "kafka Produce", "redis finish")
		p.at(op, p.between(1, 25), join).for_ = time.Duration(p.between(1, 12_000)) * time.Millisecond
	}
}

// rush is a backlog: everything comes at once, and with a small plan it takes longer than a waiting record's deadline.
func (p *planner) rush() {
	p.hurry = float64(p.between(15, 60))
	if p.r.IntN(2) == 0 {
		p.perMinute = smallPlan
	}
}

// stretches are transactions that take so long that the group changes meanwhile, and one whose end nobody hears of in time.
func (p *planner) stretches() {
	for range p.between(1, 2) {
		nth := p.between(1, 25)
		p.at("kafka Produce", nth, slow).for_ = p.seconds(6, 9)
		p.at("kafka Produce", nth, join).for_ = p.seconds(1, 20)
	}
	p.at("kafka EndTxn", p.between(1, 30), vanish).for_ = p.seconds(20, 90)
}

func (p *planner) write() (string, string) {
	return "POST", p.pick("/invoices", "/invoices", "/customerpayments", "/customerpayments", "/creditnotes", "/creditnotes/*/refunds", "/contacts",
		"/invoices/status/sent", "/invoices/*/status/void", "/creditnotes/*/invoices", "/customerpayments/*/refunds")
}

func (p *planner) book(f simulator.Fault) { p.books = append(p.books, f) }

func (p *planner) lostAnswers() {
	for range p.between(1, 4) {
		method, path := p.write()
		kind := []simulator.FaultKind{simulator.FaultLostAnswer, simulator.FaultErrorAfter, simulator.FaultHang}[p.r.IntN(3)]
		p.book(simulator.Fault{Kind: kind, Method: method, Path: path, Nth: p.between(1, 6), Applied: p.r.IntN(2) == 0})
	}
}

func (p *planner) errors() {
	for range p.between(1, 4) {
		f := simulator.Fault{Kind: simulator.FaultErrorBefore, Nth: p.between(12, 60), Count: p.between(1, 12), Status: 502, HTML: true}
		if p.r.IntN(2) == 0 {
			f.Method, f.Path = p.write()
			f.Nth, f.Status, f.HTML = p.between(1, 5), 500, false
		}
		p.book(f)
	}
}

// oddRefusals are answers that refuse, with a code that no document lists, what took effect all the same.
func (p *planner) oddRefusals() {
	for range p.between(1, 3) {
		path := []string{"/invoices", "/customerpayments", "/creditnotes"}[p.r.IntN(3)]
		p.book(simulator.Fault{Kind: simulator.FaultErrorAfter, Method: "POST", Path: path, Nth: p.between(1, 9), Status: 400, Code: 99_999})
	}
}

// lateLandings land minutes after their answer was lost: later than the lease, earlier than the horizon.
func (p *planner) lateLandings() {
	for range p.between(1, 3) {
		method, path := p.write()
		p.book(simulator.Fault{Kind: simulator.FaultLateLanding, Method: method, Path: path, Nth: p.between(1, 4), Delay: p.seconds(1, 280)})
	}
	// Nothing fences what draws on a cancellation's credit note.
	p.book(simulator.Fault{
		Kind: simulator.FaultLateLanding, Method: "POST", Path: "/creditnotes/*/refunds", BusinessID: "cancel:*", Nth: p.between(1, 3), Delay: p.seconds(10, 280),
	})
}

func (p *planner) storms() {
	code := []int{44, 1070}[p.r.IntN(2)]
	p.book(simulator.Fault{Kind: simulator.FaultThrottle, Code: code, Nth: p.between(12, 60), Count: p.between(2, 15), RetryAfter: []int{0, 0, 30}[p.r.IntN(3)]})
}

func (p *planner) tokens() {
	switch p.r.IntN(3) {
	case 0:
		p.book(simulator.Fault{Kind: simulator.FaultRevokeTokens, Method: "POST", Path: "/invoices", Nth: p.between(1, 15)})
	case 1:
		p.book(simulator.Fault{Kind: simulator.FaultRevokeTokens, Method: "POST", Path: "/customerpayments", Nth: p.between(1, 8)})
		p.book(simulator.Fault{Kind: simulator.FaultTokenError, Nth: 2, Count: p.between(1, 2)})
	default:
		p.at("books POST /customerpayments", p.between(1, 8), scopeGone).for_ = p.seconds(60, 400)
	}
}

func (p *planner) lags() {
	p.book(simulator.Fault{Kind: simulator.FaultSearchLag, Delay: p.seconds(1, 3)})
	p.lostAnswers()
}

func (p *planner) outages() {
	op, nth := p.op([]map[string]int{kafkaOps, redisOps, booksOps}[p.r.IntN(3)])
	p.at(op, nth, []action{redisOut, kafkaOut, booksOut}[p.r.IntN(3)]).for_ = p.seconds(2, 240)
}

func (p *planner) forgets() {
	op, nth := p.op([]map[string]int{redisOps, booksOps}[p.r.IntN(2)])
	p.at(op, nth, empty).for_ = p.seconds(0, 20)
}

func (p *planner) failovers() {
	op := p.pick("redis finish", "redis sending", "redis claim", "books POST /invoices", "books POST /customerpayments", "books POST /creditnotes")
	f := p.at(op, p.between(2, 20), failover)
	f.for_, f.lost = p.seconds(0, 10), p.between(1, 40)
}

func (p *planner) people() {
	p.at("books POST /invoices", p.between(5, 20), personEdit)
	p.at("books POST /customerpayments", p.between(2, 12), personGone)
}

func (p *planner) mutes() {
	for range 2 {
		p.at("redis finish", p.between(1, 40), mute).for_ = p.seconds(60, 900)
	}
}

// quota: it is late in the company's day, and then the day's calls are used up until midnight there.
func (p *planner) quota() {
	p.start = time.Date(begin.Year(), begin.Month(), begin.Day()+1, 3, p.between(45, 55), 0, 0, time.UTC) // 23:45 to 23:55 in New York
	p.at("books POST", p.between(5, 40), quotaGone)
}

func (p *planner) slowness() {
	for range p.between(1, 4) {
		op, nth := p.op([]map[string]int{kafkaOps, redisOps, redisOps}[p.r.IntN(3)])
		p.at(op, nth, slow).for_ = p.seconds(1, 75)
	}
	p.book(simulator.Fault{Kind: simulator.FaultLatency, Nth: p.between(12, 50), Count: p.between(1, 6), Delay: p.seconds(5, 40)})
}
