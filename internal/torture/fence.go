package torture

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// fence watches what Redis holds: who settles a claim that another attempt has taken since must change nothing of it.
type fence struct {
	redis *miniredis.Miniredis

	mu    sync.Mutex
	late  []intrusion // under way
	Found string      // what was seen first
}

// intrusion is the settlement of a claim by an attempt that does not hold it. It has gone through where the claim says so.
type intrusion struct {
	claim, token, holder string
	looks                int
}

// maxLooks is how many scripts of others may come before one that did not go through is forgotten.
const maxLooks = 200

// watch sees every command before it is carried out; those of scripts come with Redis' lock held, so that nothing can be read then.
func (f *fence) watch(_ *server.Peer, cmd string, args ...string) bool {
	if cmd != "EVALSHA" || len(args) < 2 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	known, ok := scripts.Load(args[0])
	n, err := strconv.Atoi(args[1])
	if !ok || known != "finish" || err != nil || n < 2 || len(args) < 2+n+3 {
		return false
	}
	i := intrusion{claim: args[3], token: args[2+n+2]}
	if i.holder = f.redis.HGet(i.claim, "token"); i.holder == "" || i.holder == i.token || f.settled(i) {
		return false
	}
	f.late = append(f.late, i)
	return false
}

func (f *fence) settled(i intrusion) bool { return f.redis.HGet(i.claim, "settled") == i.token }

// look looks for those that went through. The lock is held.
func (f *fence) look() {
	kept := f.late[:0]
	for _, i := range f.late {
		if f.settled(i) {
			if f.Found == "" {
				f.Found = fmt.Sprintf("%s was settled by %s at %s although %s had taken it", i.claim, i.token, time.Now().UTC().Format("15:04:05.000"), i.holder)
			}
			continue
		}
		if i.looks++; i.looks < maxLooks {
			kept = append(kept, i)
		}
	}
	f.late = kept
}
