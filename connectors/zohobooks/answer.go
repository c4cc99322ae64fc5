package zohobooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	maxAnswer     = 16 << 20 // bytes; the largest recorded answer has 43 KiB, a page of 200 full invoices would have 1.4 MiB
	maxMessage    = 1 << 10  // bytes of Zoho's message kept in an Error
	maxRequestID  = 128
	maxRetryAfter = 24 * time.Hour
	keepBuffer    = 256 << 10 // larger buffers are not pooled
)

// Zoho's codes that the client itself looks at. See Verdict for the others.
const (
	codeNotAuthenticated = 14
	codeMinuteLimit      = 44
	codeDayLimit         = 45
	codeNotAuthorized    = 57
	codeInternal         = 1000
	codeMissing          = 1002
	codeConcurrency      = 1070
)

// answer is the target of a call.
type answer interface {
	result() *head
	// complete says whether what the call is about is there: a document with its id, a list.
	complete() bool
}

// head is the envelope that every answer has.
type head struct {
	Code    resultCode `json:"code"`
	Message string     `json:"message"`
}

func (h *head) result() *head  { return h }
func (h *head) complete() bool { return true }

// resultCode is strict: nothing but a number, so that nonsense never reads as 0, which is success.
type resultCode int

const noCode resultCode = -1 << 31

func (r *resultCode) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 32)
	if err != nil {
		return errors.New("code is not a number")
	}
	*r = resultCode(n)
	return nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readAnswer reads the body to its end and turns everything but a plain success into an *Error.
func (c *Client) readAnswer(cl *call, resp *http.Response, tok *token, out answer, result *CallAnswer, info *CallInfo) error {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= keepBuffer {
			buffers.Put(buf)
		}
	}()
	h, err := parseAnswer(resp, buf, out)
	if h.Code != noCode {
		result.Code = int(h.Code)
	}
	if err == nil && h.Code == 0 {
		return nil
	}
	e := &Error{
		Method: cl.method, Path: cl.path, Keyed: cl.keyed,
		Status: resp.StatusCode, Code: result.Code, Message: clip(c.redact(h.Message, tok)),
		RequestID: info.RequestID, RetryAfter: result.RetryAfter, DayReset: max(result.DayReset, 0),
		MaybeWritten: maybeWritten(cl.write(), resp.StatusCode, result.Code),
		Err:          c.clean(err, tok),
	}
	switch {
	case errors.Is(err, ErrRedirect):
		info.Err = "redirect"
	case err != nil:
		info.Err = "unreadable"
	default:
		info.Err = "api"
	}
	return e
}

