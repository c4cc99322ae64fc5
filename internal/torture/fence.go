package torture

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// fence watches what Redis holds: who marks or settles a claim that another attempt has taken since must change nothing of it.
type fence struct {
	redis *miniredis.Miniredis

	mu    sync.Mutex
	late  []intrusion // under way
	Found string      // what was seen first
}

// intrusion is a change by somebody who does not hold the claim; trace is the field that would show that it was made.
type intrusion struct {
	name, claim, trace, value string
	token, holder             string
	looks                     int
}

// maxLooks is how many commands of others may come before an intrusion that shows no trace is forgotten.
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
	if !ok || err != nil || n < 2 || len(args) < 2+n+9 {
		return false
	}
	claim, argv := args[3], args[2+n:]
	i := intrusion{name: known.(string), claim: claim, token: argv[2]} //nolint:forcetypeassert // names only
	switch i.name {
	case "sending":
		i.trace, i.value = "mark", argv[8]
	case "finish":
		i.trace, i.value = "settled", i.token
	default:
		return false
	}
	if i.holder = f.redis.HGet(claim, "token"); i.holder == "" || i.holder == i.token || f.redis.HGet(claim, i.trace) == i.value {
		return false
	}
	f.late = append(f.late, i)
	return false
}

// look looks for traces. The lock is held.
func (f *fence) look() {
	kept := f.late[:0]
	for _, i := range f.late {
		if f.redis.HGet(i.claim, i.trace) == i.value {
			if f.Found == "" {
				f.Found = fmt.Sprintf("%s of %s by %s went through at %s although %s had taken the claim", i.name, i.claim, i.token,
					time.Now().UTC().Format("15:04:05.000"), i.holder)
			}
			continue
		}
		if i.looks++; i.looks < maxLooks {
			kept = append(kept, i)
		}
	}
	f.late = kept
}
