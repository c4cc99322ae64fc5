package processor

import (
	"math/rand/v2"
	"time"
)

// Reasons for parking.
const (
	parkBusy       = "busy"        // somebody else works on the same business id or order
	parkDependency = "dependency"  // the order or payment it needs is not settled
	parkInDoubt    = "in_doubt"    // a write's answer was lost; waiting before the look-up is believed
	parkBackOff    = "back_off"    // a call failed and may be tried again
	parkPaused     = "paused"      // paused by an operator, or the organisation by a limit, the quota or the credentials
	parkOff        = "off"         // the workflow is off by configuration
	parkUnusable   = "unusable"    // the organisation cannot be worked for since this replica began: credentials, custom fields
	parkReserve    = "day_reserve" // what is left of the day's quota is for payments and refunds
	parkCircuit    = "circuit"     // Zoho Books is down
	parkRedis      = "redis"       // Redis is away
	parkUnreadable = "unreadable"  // its claim is in a state that this version does not know
	parkRegistry   = "registry"    // the schema registry is away
	parkEpoch      = "redis_epoch" // Redis came back without its memory
)

// backOff is full jitter between a tenth and all of base*2^n, at most limit. base must be positive.
func backOff(base, limit time.Duration, n int) time.Duration {
	d := min(base, limit)
	for i := 0; i < n && d < limit; i++ {
		d = min(2*d, limit)
	}
	return d/10 + rand.N(d-d/10)
}
