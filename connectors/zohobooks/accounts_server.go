package zohobooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/oauth2"

	"github.com/booksync/booksync/internal/secret"
)

const (
	defaultTokenLife = time.Hour // when expires_in is missing or nonsense; documented
	longestTokenLife = 86400     // seconds; above it expires_in is taken for milliseconds, as old answers had it
	maxTokenAnswer   = 64 << 10  // bytes
	maxAuthCode      = 64        // characters of an error code kept
	tokenPath        = "/oauth/v2/token"
	revokePath       = "/oauth/v2/token/revoke"
)

// accountsClient follows no redirect and reads a limited answer.
func accountsClient(cfg Config, rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     limitedAnswers{rt},
		Timeout:       cfg.TokenTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type limitedAnswers struct{ rt http.RoundTripper }

func (l limitedAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.rt.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxTokenAnswer), resp.Body}
	return resp, nil
}

func (c Config) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID:     c.ClientID,
		ClientSecret: c.ClientSecret.Reveal(),
		// AuthStyleInParams: the automatic choice tries HTTP Basic first and spends two token requests on every failure.
		Endpoint: oauth2.Endpoint{TokenURL: c.AccountsBase + tokenPath, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// requestToken spends one token request. Errors are *AuthError.
func requestToken(ctx context.Context, client *http.Client, cfg Config, now func() time.Time) (storedToken, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	// A fresh source for each request: oauth2's own caching knows neither contexts nor refusals.
	tok, err := cfg.oauth().TokenSource(ctx, &oauth2.Token{RefreshToken: cfg.RefreshToken.Reveal()}).Token()
	if err != nil {
		return storedToken{}, cfg.authError(err)
	}
	return cfg.acceptToken(tok, now())
}

// acceptToken checks an answered token.
func (c Config) acceptToken(tok *oauth2.Token, now time.Time) (storedToken, error) {
	if !tokenText(tok.AccessToken) {
		return storedToken{}, &AuthError{Code: AuthUnreadable, Err: errors.New("no usable access token in the answer")}
	}
	domain, _ := tok.Extra("api_domain").(string)
	if err := c.checkAPIDomain(domain); err != nil {
		return storedToken{}, err
	}
	scope, _ := tok.Extra("scope").(string)
	return storedToken{
		Value:     tok.AccessToken,
		Obtained:  now,
		Expires:   now.Add(tokenLife(tok.Extra("expires_in"))),
		Scopes:    splitScopes(scope),
		APIDomain: domain,
	}, nil
}

// tokenText: one to 2048 visible ASCII characters, so that it fits in a header.
func tokenText(s string) bool {
	if s == "" || len(s) > 2048 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// tokenLife reads expires_in: seconds as a number or a text, or milliseconds.
func tokenLife(v any) time.Duration {
	var n Amount // reads both, within limits
	if v == nil || n.parse([]byte(strings.TrimSpace(fmt.Sprint(v)))) != nil {
		return defaultTokenLife
	}
	if n.GreaterThan(decimal.NewFromInt(longestTokenLife)) {
		n.Decimal = n.Shift(-3)
	}
	if n.LessThan(decimal.NewFromInt(1)) {
		return defaultTokenLife
	}
	return time.Duration(decimal.Min(n.Decimal, decimal.NewFromInt(longestTokenLife)).IntPart()) * time.Second
}

func splitScopes(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
}

// checkAPIDomain: the host that the token is for is ours, or one of the same data centre under another name. Documents show
// https://api.zoho.eu, clients get https://www.zohoapis.eu.
func (c Config) checkAPIDomain(domain string) error {
	if domain == "" {
		return nil
	}
	wrong := func(what string) error {
		return &AuthError{Code: AuthWrongAPIDomain, Permanent: true, Err: fmt.Errorf("api_domain %q %s", clip(c.redact(clipTo(domain, 128))), what)}
	}
	u, err := url.Parse(domain)
	if err != nil || u.Host == "" {
		return wrong("is no address")
	}
	base, err := url.Parse(c.APIBase)
	if err != nil {
		return fmt.Errorf("reading api_base: %w", err)
	}
	if u.Host == base.Host {
		return nil
	}
	dc, known := apiHosts[u.Host]
	if !known {
		dc, known = accountsHosts["accounts"+strings.TrimPrefix(u.Host, "api")]
	}
	switch {
	case c.AllowLoopback && loopback(base.Hostname()) && (known || loopback(u.Hostname())):
		return nil
	case !known || u.Scheme != "https":
		return wrong("is not one of Zoho's hosts")
	case dc != apiHosts[base.Host]:
		return wrong("belongs to data centre " + dc + ": set data_center")
	}
	return nil
}

// authError turns oauth2's errors, whose texts quote the answer, into one that holds no secret.
func (c Config) authError(err error) *AuthError {
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) {
		status := 0
		if refusal.Response != nil {
			status = refusal.Response.StatusCode
		}
		code := c.redact(authCode(refusal.ErrorCode))
		switch {
		case status >= 500:
			code = AuthUnreachable
		case code == "" && status == http.StatusTooManyRequests:
			code = "Access Denied"
		case code == "":
			code = AuthUnreadable
		}
		return &AuthError{Code: code, Permanent: permanentRefusals[code], Err: fmt.Errorf("the accounts server answered with status %d", status)}
	}
	var wrong *url.Error
	if errors.As(err, &wrong) { // its text has the URL, which for a revocation has the token
		return &AuthError{Code: AuthUnreachable, Err: c.clean(wrong.Err)}
	}
	return &AuthError{Code: AuthUnreadable, Err: errors.New("the accounts server's answer is no token")}
}

func (c Config) clean(err error) error {
	text := err.Error()
	if clean := clip(c.redact(text)); clean != text {
		return &cleaned{text: clean, err: err}
	}
	return err
}

// authCode keeps what a code may consist of.
func authCode(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == ' ' || r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, clipTo(s, maxAuthCode))
}

