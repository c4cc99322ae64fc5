package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

func TestOpenChecksTheServer(t *testing.T) {
	t.Parallel()
	config := func(policy string) server.Cmd {
		return func(c *server.Peer, _ string, _ []string) {
			c.WriteMapLen(1)
			c.WriteBulk("maxmemory-policy")
			c.WriteBulk(policy)
		}
	}
	info := func(policy, version string) server.Cmd {
		return func(c *server.Peer, _ string, _ []string) {
			c.WriteBulk(fmt.Sprintf("# Memory\r\nmaxmemory_policy:%s\r\nredis_version:%s\r\n", policy, version))
		}
	}
	forbidden := func(c *server.Peer, _ string, _ []string) {
		c.WriteError("NOPERM this user has no permissions to run it")
	}
	tests := map[string]struct {
		config, info server.Cmd
		skip         bool
		want         string // part of the error; empty: none
		is           error
	}{
		"noeviction by CONFIG":                   {config: config("noeviction"), info: info("allkeys-lru", "7.2.4")},
		"eviction by CONFIG":                     {config: config("allkeys-lru"), info: info("noeviction", "7.2.4"), is: ErrNotNoEviction},
		"noeviction by INFO":                     {config: forbidden, info: info("noeviction", "7.0.0")},
		"eviction by INFO":                       {config: forbidden, info: info("volatile-ttl", "7.0.0"), is: ErrNotNoEviction},
		"eviction is not skipped":                {config: forbidden, info: info("volatile-ttl", "7.0.0"), skip: true, is: ErrNotNoEviction},
		"too old":                                {config: config("noeviction"), info: info("noeviction", "6.2.14"), want: "too old"},
		"tells nothing":                          {config: forbidden, info: forbidden, want: "tells neither"},
		"tells nothing and the check is skipped": {config: forbidden, info: forbidden, skip: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mini := miniredis.RunT(t)
			if err := mini.Server().Register("CONFIG", test.config); err != nil {
				t.Fatal(err)
			}
			// INFO exists already: answer it before it is looked up.
			mini.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
				if strings.EqualFold(cmd, "INFO") {
					test.info(c, cmd, args)
					return true
				}
				return false
			})
			c, err := Open(testContext(t), Config{Addresses: []string{mini.Addr()}, SkipServerCheck: test.skip, Logger: slog.New(slog.DiscardHandler)})
			if err == nil {
				_ = c.Close()
			}
			switch {
			case test.is != nil && !errors.Is(err, test.is):
				t.Errorf("Open: %v, want %v", err, test.is)
			case test.is == nil && test.want == "" && err != nil:
				t.Errorf("Open: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Open: %v, want %q", err, test.want)
			}
		})
	}
}

func TestOpenLogsIn(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	mini.RequireUserAuth("booksync", "secret-word")
	cfg := Config{Addresses: []string{mini.Addr()}, Username: "booksync", Password: "secret-word", SkipServerCheck: true}
	c, err := Open(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	cfg.Password = "wrong-word"
	if _, err := Open(testContext(t), cfg); err == nil {
		t.Error("a wrong password is accepted")
	}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), cfg.LogValue().String()} {
		if strings.Contains(text, "word") {
			t.Errorf("the password is printed: %s", text)
		}
	}
}

func TestOpenFailsWithoutAServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
	defer cancel()
	if _, err := Open(ctx, Config{Addresses: []string{"127.0.0.1:1"}, Retries: -1, DialTimeout: time.Second}); err == nil {
		t.Error("Open: no error")
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	bad := map[string]interface{ Validate() error }{
		"empty address":             Config{Addresses: []string{""}},
		"database of a cluster":     Config{Addresses: []string{"a:1", "b:1"}, DB: 2},
		"negative database":         Config{DB: -1},
		"user without password":     Config{Username: "u"},
		"negative timeout":          Config{Timeout: -1},
		"retention below the lease": ClaimsConfig{Retention: time.Second},
		"negative grace":            ClaimsConfig{Grace: -time.Second},
		"window too short":          Limits{Window: time.Millisecond},
		"grants outlive the window": Limits{Unused: 2 * time.Minute},
		"more than the whole day":   Limits{DayReserve: 1.1},
		"organization's limits":     BudgetConfig{Organizations: map[string]Limits{"a": {Window: 1}}},
		"no key":                    TokenStoreConfig{},
		"short key":                 TokenStoreConfig{CurrentKey: make([]byte, 16)},
		"short previous key":        TokenStoreConfig{CurrentKey: make([]byte, 32), PreviousKey: make([]byte, 31)},
	}
	for name, cfg := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if cfg.Validate() == nil {
				t.Error("accepted")
			}
		})
	}
	good := map[string]interface{ Validate() error }{
		"connection": Config{}.WithDefaults(), "claims": ClaimsConfig{}.WithDefaults(), "budget": BudgetConfig{}.WithDefaults(),
		"zero connection": Config{}, "zero claims": ClaimsConfig{}, "zero budget": BudgetConfig{},
	}
	for name, cfg := range good {
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
