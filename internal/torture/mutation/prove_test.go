package mutation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write down the seeds that catch the mutations, and the table in docs/reliability.md")

const (
	// tries are the seeds, from the first on, that may catch a mutation where its own does not: a seed fixes events and faults, not which
	// goroutine goes first. They are those that every change has to pass without a mutation.
	tries = 50
	// again is how often its own seed is tried, for the same reason: a few catch it every other time.
	again = 8
	// most is how long one seed of a mutated command may take; what waits for ever is found by the simulation itself.
	most = 10 * time.Minute
)

// TestEachIsCaught builds the command with each mutation and runs the seed that catches it, then some others. It takes minutes, so
// it runs only where BOOKSYNC_TEST_MUTATIONS says so; A..B there are the seeds to try instead.
func TestEachIsCaught(t *testing.T) {
	t.Parallel()
	wanted := os.Getenv("BOOKSYNC_TEST_MUTATIONS")
	if wanted == "" {
		t.Skip("BOOKSYNC_TEST_MUTATIONS is not set")
	}
	for _, m := range read(t) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			bin := m.build(t)
			built := time.Since(began)
			for _, seed := range m.seeds(t, wanted) {
				broken := run(t, bin, seed)
				if len(broken) == 0 {
					t.Logf("seed %d does not catch it", seed)
					continue
				}
				t.Logf("seed %d catches it: %s (built in %.0f s, ran for %.0f s)", seed, broken[0], built.Seconds(), (time.Since(began) - built).Seconds())
				if *update {
					m.seed, m.breaks = strconv.Itoa(seed), broken[0].Promise
					m.write(t)
				}
				return
			}
			t.Errorf("nothing catches it: %s", m.mistake)
		})
	}
}

// seeds are those to try.
func (m *mutation) seeds(t *testing.T, wanted string) []int {
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%q is not a seed: %v", text, err)
		}
		return n
	}
	first, last := 1, tries
	var all []int
	if a, b, ok := strings.Cut(wanted, ".."); ok {
		first, last = number(a), number(b)
	} else {
		all = slices.Repeat([]int{number(m.seed)}, again)
	}
	for seed := first; seed <= last; seed++ {
		if len(all) == 0 || seed != all[0] {
			all = append(all, seed)
		}
	}
	return all
}

// build builds the command with the mutation.
func (m *mutation) build(t *testing.T) string {
	t.Helper()
	files, err := m.apply()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for path, text := range files {
		from, err := filepath.Abs(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
		replace[from] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "booksync")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, "./processor/cmd/booksync")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// problem is a promise that a seed found broken.
type problem struct{ Promise, What string }

func (p problem) String() string { return p.Promise + ": " + p.What }

// run lets one seed judge the command; none: it passed. Any end but a pass or a failed seed is an error.
func run(t *testing.T, bin string, seed int) []problem {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "torture", "--seeds", strconv.Itoa(seed), "--json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit) || exit.ExitCode() != 1:
		t.Fatalf("seed %d: %v\n%s", seed, err, stderr.String())
	}
	var all []problem
	var sum struct {
		FailedSeeds []int `json:"failed_seeds"`
	}
	for line := range bytes.Lines(stdout.Bytes()) {
		var result struct{ Problems []problem }
		if err := errors.Join(json.Unmarshal(line, &result), json.Unmarshal(line, &sum)); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, line)
		}
		all = append(all, result.Problems...)
	}
	if len(sum.FailedSeeds) != 1 || sum.FailedSeeds[0] != seed || len(all) == 0 {
		t.Fatalf("seed %d failed without saying why:\n%s", seed, stdout.String())
	}
	return all
}

// write puts the seed and the promise into the patch's header.
func (m *mutation) write(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	_, diff, _ := strings.Cut(string(text), "\n\n")
	text = fmt.Appendf(nil, "Mistake: %s\nSeed: %s\nBreaks: %s\n\n%s", m.mistake, m.seed, m.breaks, diff)
	if err := os.WriteFile(m.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
