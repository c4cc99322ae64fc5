package torture

import (
	"math/rand/v2"

	"github.com/booksync/booksync/internal/simulator"
)

// strain draws trouble that does not pass at once: the same mishap again and again, or one that meets a service at its limits. It has a rand of its own, as
// further has.
func (p *planner) strain(seed int64) {
	p.r = rand.New(rand.NewPCG(uint64(seed), 0x7374_7261_696e))
	for _, kind := range []func(){p.crashes, p.deafness, p.crunches, p.sluggishness, p.standstills, p.badLines, p.overtaken, p.amnesia, p.badLines} {
		if p.r.IntN(16) == 0 {
			kind()
		}
	}
}

// crashes come behind transactions, one after the other.
func (p *planner) crashes() {
	for range p.between(4, 8) {
		p.at("kafka EndTxn", p.between(3, 40), killAfter).for_ = p.seconds(1, 40)
	}
}

// deafness: what ends a transaction is done and not answered, however often it is asked for, until the service gives it up. Everything else goes on.
func (p *planner) deafness() {
	for range p.between(1, 3) {
		p.at(p.pick("kafka EndTxn", "kafka EndTxn", "kafka TxnOffsetCommit"), p.between(3, 30), loseAnswers).for_ = p.seconds(25, 60)
	}
}

// backlog makes everything come at once, to a company with so many calls a minute. With few of them it is early in the day, so that the quota of the day is no matter.
func (p *planner) backlog(least, calls int) {
	if hurry := float64(p.between(least, 60)); calls == perMinute || p.start.Equal(begin) {
		p.hurry, p.perMinute = hurry, calls
	}
}

// crunches: a company with a small plan has a backlog, so that its limits of a minute are always reached, and Redis forgets meanwhile.
func (p *planner) crunches() {
	p.backlog(15, smallPlan)
	for range p.between(1, 3) {
		p.at("redis budget", p.between(20, 200), empty)
	}
}

// sluggishness: Zoho takes its time over everything, and there is a backlog.
func (p *planner) sluggishness() {
	p.backlog(30, perMinute)
	p.book(simulator.Fault{Kind: simulator.FaultLatency, Nth: p.between(12, 40), Count: p.between(60, 150), Delay: p.seconds(8, 20)})
}

// standstills: Redis is away for longer than a lease lasts, while many wait for calls.
func (p *planner) standstills() {
	p.backlog(15, smallPlan)
	for range p.between(1, 3) {
		p.at("redis budget", p.between(20, 200), redisOut).for_ = p.seconds(61, 120)
	}
}

// badLines: of many writes the answer is lost, or is that of a server in trouble, whatever became of them.
func (p *planner) badLines() {
	kind := []simulator.FaultKind{simulator.FaultLostAnswer, simulator.FaultErrorAfter}[p.r.IntN(2)]
	p.book(simulator.Fault{Kind: kind, Method: "POST", Nth: p.between(1, 12), Count: p.between(20, 40), Probability: 0.3})
}

// overtaken: there is a backlog and few calls, so that a write whose answer was lost lands while the one that repeats it waits to leave.
func (p *planner) overtaken() {
	p.backlog(15, smallPlan)
	for _, path := range []string{"/invoices", "/customerpayments", "/creditnotes", "/contacts"} {
		p.book(simulator.Fault{Kind: simulator.FaultLateLanding, Method: "POST", Path: path, Nth: p.between(1, 6), Count: p.between(1, 4), Delay: p.seconds(6, 40)})
	}
}

// amnesia: Redis forgets a write that nothing fences while it is under way. Nothing else is forgotten there.
func (p *planner) amnesia() {
	first := !p.forgetful()
	for range p.between(2, 4) {
		op := p.pick("books POST /creditnotes/*/refunds", "books POST /creditnotes/*/refunds", "books POST /creditnotes/*/refunds", "books POST /customerpayments/*/refunds")
		if nth := p.between(1, 5); first {
			p.at(op, nth, empty)
		}
	}
}
