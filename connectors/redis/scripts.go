package redis

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed common.lua
	commonLua string
	//go:embed entry.lua
	entryLua string
	//go:embed claim.lua
	claimLua string
	//go:embed sending.lua
	sendingLua string
	//go:embed renew.lua
	renewLua string
	//go:embed release.lua
	releaseLua string
	//go:embed finish.lua
	finishLua string
	//go:embed lookup.lua
	lookupLua string
	//go:embed reverse.lua
	reverseLua string
	//go:embed epoch.lua
	epochLua string
	//go:embed witness.lua
	witnessLua string
	//go:embed budget.lua
	budgetLua string
	//go:embed pause.lua
	pauseLua string
	//go:embed unlease.lua
	unleaseLua string
	//go:embed extend.lua
	extendLua string
	//go:embed switches.lua
	switchesLua string
	//go:embed report.lua
	reportLua string
	//go:embed stamp.lua
	stampLua string
)

var (
	claimScript    = newScript("claim", commonLua, entryLua, claimLua)
	sendingScript  = newScript("sending", commonLua, sendingLua)
	renewScript    = newScript("renew", commonLua, renewLua)
	releaseScript  = newScript("release", commonLua, releaseLua)
	finishScript   = newScript("finish", commonLua, finishLua)
	lookupScript   = newScript("lookup", entryLua, lookupLua)
	reverseScript  = newScript("reverse", commonLua, reverseLua)
	epochScript    = newScript("epoch", epochLua)
	witnessScript  = newScript("witness", commonLua, witnessLua)
	budgetScript   = newScript("budget", budgetLua)
	pauseScript    = newScript("pause", pauseLua)
	unleaseScript  = newScript("unlease", unleaseLua)
	extendScript   = newScript("extend", extendLua)
	switchesScript = newScript("switches", switchesLua)
	reportScript   = newScript("report", reportLua)
	stampScript    = newScript("stamp", stampLua)

	scripts = []*script{claimScript, sendingScript, renewScript, releaseScript, finishScript, lookupScript, reverseScript, epochScript, budgetScript, pauseScript, unleaseScript, switchesScript, reportScript, extendScript, stampScript}
)

// script is a Lua script that the server knows by its hash.
type script struct{ name, source, hash string }

func newScript(name string, parts ...string) *script {
	source := strings.Join(parts, "\n")
	sum := sha1.Sum([]byte(source)) // the name Redis gives to scripts, not a matter of security
	return &script{name: name, source: source, hash: hex.EncodeToString(sum[:])}
}

// command builds EVALSHA, or EVAL with the source.
func (s *script) command(ctx context.Context, bySource bool, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	if bySource {
		all = append(all, "eval", s.source, len(keys))
	} else {
		all = append(all, "evalsha", s.hash, len(keys))
	}
	for _, k := range keys {
		all = append(all, k)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// run executes a script in a shared pipeline. A server that forgot its scripts (a restart) gets the source.
func (c *Client) run(ctx context.Context, s *script, keys []string, args ...any) ([]any, error) {
	cmd := s.command(ctx, false, keys, args)
	err := c.pipes.do(ctx, cmd)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = s.command(ctx, true, keys, args)
		err = c.pipes.do(ctx, cmd)
	}
	if err != nil {
		return nil, fmt.Errorf("running script %s: %w", s.name, err)
	}
	out, err := cmd.Slice()
	if err != nil {
		return nil, fmt.Errorf("reading the answer of script %s: %w", s.name, err)
	}
	return out, nil
}

// unrepeated is a command that the client library must not send again after a lost answer.
type unrepeated struct{ *redis.Cmd }

// NoRetry tells the client library so.
func (unrepeated) NoRetry() bool { return true }

// runOnce executes a script on a connection of its own, and never twice.
func (c *Client) runOnce(ctx context.Context, s *script, keys []string, args ...any) ([]any, error) {
	cmd := s.command(ctx, false, keys, args)
	err := c.rdb.Process(ctx, unrepeated{cmd})
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = s.command(ctx, true, keys, args)
		err = c.rdb.Process(ctx, unrepeated{cmd})
	}
	if err != nil {
		return nil, fmt.Errorf("running script %s: %w", s.name, err)
	}
	out, err := cmd.Slice()
	if err != nil {
		return nil, fmt.Errorf("reading the answer of script %s: %w", s.name, err)
	}
	return out, nil
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func bytesOf(v any) []byte {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	return []byte(s)
}

func numberOf(v any) int64 {
	switch x := v.(type) {
	case int64:
		return x
	case string:
		n, _ := strconv.ParseInt(x, 10, 64)
		return n
	}
	return 0
}

func timeOf(v any) time.Time {
	n := numberOf(v)
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func listOf(v any) []any {
	l, _ := v.([]any)
	return l
}

func millis(d time.Duration) int64 { return d.Milliseconds() }
