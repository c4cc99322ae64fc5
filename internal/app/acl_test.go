package app

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
)

// aclOf reads the rules of the user from the file that operators are given.
func aclOf(t *testing.T, password, group string) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/redis.acl")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^user booksync (.*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("there is no user in the file")
	}
	return strings.Fields(strings.NewReplacer("PASSWORD", password, "GROUP", group).Replace(string(line[1])))
}

// TestTheRedisUserNeedsWhatItsACLAllows runs the service and what operators do on a real Redis as the user of deploy/redis.acl: nothing is denied, and
// nothing is allowed that is not used.
func TestTheRedisUserNeedsWhatItsACLAllows(t *testing.T) {
	t.Parallel()
	const password = "acl-password"
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) {
		c.Redis.Username, c.Redis.Password = "booksync", secret.New(password)
	}), company(func(o *simulator.Org) { o.Concurrency = 2 }))
	if !w.redis.Real {
		t.Skip("needs a real Redis: BOOKSYNC_TEST_REDIS is not set")
	}
	admin := goredis.NewClient(&goredis.Options{Addr: w.redis.Addr})
	t.Cleanup(func() { _ = admin.Close() })
	ctx := t.Context()
	rules := aclOf(t, password, w.cfg.Kafka.Group)
	set := []any{"acl", "setuser", "booksync"}
	for _, r := range rules {
		set = append(set, r)
	}
	if err := admin.Do(ctx, set...).Err(); err != nil {
		t.Fatal(err)
	}
	if err := admin.Do(ctx, "config", "resetstat").Err(); err != nil {
		t.Fatal(err)
	}
	w.cfg.Zoho.Concurrency = 2
	replicas := []*replica{w.start(), w.start()}
	var orders, others []*kgo.Record
	for i := range 30 {
		orders = append(orders, w.one(w.order(fmt.Sprint("O", i))))
	}
	w.posted(orders...)
	for i := range 3 {
		others = append(others, w.one(w.payment(fmt.Sprint("P", i), fmt.Sprint("O", i), "433")))
	}
	others = append(others, w.one(w.refund("R1", "O1", "P1", "100")), w.one(w.cancelled(w.order("O9"))))
	w.posted(others...)
	w.pause(control.Scope{Workflow: "order"})
	held := w.one(w.order("O99"))
	until(w, "it to be parked", func() bool {
		return slices.ContainsFunc(replicas, func(r *replica) bool { return r.engine.Load().Status().Parked["paused"] > 0 })
	})
	switches := "booksync:switches:" + w.cfg.Kafka.Group
	if err := admin.Del(ctx, switches).Err(); err != nil { // as after a loss: whoever knows puts them back
		t.Fatal(err)
	}
	until(w, "the pause to be put back", func() bool { return admin.HLen(ctx, switches).Val() > 1 })
	w.resume(control.Scope{Workflow: "order"})
	w.posted(held)

	if err := admin.Do(ctx, "script", "flush").Err(); err != nil { // as after a restart: sources are sent again
		t.Fatal(err)
	}
	w.posted(w.one(w.order("O100")))

	// What operators' commands ask beside the service.
	rc, err := w.cfg.RedisConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := redis.Open(ctx, rc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	claims, err := redis.NewClaims(client, redis.ClaimsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := redis.NewTokenStore(client, redis.TokenStoreConfig{CurrentKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	budget, err := redis.NewBudget(client, redis.BudgetConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const spare = "spare"
	ask := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = client.TokenState(ctx, w.name)
	ask("token state", err)
	ask("scan", claims.InDoubt(ctx, w.name, nil, func(redis.Doubtful) error { return nil }))
	ask("storing a token", tokens.Put(ctx, spare, []byte("x"), time.Minute))
	ask("removing a token", tokens.Put(ctx, spare, nil, 0))
	ask("a refusal", tokens.SetRefusal(ctx, spare, "invalid_code", time.Minute))
	_, err = client.Lease(ctx, spare, "reconcile", "me", time.Minute)
	ask("a lease", err)
	_, err = client.Extend(ctx, spare, "reconcile", "me", time.Minute)
	ask("a longer lease", err)
	ask("giving it back", client.Unlease(ctx, spare, "reconcile", "me"))
	ask("pausing", budget.Pause(ctx, spare, time.Now().Add(time.Minute), "test"))
	ask("resuming", budget.Resume(ctx, spare))
	_, err = budget.State(ctx, w.name)
	ask("the budget", err)
	ask("a cached id", client.CacheSet(ctx, spare, "tax", "x", []byte("1"), time.Minute))
	ask("a stamped value", client.Store(ctx, spare, "tax", "x", redis.Stamped{Tag: "t", Stamp: 1, Value: []byte("1")}, time.Minute))
	_, err = client.Raise(ctx, spare, "tax", "x", "t", 2, time.Minute)
	ask("a later stamp", err)
	ask("removing it", client.Store(ctx, spare, "tax", "x", redis.Stamped{}, 0))
	for _, r := range replicas {
		r.stop()
	}

	denied, err := admin.Do(ctx, "acl", "log").Slice()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range denied {
		t.Errorf("denied: %v", d)
	}
	stats, err := admin.Info(ctx, "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		name, command := strings.CutPrefix(r, "+")
		if command && !strings.Contains(stats, "cmdstat_"+name+":") {
			t.Errorf("%s is allowed and never used", name)
		}
	}
	// What it may not do.
	user := goredis.NewClient(&goredis.Options{Addr: w.redis.Addr, Username: "booksync", Password: password, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() { _ = user.Close() })
	for _, c := range [][]any{{"flushall"}, {"keys", "*"}, {"config", "set", "maxmemory", "1"}, {"acl", "list"}, {"get", "others:key"}, {"publish", "others", "x"}, {"shutdown"}} {
		if err := user.Do(ctx, c...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%v: %v, want NOPERM", c, err)
		}
	}
}
