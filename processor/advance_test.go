package processor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/schemas"
)

// diary is what one attempt asked of the budget, the claims and the books, in order.
type diary struct {
	mu   sync.Mutex
	said []string
}

func (d *diary) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

// diaryBudget has a call at once, or none.
type diaryBudget struct {
	*diary
	short bool
}

func (b diaryBudget) Acquire(context.Context, zohobooks.Class) (zohobooks.Grant, error) {
	b.say("grant")
	return b, nil
}

func (b diaryBudget) TryAcquire(context.Context, zohobooks.Class) zohobooks.Grant {
	if b.short {
		return nil
	}
	b.say("grant at once")
	return b
}

func (b diaryBudget) Done(a zohobooks.CallAnswer) {
	if a.Status == 0 {
		b.say("given back")
	}
}

// diaryClaims answer every request alike.
type diaryClaims struct {
	Claims // the methods that are not called
	*diary
	epoch   Epoch
	answer  ClaimAnswer
	refuse  error  // of the claim
	claimed func() // called while the claim is taken
}

func (c *diaryClaims) Epoch(context.Context, string, bool) (*Epoch, error) { return &c.epoch, nil }

func (c *diaryClaims) Claim(_ context.Context, req *ClaimRequest) (*ClaimAnswer, error) {
	c.say("%s", strings.TrimSpace("claim "+req.Step))
	if c.claimed != nil {
		c.claimed()
	}
	a := c.answer
	a.Marked = req.Step != "" && a.State == ClaimClaimed && a.Entry.State == ""
	if a.Marked && !strings.Contains(string(req.Steps), `"origin":"orders/0/7"`) {
		c.say("steps %s", req.Steps)
	}
	return &a, c.refuse
}

func (c *diaryClaims) Sending(_ context.Context, _ *ClaimHandle, step string, _ []byte, _ map[string][]byte) error {
	c.say("sending %s", step)
	return nil
}

func (c *diaryClaims) Answered(context.Context, *ClaimHandle, []byte) error {
	c.say("answered")
	return nil
}

func (c *diaryClaims) Release(context.Context, *ClaimHandle) error {
	c.say("release")
	return nil
}

func (c *diaryClaims) Finish(_ context.Context, _ *ClaimHandle, f *ClaimFinish) error {
	c.say("finish %s", f.State)
	return nil
}

// knownContact is what is kept of the customer of orderOf, as of that very event: nothing is to be noted.
func knownContact() *contactRecord {
	o := orderOf("GBP", "0", "0", "0")
	return &contactRecord{ID: "contact-1", At: unixMilli(o.OccurredAt), Raw: rawHash(&o.Customer), Sent: hashes{}}
}

func (c *diaryClaims) Witness(context.Context, string, string, string) error { return nil }

func (c *diaryClaims) Raise(_ context.Context, _, _, _, _ string, _ int64, _ time.Duration) (Stamped, error) {
	return knownContact().stamped(), nil
}

type plainCodec struct{ Codec }

func (plainCodec) EncodeOutcome(context.Context, string, *schemas.Outcome) ([]byte, error) {
	return []byte("outcome"), nil
}

