package zohobooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// TokenStore shares an organisation's access token between replicas. What Put stores is secret: the store encrypts it.
//
// Lease gives the right to ask for a new token to one owner at a time; it lapses after ttl. Refusals are short texts without secrets.
// Errors of the store count as an outage.
type TokenStore interface {
	Get(ctx context.Context, org string) (plaintext []byte, ok bool, err error)
	Put(ctx context.Context, org string, plaintext []byte, ttl time.Duration) error
	Lease(ctx context.Context, org, owner string, ttl time.Duration) (bool, error)
	Unlease(ctx context.Context, org, owner string) error
	Refusal(ctx context.Context, org string) (code string, ok bool, err error)
	SetRefusal(ctx context.Context, org, code string, ttl time.Duration) error
}

// storedToken is what the store keeps, as JSON.
type storedToken struct {
	Value     string    `json:"access_token"`
	Owner     string    `json:"credentials"` // fingerprint of the credentials it was got with
	Obtained  time.Time `json:"obtained"`
	Expires   time.Time `json:"expires"`
	Replaces  bool      `json:"replaces_refused,omitempty"` // got because Zoho refused the one before
	Scopes    []string  `json:"scopes,omitempty"`
	APIDomain string    `json:"api_domain,omitempty"`
}

func (s storedToken) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil { // strings, times and a bool: cannot happen
		panic("zohobooks: encoding a token: " + err.Error())
	}
	return b
}

func decodeToken(b []byte) (storedToken, bool) {
	var s storedToken
	if json.Unmarshal(b, &s) != nil || !tokenText(s.Value) {
		return storedToken{}, false
	}
	return s, true
}

// fingerprint tells credentials apart without giving them away: a refusal or a token of other credentials does not count.
func (c Config) fingerprint() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{c.AccountsBase, c.ClientID, c.ClientSecret.Reveal(), c.RefreshToken.Reveal()}, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// memoryStore is the TokenStore of a client that has no other.
type memoryStore struct {
	now func() time.Time

	mu      sync.Mutex
	token   []byte
	until   time.Time
	owner   string
	leased  time.Time
	refusal string
	refused time.Time
}

func (m *memoryStore) Get(context.Context, string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.token, m.token != nil && m.now().Before(m.until), nil
}

func (m *memoryStore) Put(_ context.Context, _ string, plaintext []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token, m.until = plaintext, m.now().Add(ttl)
	return nil
}

func (m *memoryStore) Lease(_ context.Context, _, owner string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owner != "" && m.owner != owner && m.now().Before(m.leased) {
		return false, nil
	}
	m.owner, m.leased = owner, m.now().Add(ttl)
	return true, nil
}

func (m *memoryStore) Unlease(_ context.Context, _, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owner == owner {
		m.owner = ""
	}
	return nil
}

func (m *memoryStore) Refusal(context.Context, string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusal, m.refusal != "" && m.now().Before(m.refused), nil
}

func (m *memoryStore) SetRefusal(_ context.Context, _, code string, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusal, m.refused = code, m.now().Add(ttl)
	return nil
}