// parseAnswer gives the envelope, and an error when there is none or when the answer is not what was asked for.
func parseAnswer(resp *http.Response, buf *bytes.Buffer, out answer) (head, error) {
	none := head{Code: noCode}
	if resp.ContentLength > 0 && resp.ContentLength <= maxAnswer {
		buf.Grow(int(min(resp.ContentLength, keepBuffer)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if s := resp.StatusCode; s >= 300 && s < 400 {
		return none, fmt.Errorf("%w: %w", ErrUnreadable, ErrRedirect)
	}
	switch {
	case err != nil:
		return none, fmt.Errorf("%w: reading the body: %w", ErrUnreadable, err)
	case buf.Len() > maxAnswer:
		return none, fmt.Errorf("%w: more than %d bytes", ErrUnreadable, maxAnswer)
	case buf.Len() == 0:
		return none, fmt.Errorf("%w: empty body", ErrUnreadable)
	}
	if err := checkContentType(resp.Header); err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	if ok {
		h := out.result()
		h.Code = noCode
		err := decode(buf.Bytes(), out)
		switch {
		case err == nil && h.Code == 0 && !out.complete():
			return *h, fmt.Errorf("%w: what was asked for is missing", ErrUnreadable)
		case err == nil && h.Code != noCode:
			return *h, nil
		}
		// Perhaps a refusal in the clothes of a success, with the payload in another shape.
		bare := head{Code: noCode}
		if decode(buf.Bytes(), &bare) == nil && bare.Code != 0 && bare.Code != noCode {
			return bare, nil
		}
		if err == nil {
			err = errors.New("no code")
		}
		return none, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	h := head{Code: noCode}
	if err := decode(buf.Bytes(), &h); err != nil {
		return none, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if h.Code == 0 || h.Code == noCode {
		return h, fmt.Errorf("%w: a refusal without a code", ErrUnreadable)
	}
	return h, nil
}

// maybeWritten: a write has certainly had no effect only when Zoho says so: a refusal with a code of its own, a limit, a refused token.
func maybeWritten(write bool, status, code int) bool {
	switch {
	case !write, status == http.StatusTooManyRequests, status == http.StatusUnauthorized:
		return false
	case status >= 500, code == codeInternal:
		return true
	}
	return code == 0
}

// checkContentType admits JSON in UTF-8. Zoho's is application/json;charset=UTF-8.
func checkContentType(h http.Header) error {
	ct := h.Get("Content-Type")
	if ct == "application/json;charset=UTF-8" || ct == "application/json" {
		return nil
	}
	media, params, err := mime.ParseMediaType(ct)
	if err != nil || media != "application/json" {
		return fmt.Errorf("content type is %q, want JSON", clipTo(ct, 64))
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
		return nil
	}
	return fmt.Errorf("charset is %q, want UTF-8", clipTo(params["charset"], 32))
}

// readLimits takes what the headers say about the day's quota and about waiting.
func (c *Client) readLimits(h http.Header, result *CallAnswer) {
	if n, ok := headerNumber(h, "X-Rate-Limit-Limit"); ok {
		result.DayLimit = n
	}
	if n, ok := headerNumber(h, "X-Rate-Limit-Remaining"); ok {
		result.DayRemaining = n
	}
	if n, ok := headerNumber(h, "X-Rate-Limit-Reset"); ok {
		result.DayReset = time.Duration(min(n, 2*24*60*60)) * time.Second
	}
	if v := h["Retry-After"]; len(v) > 0 {
		result.RetryAfter = retryAfter(v[0], c.now())
	}
}

func headerNumber(h http.Header, canonical string) (int, bool) {
	v := h[canonical]
	if len(v) == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(v[0]))
	return n, err == nil && n >= 0
}

// retryAfter reads seconds or a date; nonsense is 0, much is capped.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
		return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// requestIDHeaders: Zoho documents none; the first that is there is kept.
var requestIDHeaders = [...]string{"X-Request-Id", "X-Zoho-Request-Id", "X-Correlation-Id"}

func requestID(h http.Header) string {
	for _, name := range requestIDHeaders {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			return printable(clipTo(v[0], maxRequestID))
		}
	}
	return ""
}

func clip(s string) string { return printable(clipTo(s, maxMessage)) }

// clipTo cuts at a rune's border.
func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// printable replaces control characters, which do not belong in a log line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// redact takes the secrets out of text that came from outside: a server or a proxy may echo what it was sent.
func (c *Client) redact(s string, tok *token) string {
	if tok != nil {
		s = replaceSecret(s, tok.Value)
	}
	return c.cfg.redact(s)
}

func (c Config) redact(s string) string {
	s = replaceSecret(s, c.RefreshToken.Reveal())
	return replaceSecret(s, c.ClientSecret.Reveal())
}

func replaceSecret(s, hidden string) string {
	if hidden == "" || !strings.Contains(s, hidden) {
		return s
	}
	return strings.ReplaceAll(s, hidden, "[secret]")
}

// clean gives err without the secrets in its text; nil stays nil.
func (c *Client) clean(err error, tok *token) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if clean := clip(c.redact(text, tok)); clean != text {
		return &cleaned{text: clean, err: err}
	}
	return err
}

type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string { return e.text }

// Is lets errors.Is look beneath without handing the error itself out.
func (e *cleaned) Is(target error) bool { return errors.Is(e.err, target) }