func TestAnOrdersClaimMarksItsInvoiceWhereTheBudgetHasACall(t *testing.T) {
	t.Parallel()
	claimed := ClaimAnswer{State: ClaimClaimed}
	for name, tt := range map[string]struct {
		answer   ClaimAnswer
		refuse   error
		short    bool
		stranger bool // the customer is not known here
		late     bool // a second attempt of the delivery
		lost     bool // Redis lost its memory
		outage   bool // the organisation is paused while the claim is taken
		want     []string
	}{
		"a known customer's": {answer: claimed, want: []string{"grant at once", "claim invoice", "POST", "finish done"}},
		"the budget is short": {
			answer: claimed, short: true, want: []string{"claim", "grant", "sending invoice", "POST", "finish done"},
		},
		"a customer nobody in this process knows": {
			answer: claimed, stranger: true, want: []string{"claim", "grant", "sending invoice", "POST", "finish done"},
		},
		"a second attempt": {answer: claimed, late: true, want: []string{"claim", "grant", "sending invoice", "POST", "finish done"}},
		"somebody else's":  {answer: ClaimAnswer{State: ClaimBusy}, want: []string{"grant at once", "claim invoice", "given back"}},
		"settled before": {
			answer: ClaimAnswer{State: ClaimDone, Entry: ClaimEntry{State: "done", Coordinates: "orders/0/7", Outcome: []byte(`{"outcome":"eA=="}`)}},
			want:   []string{"grant at once", "claim invoice", "given back"},
		},
		"rejected before: the steps follow each other": {
			answer: ClaimAnswer{State: ClaimClaimed, Entry: ClaimEntry{State: "rejected"}},
			want:   []string{"grant at once", "claim invoice", "given back", "grant", "sending invoice", "POST", "finish done"},
		},
		"the claim's answer is lost": {refuse: io.ErrUnexpectedEOF, want: []string{"grant at once", "claim invoice", "given back"}},
		"the organisation is not worked for any more": {
			answer: claimed, outage: true, want: []string{"grant at once", "claim invoice", "answered", "release", "given back"},
		},
		"Redis forgot: the books are looked through first": {answer: claimed, lost: true, want: []string{"claim", "release"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &diary{}
			mux := http.NewServeMux()
			mux.HandleFunc("POST /oauth/v2/token", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"access_token":"1000.x","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`)
			})
			mux.HandleFunc("POST /books/v3/invoices", func(w http.ResponseWriter, _ *http.Request) {
				d.say("POST")
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusCreated)
				fmt.Fprint(w, `{"code":0,"message":"","invoice":{"invoice_id":"7","status":"sent","total":120}}`)
			})
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			books, err := zohobooks.New(zohobooks.Config{
				APIBase: server.URL + "/books/v3", AccountsBase: server.URL, AllowLoopback: true, OrganizationID: "1",
				ClientID: "1000.c", ClientSecret: secret.New("s"), RefreshToken: secret.New("1000.r"),
			}, zohobooks.WithLimiter(diaryBudget{d, tt.short}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(books.Close)
			org := company(t, "uk", "GBP", "Europe/London")
			claims := &diaryClaims{diary: d, answer: tt.answer, refuse: tt.refuse}
			p, err := New(Config{Group: "g"}, Deps{
				Codec: plainCodec{}, Claims: claims, Progress: &topics{}, Clock: &handClock{now: instant("2026-03-10T12:00:00Z")},
			}, Tenant{Organization: org, Books: books})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			tn := p.tenants[org.Name]
			if !tt.stranger {
				tn.contacts.set("customer:C1:GBP", knownContact())
			}
			if tt.outage {
				claims.claimed = func() { tn.gate.pause(p.clock.Now().Add(time.Hour), "test") }
			}
			if tt.lost {
				claims.epoch = Epoch{Loss: true, Since: p.clock.Now(), Ends: map[string]map[int32]int64{"orders": {0: 100}}}
			}
			e := &event{workflow: WorkflowOrder, coordinates: "orders/0/7", origin: "orders/0/7", tenant: tn, order: orderOf("GBP", "100", "20", "120",
				goods("1", "1", "100", tax("vat20", "20", "20")))}
			e.ofOrder()
			work := &Work{event: e, firstSeen: p.clock.Now()}
			if tt.late {
				work.tries = 1
			}
			p.Process(t.Context(), &Delivery{
				Record: &kgo.Record{Topic: "orders", Offset: 7, Key: []byte("O1")}, Leaving: make(chan struct{}), Work: work,
			})
			if diff := cmp.Diff(tt.want, d.said); diff != "" {
				t.Error(diff)
			}
		})
	}
}
