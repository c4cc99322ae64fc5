package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-shellwords"

	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// runbook hands out the commands of a page one after the other, as they stand there.
type runbook struct {
	d       *desk
	dir     string // where the files it names are
	words   map[string]string
	pending [][]string
}

var shell = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")

// commandsOf are the command lines of a page's shell blocks that call booksync, without that word.
func commandsOf(t *testing.T, text string) [][]string {
	t.Helper()
	var out [][]string
	for _, block := range shell.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			line, called := strings.CutPrefix(strings.TrimSpace(line), "booksync ")
			if !called {
				continue
			}
			words, err := shellwords.Parse(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			out = append(out, words)
		}
	}
	return out
}

func openRunbook(t *testing.T, d *desk, dir, page string) *runbook {
	t.Helper()
	text := read(t, filepath.Join(testkit.Root(t), "docs", "runbooks", page))
	return &runbook{d: d, dir: dir, words: map[string]string{}, pending: commandsOf(t, text)}
}

// next runs the runbook's next command, which must begin with these words, and must end with this code.
func (b *runbook) next(code int, begins string) result {
	b.d.t.Helper()
	if len(b.pending) == 0 {
		b.d.t.Fatalf("the runbook ends before %q", begins)
	}
	args := b.pending[0]
	b.pending = b.pending[1:]
	if !strings.HasPrefix(strings.Join(args, " "), begins) {
		b.d.t.Fatalf("the runbook has `booksync %s` where %q is expected", strings.Join(args, " "), begins)
	}
	for i, arg := range args {
		switch filepath.Ext(arg) {
		case ".yaml", ".json", ".txt":
			args[i] = filepath.Join(b.dir, arg)
		}
		for word, is := range b.words {
			args[i] = strings.ReplaceAll(args[i], word, is)
		}
	}
	r := b.d.run(b.d.t, "", args...)
	if r.code != code {
		b.d.t.Fatalf("booksync %s: exit %d, want %d\n%s\n%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

func (b *runbook) done() {
	b.d.t.Helper()
	if len(b.pending) > 0 {
		b.d.t.Errorf("the runbook goes on with %v", b.pending)
	}
}

// Of the 200 orders of the incident half came before the deploy, half after; of each half these are of New York, the rest of New Jersey.
const (
	incidentHalf    = 100
	incidentNewYork = 60
)

// sales are the orders from..to, and the payments of every second one.
func sales(from, to int) (orders, payments []string) {
	now := time.Now().UTC().Format(time.RFC3339)
	for i := from; i < to; i++ {
		id, gross, tax, code, rate := "O"+strconv.Itoa(i), "21.78", "1.78", "ny-sales-tax", "8.875"
		if (i-from)%incidentHalf >= incidentNewYork {
			gross, tax, code, rate = "21.33", "1.33", "nj-sales-tax", "6.625"
		}
		event := strings.NewReplacer(`"organization":"demo"`, `"organization":"acme"`, `"2026-03-01T10:00:00Z"`, strconv.Quote(now), `"2026-03-01T10:01:00Z"`, strconv.Quote(now),
			`"O1"`, strconv.Quote(id), `"1001"`, strconv.Quote(fmt.Sprint(1000+i)), `"e1"`, strconv.Quote("e-"+id), `"e2"`, strconv.Quote("e-P"+strconv.Itoa(i)),
			`"P1"`, strconv.Quote("P"+strconv.Itoa(i)), `"ch_1"`, strconv.Quote("ch_"+strconv.Itoa(i)),
			`"21.78"`, strconv.Quote(gross), `"1.78"`, strconv.Quote(tax), `"ny-sales-tax"`, strconv.Quote(code), `"8.875"`, strconv.Quote(rate))
		orders = append(orders, event.Replace(orderJSON))
		if i%2 == 0 {
			payments = append(payments, event.Replace(paymentJSON))
		}
	}
	return orders, payments
}

// TestWrongMappingIsFoundTakenBackAndPostedAnew is the runbook of a wrong mapping, word by word: 100 orders are posted, then a deploy points one tax code to another
// tax and loses another code. Of the next 100 orders 60 become wrong invoices and 40 dead letters; payments come for half of all. An operator finds both, pauses,
// takes back, mends, and posts anew, and in the end nothing is left to look at.
func TestWrongMappingIsFoundTakenBackAndPostedAnew(t *testing.T) {
	t.Parallel()
	s := startCompanies(t, simulatorOptions{id: "10234695", country: "us", bare: true}, "acme", "sandbox")
	s.environ = append([]string{"BOOKSYNC_ZOHO_WINDOW=10s"}, s.environ...) // the first one counts; a grant is good for a 61st: on a busy machine calls need that
	s.prepare(t)
	d := deskOf(t, s)
	dir := filepath.Dir(d.file)
	right := read(t, d.file)
	deploy := func(mapping string) {
		t.Helper()
		for name, text := range map[string]string{"booksync.before.yaml": read(t, d.file), "booksync.yaml": mapping} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}

	stop := d.start(t)
	orders, payments := sales(0, incidentHalf)
	d.produce("orders", orders...)
	d.produce("payments", payments...)
	d.outcomes(len(orders) + len(payments))
	stop()

	// The deploy: in acme's mapping New York has the tax of Texas, and New Jersey's code is misspelt.
	acme, sandbox, _ := strings.Cut(right, "  sandbox:\n")
	wrong := strings.Replace(acme, s.org.TaxID("NY Sales Tax"), s.org.TaxID("TX Sales Tax"), 1)
	wrong = strings.Replace(wrong, `"nj-sales-tax"`, `"nj-sale-tax"`, 1)
	deploy(wrong + "  sandbox:\n" + sandbox)
	stop = d.start(t)
	orders, payments = sales(incidentHalf, 2*incidentHalf)
	d.produce("orders", orders...)
	d.produce("payments", payments...)
	d.outcomes(250 + incidentNewYork/2) // payments of rejected orders wait

	// Find it.
	b := openRunbook(t, d, dir, "wrong-mapping.md")
	mustHold(t, b.next(0, "dlq ls").stdout, "40 dead letters", "rejected.tax", "acme")
	found := b.next(1, "reconcile")
	mustHold(t, strings.Join(strings.Fields(found.stdout), " "), "tax_mismatch 60", "missing_in_books 40")
	mustHold(t, b.next(0, "pause").stdout, "paused   organisation acme")
	// Where it comes from.
	status := b.next(0, "status").stdout
	mustHold(t, status, "acme          order     paused")
	hash := regexp.MustCompile(`ORGANISATION acme\n +mapping +([0-9a-f]{16})`).FindStringSubmatch(status)
	if hash == nil {
		t.Fatalf("no hash of the mapping:\n%s", status)
	}
	b.words["HASH"] = hash[1]
	diff := b.next(1, "config diff")
	mustHold(t, diff.stdout, "-> "+hash[1], "lines with the tax code ny-sales-tax are posted with another tax", "nj-sale-tax")

	// Take it back.
	mustHold(t, b.next(0, "rollback plan").stdout, "90 outcomes of 60 orders", "0 orders cannot be taken back")
	var plan rollback.Plan
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "wrong-tax.json"))), &plan); err != nil {
		t.Fatal(err)
	}
	b.words["PLAN"] = plan.ID
	mustHold(t, b.next(0, "rollback apply").stdout, "nothing was changed")
	mustHold(t, b.next(0, "rollback apply").stdout, "60 taken back, 0 before, 0 blocked, 0 busy")

	// Mend it, and see that it is mended.
	stop()
	deploy(right)
	b.next(0, "config check")
	b.next(0, "setup")
	stop = d.start(t)
	defer func() { stop() }()
	mustHold(t, b.next(0, "verify").stdout, "verified: ")

	// Post anew.
	mustHold(t, b.next(0, "rollback redrive").stdout, "90 records put back")
	b.next(0, "dlq ls")
	mustHold(t, b.next(0, "dlq replay").stdout, "40 chosen, 40 would be done (40 retry)")
	mustHold(t, b.next(0, "dlq replay").stdout, "40 chosen, 40 done (40 retry)")
	b.next(1, "resume") // the rollback's own pause is left
	b.next(0, "resume")
	// 280 before, 90 taken back, the canary's 4 and their 3 ends, 90 posted anew, 40 orders and the 20 payments that waited.
	d.outcomes(280 + 90 + 7 + 90 + 60)
	last := b.next(0, "reconcile")
	if strings.Contains(last.stdout, "mismatch") || strings.Contains(last.stdout, "missing") {
		t.Errorf("afterwards:\n%s", last.stdout)
	}
	mustHold(t, b.next(0, "dlq ls").stdout, "no dead letters (done with: 40 replayed)")
	b.done()

	// The books, looked at from outside: 200 invoices of what their events say, half of them paid, nothing else.
	want := map[string]string{}
	for i := range 2 * incidentHalf {
		total := "21.78"
		if i%incidentHalf >= incidentNewYork {
			total = "21.33"
		}
		want["invoice order:O"+strconv.Itoa(i)] = total
		if i%2 == 0 {
			want["payment payment:P"+strconv.Itoa(i)] = total
		}
	}
	living, accounts := d.ledger()
	got := map[string]string{}
	for _, line := range living {
		at := strings.LastIndexByte(line, ' ')
		if _, twice := got[line[:at]]; twice {
			t.Errorf("twice: %s", line)
		}
		got[line[:at]] = line[at+1:]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the books (-want +got): %s", diff)
	}
	if paid := accounts[simulator.AccountStripe]; paid != "2160" {
		t.Errorf("the clearing account holds %s", paid)
	}
	var deep reconcile.Result
	r := d.run(t, "", "reconcile", "--organization", "acme", "--deep", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &deep); err != nil || r.code != 0 || len(deep.Exceptions) > 0 {
		t.Errorf("every document opened: %v, exit %d\n%s\n%s", err, r.code, r.stdout, r.stderr)
	}
	// What was done is found from one of the orders.
	mustHold(t, d.must("trace", "O"+strconv.Itoa(incidentHalf)), "POSTED", "pause organisation acme", "rollback.apply --config-hash "+hash[1], "REVERSED", "rollback.redrive", "resume organisation acme")
	mustHold(t, d.must("trace", "O"+strconv.Itoa(2*incidentHalf-1)), "dead letter", "replay --ids", "POSTED")
	actions := map[string]int{}
	for _, e := range s.audited(t) {
		actions[e.Action]++
	}
	for _, action := range []string{"pause", "rollback.apply", "rollback.redrive", "replay", "resume"} {
		if actions[action] == 0 {
			t.Errorf("the audit topic does not tell of %s: %v", action, actions)
		}
	}
}
