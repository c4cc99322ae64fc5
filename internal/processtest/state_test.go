package processtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// said is the last line of the n-th process's log, in its present life, whose message is the one given; nil: there is none.
func (w *world) said(t *testing.T, n int, message string) map[string]any {
	t.Helper()
	p := w.processes[n]
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]any
	for line := range bytes.Lines(text[p.began:]) {
		var entry map[string]any
		if json.Unmarshal(line, &entry) == nil && entry["msg"] == message {
			found = entry
		}
	}
	return found
}

// get asks the n-th process's own HTTP server. The answer's status does not matter.
func (w *world) get(t *testing.T, n int, path string) (string, error) {
	t.Helper()
	address, ok := w.said(t, n, "serving health and metrics")["address"].(string)
	if !ok {
		return "", errors.New("it does not say yet where it serves")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	req.Close = true // no connection is left behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// lag is how many records of each partition of the sources lie behind the group's committed position.
func (w *world) lag(t *testing.T) map[string]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends, err := w.admin.ListEndOffsets(ctx, w.orders, w.payments, w.refunds)
	if err != nil {
		t.Fatalf("reading the ends of the topics: %v", err)
	}
	committed, err := w.admin.FetchOffsets(ctx, w.group)
	if err != nil {
		t.Fatalf("reading the group's positions: %v", err)
	}
	out := map[string]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := committed.Lookup(end.Topic, end.Partition) // none: nothing is committed, 0
		out[fmt.Sprintf("%s/%d", end.Topic, end.Partition)] = end.Offset - max(at.At, 0)
	})
	return out
}

// telling are the metrics that show why nothing goes on.
var telling = regexp.MustCompile(`^booksync_(records_parked|results_unpublished|budget_remaining|circuit_state|organization_paused|claims_in_doubt|token_expires)`)

// describe logs what is known when something does not come about.
func (w *world) describe(t *testing.T, seen *watcher) {
	t.Helper()
	t.Logf("%d outcomes are visible", seen.distinct())
	lag := w.lag(t)
	for _, partition := range slices.Sorted(maps.Keys(lag)) {
		if lag[partition] > 0 {
			t.Logf("%s: %d behind", partition, lag[partition])
		}
	}
	for _, n := range slices.Sorted(maps.Keys(w.processes)) {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			text, err := w.get(t, n, path)
			if path == "/metrics" {
				lines := strings.Split(text, "\n")
				text = strings.Join(slices.DeleteFunc(lines, func(line string) bool { return !telling.MatchString(line) }), "\n")
			}
			t.Logf("process %d: %s: %v\n%s", n, path, err, text)
		}
	}
}
