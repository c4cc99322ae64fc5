package zohobooks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	org          = "10234695"
	clientSecret = "client-secret-f00d"
	refreshToken = "1000.refresh-token.beef"
	accessToken  = "1000.access-token.cafe"
)

// setup gives a client of a fresh server whose token endpoint works, the server's mux (patterns below /books/v3) and its URL.
func setup(t *testing.T, opts ...zohobooks.Option) (*zohobooks.Client, *http.ServeMux, string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/v2/token", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"access_token":"`+accessToken+`","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`)
	})
	return clientOf(t, mux, nil, opts...), mux, serverOf(t, mux)
}

var servers sync.Map // *http.ServeMux -> URL

func serverOf(t *testing.T, mux *http.ServeMux) string {
	t.Helper()
	if url, ok := servers.Load(mux); ok {
		return url.(string)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	servers.Store(mux, srv.URL)
	return srv.URL
}

func config(url string) zohobooks.Config {
	return zohobooks.Config{
		APIBase: url + "/books/v3", AccountsBase: url, AllowLoopback: true, OrganizationID: org,
		ClientID: "1000.client", ClientSecret: secret.New(clientSecret), RefreshToken: secret.New(refreshToken),
	}
}

func clientOf(t *testing.T, mux *http.ServeMux, change func(*zohobooks.Config), opts ...zohobooks.Option) *zohobooks.Client {
	t.Helper()
	cfg := config(serverOf(t, mux))
	if change != nil {
		change(&cfg)
	}
	c, err := zohobooks.New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answer writes what Zoho would.
func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// fixed answers the same always and counts.
func fixed(status int, body string) (http.HandlerFunc, *atomic.Int64) {
	n := new(atomic.Int64)
	return func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		answer(w, status, body)
	}, n
}

// shared is the folder of reference material beside the project; the test is skipped without it.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	ref := filepath.Join(dir, "..", "shared")
	if _, err := os.Stat(filepath.Join(ref, "zoho-openapi")); err != nil {
		t.Skip("no reference material: the folder shared/zoho-openapi is not beside the project")
	}
	return ref
}

// recording is one recorded exchange with Zoho.
type recording struct {
	File     string            `json:"-"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Query    map[string]string `json:"query"`
	Body     json.RawMessage   `json:"body"`
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Response json.RawMessage   `json:"response"`
}

func recordings(t testing.TB) []recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared(t), "zoho-openapi", "recorded-*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	var all []recording
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []recording
		if err := json.Unmarshal(b, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i := range some {
			some[i].File = fmt.Sprintf("%s#%d", filepath.Base(file), i)
		}
		all = append(all, some...)
	}
	return all
}
