package torture

import (
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisServer is a Redis whose connections come through the network.
type redisServer struct {
	*miniredis.Miniredis
	fence    *fence
	listener *listener
	done     chan struct{}
	quit     chan struct{}
}

// How often what expires is looked for. Doing so at every command (ClockTTL) takes a tenth of a simulation, and each look
// goes over all keys, of which a seller's day leaves many.
const (
	ageEvery    = 2 * time.Second
	ageDayEvery = 20 * time.Second
)

func startRedis(l *listener, every time.Duration) *redisServer {
	r := &redisServer{Miniredis: miniredis.NewMiniRedis(), listener: l, done: make(chan struct{}), quit: make(chan struct{})}
	if c, err := r.Dial(); err == nil { // starts the server without a socket
		_ = c.Close()
	}
	r.fence = &fence{redis: r.Miniredis}
	r.Server().SetPreHook(r.fence.watch)
	go func() {
		defer close(r.done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.Server().ServeConn(c)
		}
	}()
	go r.age(every)
	return r
}

// age lets keys expire as time goes on.
func (r *redisServer) age(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case now := <-tick.C:
			r.FastForward(now.Sub(last))
			last = now
		case <-r.quit:
			return
		}
	}
}

func (r *redisServer) close() {
	close(r.quit)
	_ = r.listener.Close()
	<-r.done
	r.Close()
}

// snapshot is what Redis holds at a moment: what a replica of it has that did not get the writes behind it.
type snapshot struct {
	at     time.Time
	texts  map[string]string
	hashes map[string]map[string]string
	zsets  map[string]map[string]float64
	ttl    map[string]time.Duration
}

func (r *redisServer) snapshot() *snapshot {
	s := &snapshot{
		at: time.Now(), texts: map[string]string{}, hashes: map[string]map[string]string{}, zsets: map[string]map[string]float64{},
		ttl: map[string]time.Duration{},
	}
	db := r.DB(0)
	for _, key := range db.Keys() {
		switch db.Type(key) {
		case "string":
			s.texts[key], _ = db.Get(key)
		case "hash":
			fields, _ := db.HKeys(key)
			s.hashes[key] = make(map[string]string, len(fields))
			for _, f := range fields {
				s.hashes[key][f] = db.HGet(key, f)
			}
		case "zset":
			s.zsets[key], _ = db.SortedSet(key)
		}
		s.ttl[key] = db.TTL(key)
	}
	return s
}

// restore makes Redis hold what it held then.
func (r *redisServer) restore(s *snapshot) {
	r.FlushAll()
	db, passed := r.DB(0), time.Since(s.at)
	for key, v := range s.texts {
		_ = db.Set(key, v)
	}
	for key, fields := range s.hashes {
		for f, v := range fields {
			db.HSet(key, f, v)
		}
	}
	for key, members := range s.zsets {
		for m, score := range members {
			_, _ = db.ZAdd(key, score, m)
		}
	}
	for key, ttl := range s.ttl {
		switch {
		case ttl <= 0: // none
		case ttl <= passed:
			db.Del(key)
		default:
			db.SetTTL(key, ttl-passed)
		}
	}
}
