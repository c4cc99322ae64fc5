package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func (s *bundle) tokens(current, previous []byte) *TokenStore {
	s.t.Helper()
	store, err := NewTokenStore(s.open(), TokenStoreConfig{CurrentKey: current, PreviousKey: previous})
	if err != nil {
		s.t.Fatal(err)
	}
	return store
}

func TestTokenStore(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, s *bundle, store *TokenStore){
		"what is put is got by all, and is not readable in Redis": func(t *testing.T, s *bundle, store *TokenStore) {
			if _, ok, err := store.Get(s.ctx, s.org); ok || err != nil {
				t.Fatalf("%v %v", ok, err)
			}
			if err := store.Put(s.ctx, s.org, []byte("1000.secret"), time.Hour); err != nil {
				t.Fatal(err)
			}
			got, ok, err := s.tokens(key(1), nil).Get(s.ctx, s.org)
			if string(got) != "1000.secret" || !ok || err != nil {
				t.Fatalf("%q %v %v", got, ok, err)
			}
			stored := store.c.rdb.Get(s.ctx, keysOf(s.org).token()).Val()
			if strings.Contains(stored, "secret") {
				t.Error("the token is stored as it is")
			}
			if d := store.c.rdb.PTTL(s.ctx, keysOf(s.org).token()).Val(); d < 59*time.Minute || d > time.Hour {
				t.Errorf("it lives %v", d)
			}
			if err := store.Put(s.ctx, s.org, nil, 0); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := store.Get(s.ctx, s.org); ok || err != nil {
				t.Errorf("still there: %v", err)
			}
		},
		"keys rotate": func(t *testing.T, s *bundle, store *TokenStore) {
			if err := store.Put(s.ctx, s.org, []byte("old"), time.Hour); err != nil {
				t.Fatal(err)
			}
			if got, _, err := s.tokens(key(2), key(1)).Get(s.ctx, s.org); string(got) != "old" || err != nil {
				t.Errorf("%q %v", got, err)
			}
			if _, _, err := s.tokens(key(3), key(2)).Get(s.ctx, s.org); !errors.Is(err, ErrUnknownKey) {
				t.Errorf("%v", err)
			}
		},
		"another organization's token, or a changed one, is refused": func(t *testing.T, s *bundle, store *TokenStore) {
			if err := store.Put(s.ctx, s.org, []byte("mine"), time.Hour); err != nil {
				t.Fatal(err)
			}
			k := keysOf(s.org).token()
			stored := store.c.rdb.Get(s.ctx, k).Val()
			if _, err := store.ring.open("other", []byte(stored)); !errors.Is(err, ErrTampered) {
				t.Errorf("%v", err)
			}
			for i := range stored {
				changed := []byte(stored)
				changed[i] ^= 1
				if _, err := store.ring.open(s.org, changed); err == nil {
					t.Errorf("a change of byte %d went unnoticed", i)
				}
				if _, err := store.ring.open(s.org, changed[:i]); err == nil {
					t.Errorf("cut off at %d it is accepted", i)
				}
			}
		},
		"one owner at a time": func(t *testing.T, s *bundle, store *TokenStore) {
			var owners atomic.Int64
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					ok, err := store.Lease(s.ctx, s.org, fmt.Sprint("owner", i), time.Minute)
					if err != nil {
						t.Error(err)
					}
					if ok {
						owners.Add(1)
						if again, err := store.Lease(s.ctx, s.org, fmt.Sprint("owner", i), time.Minute); !again || err != nil {
							t.Errorf("asked again: %v %v", again, err)
						}
					}
				})
			}
			wg.Wait()
			if owners.Load() != 1 {
				t.Errorf("%d owners", owners.Load())
			}
			if err := store.Unlease(s.ctx, s.org, "somebody else"); err != nil {
				t.Fatal(err)
			}
			if ok, _ := store.Lease(s.ctx, s.org, "late", time.Minute); ok {
				t.Error("somebody else gave the lease back")
			}
		},
		"a lease given back is free": func(t *testing.T, s *bundle, store *TokenStore) {
			for _, owner := range []string{"a", "b"} {
				if ok, err := store.Lease(s.ctx, s.org, owner, time.Minute); !ok || err != nil {
					t.Fatalf("%v %v", ok, err)
				}
				if err := store.Unlease(s.ctx, s.org, owner); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a refusal is told to all until it is taken back": func(t *testing.T, s *bundle, store *TokenStore) {
			if _, ok, err := store.Refusal(s.ctx, s.org); ok || err != nil {
				t.Fatalf("%v %v", ok, err)
			}
			if err := store.SetRefusal(s.ctx, s.org, "invalid_code", time.Minute); err != nil {
				t.Fatal(err)
			}
			if code, ok, err := s.tokens(key(1), nil).Refusal(s.ctx, s.org); code != "invalid_code" || !ok || err != nil {
				t.Errorf("%q %v %v", code, ok, err)
			}
			if err := store.SetRefusal(s.ctx, s.org, "", 0); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := store.Refusal(s.ctx, s.org); ok || err != nil {
				t.Errorf("still there: %v", err)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onServers(t, func(t *testing.T, s *bundle) { test(t, s, s.tokens(key(1), nil)) })
		})
	}
}

func TestTokenLeaseWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		p := s.proxy()
		store, err := NewTokenStore(s.openAt(p.addr()), TokenStoreConfig{CurrentKey: key(1)})
		if err != nil {
			t.Fatal(err)
		}
		p.loseNext(1, s.org)
		if ok, err := store.Lease(s.ctx, s.org, "me", time.Minute); !ok || err != nil || p.lost.Load() != 1 {
			t.Errorf("%v %v, %d answers lost", ok, err, p.lost.Load())
		}
	})
}

func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := TokenStoreConfig{CurrentKey: []byte(strings.Repeat("k", 32))}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg)} {
		if strings.Contains(text, "kk") || strings.Contains(text, "107") {
			t.Errorf("the key is printed: %s", text)
		}
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		c := s.open()
		get := func(kind, k string) (string, bool) {
			t.Helper()
			v, ok, err := c.CacheGet(s.ctx, s.org, kind, k)
			if err != nil {
				t.Fatal(err)
			}
			return string(v), ok
		}
		set := func(kind, k, v string, ttl time.Duration) {
			t.Helper()
			if err := c.CacheSet(s.ctx, s.org, kind, k, []byte(v), ttl); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := get("contact", "c1"); ok {
			t.Error("something is there")
		}
		set("contact", "c1", "460", time.Hour)
		set("item", "c1", "", time.Hour)
		if v, ok := get("contact", "c1"); v != "460" || !ok {
			t.Errorf("%q %v", v, ok)
		}
		if v, ok := get("item", "c1"); v != "" || !ok {
			t.Errorf("known to be absent: %q %v", v, ok)
		}
		set("contact", "c1", "", 0)
		if _, ok := get("contact", "c1"); ok {
			t.Error("still there")
		}
	})
}