// Login is the answer to an authorisation code.
type Login struct {
	RefreshToken secret.String
	Scopes       []string // as answered; may be empty
	APIDomain    string
	Expires      time.Time // of the access token that came with it, which is thrown away
}

// ExchangeCode turns the code of a self client (made in Zoho's API console, good for some minutes) into a refresh token. The Config needs no
// organisation and no refresh token. Errors are *AuthError or about the Config.
func ExchangeCode(ctx context.Context, cfg Config, code secret.String, opts ...Option) (Login, error) {
	c, err := accountsOnly(cfg, opts)
	if err != nil {
		return Login{}, err
	}
	defer c.Close()
	cfg = c.cfg
	cfg.RefreshToken = code // only so that it is redacted
	ctx, cancel := context.WithTimeout(ctx, cfg.TokenTimeout)
	defer cancel()
	tok, err := cfg.oauth().Exchange(context.WithValue(ctx, oauth2.HTTPClient, c.tokens.http), code.Reveal())
	if err != nil {
		return Login{}, cfg.authError(err)
	}
	st, err := cfg.acceptToken(tok, c.now())
	if err != nil {
		return Login{}, err
	}
	if !tokenText(tok.RefreshToken) {
		return Login{}, &AuthError{Code: AuthUnreadable, Permanent: true, Err: errors.New("the answer has no refresh token: make the code anew with access_type offline")}
	}
	return Login{RefreshToken: secret.New(tok.RefreshToken), Scopes: st.Scopes, APIDomain: st.APIDomain, Expires: st.Expires}, nil
}

// Revoke makes cfg.RefreshToken, and the access tokens got with it, invalid. Errors are *AuthError or about the Config.
func Revoke(ctx context.Context, cfg Config, opts ...Option) error {
	c, err := accountsOnly(cfg, opts)
	if err != nil {
		return err
	}
	defer c.Close()
	cfg = c.cfg
	ctx, cancel := context.WithTimeout(ctx, cfg.TokenTimeout)
	defer cancel()
	// Zoho documents the token as a query parameter.
	target := cfg.AccountsBase + revokePath + "?token=" + url.QueryEscape(cfg.RefreshToken.Reveal())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
	if err != nil {
		return errors.New("revoking the refresh token: making the request") // the error itself quotes the URL
	}
	resp, err := c.tokens.http.Do(req)
	if err != nil {
		return cfg.authError(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return &AuthError{Code: AuthUnreachable, Err: cfg.clean(err)}
	}
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // an unreadable answer has neither
	switch {
	case answer.Error != "":
		code := cfg.redact(authCode(answer.Error))
		return &AuthError{Code: code, Permanent: permanentRefusals[code], Err: fmt.Errorf("the accounts server answered with status %d", resp.StatusCode)}
	case resp.StatusCode != http.StatusOK:
		return &AuthError{Code: AuthUnreachable, Err: fmt.Errorf("the accounts server answered with status %d", resp.StatusCode)}
	}
	return nil
}

// accountsOnly checks what the accounts server needs.
func accountsOnly(cfg Config, opts []Option) (*Client, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validateHosts(); err != nil {
		return nil, fmt.Errorf("configuring the Zoho accounts client: %w", err)
	}
	return newClient(cfg, opts)
}
