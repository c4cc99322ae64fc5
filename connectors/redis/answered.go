package redis

// answered remembers which numbers Redis has answered a client for its changes in an epoch. Each is answered once: a second time says that Redis lost
// the change that had it, and counted on with another. That happens where commands were on their way while Redis failed over: they name a count from
// before the lost changes, and make it up.
type answered struct {
	top  int64
	bits [answeredWindow / 64]uint64
}

// answeredWindow is how many of the last numbers are remembered; as many changes as a client makes while one of its commands is on its way, and more.
const answeredWindow = 1 << 18

// add reports whether the number is new. One from before the window counts as old.
func (a *answered) add(n int64) bool {
	if n <= a.top-answeredWindow {
		return false
	}
	if n > a.top {
		if n-a.top >= answeredWindow {
			a.bits = [len(a.bits)]uint64{}
		} else {
			for i := a.top + 1; i <= n; i++ {
				*a.word(i) &^= bit(i)
			}
		}
		a.top = n
	}
	w := a.word(n)
	if *w&bit(n) != 0 {
		return false
	}
	*w |= bit(n)
	return true
}

func (a *answered) word(n int64) *uint64 { return &a.bits[n%answeredWindow/64] }

func bit(n int64) uint64 { return 1 << (n % 64) }
