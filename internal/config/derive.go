package config

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/secret"
)

// Workflow names what a source topic holds: order, payment or refund; "" for other topics.
func (t Topics) Workflow(topic string) string {
	switch {
	case slices.Contains(t.Orders, topic):
		return "order"
	case slices.Contains(t.Payments, topic):
		return "payment"
	case slices.Contains(t.Refunds, topic):
		return "refund"
	}
	return ""
}

// Sources are the topics that are consumed: orders, payments, refunds.
func (t Topics) Sources() []string { return slices.Concat(t.Orders, t.Payments, t.Refunds) }

// DeadLetter is the dead-letter topic of a source topic.
func (t Topics) DeadLetter(topic string) string { return topic + t.DeadLetterSuffix }

// Produced are the topics that booksync writes: outcomes, audit, reconciliations and the dead letters.
func (t Topics) Produced() []string {
	out := []string{t.Outcomes, t.Audit, t.Reconciliations}
	for _, s := range t.Sources() {
		out = append(out, t.DeadLetter(s))
	}
	return out
}

// TokenKeys are the decoded keys of redis.token_key and token_key_previous: the first encrypts, all decrypt. Empty when none is set.
func (r Redis) TokenKeys() ([][]byte, error) {
	var keys [][]byte
	for _, s := range []secret.String{r.TokenKey, r.TokenKeyPrevious} {
		if s.IsZero() {
			continue
		}
		key, err := decodeKey(s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// decodeKey reads a key of AES-256. The error does not contain it.
func decodeKey(s secret.String) ([]byte, error) {
	const keyBytes = 32 // AES-256
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.Reveal()))
	if err != nil || len(key) != keyBytes {
		return nil, errors.New("want 32 bytes in base64")
	}
	return key, nil
}

// Limits are the rate limits of one organisation, with the defaults of zoho filled in. The day's quota is what Zoho's answers say.
type Limits struct{ PerMinute, Concurrency int }

// Limits of the organisation with this name.
func (c *Config) Limits(name string) Limits {
	o := c.Organizations[name]
	return Limits{
		PerMinute:   firstInt(o.CallsPerMinute, c.Zoho.CallsPerMinute),
		Concurrency: firstInt(o.Concurrency, c.Zoho.Concurrency),
	}
}

func firstInt(values ...int) int {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}

func firstText(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Hash names the mapping: the same for the same mapping whatever the order of its keys, another one when any value that
// decides about documents changes. Credentials, hosts and limits are not part of it. 16 hexadecimal digits.
func (o Organization) Hash() string {
	h := sha256.New()
	hashValue(h, reflect.ValueOf(o))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// hashValue writes v so that two different values never write the same: every text has its length before it.
func hashValue(w hash.Hash, v reflect.Value) {
	text := func(s string) { _, _ = fmt.Fprintf(w, "%d:%s;", len(s), s) }
	switch {
	case v.Type() == typeDecimal:
		text(canonical(v.Interface().(decimal.Decimal)))
	case isScalar(v.Type()):
		text(getText(v))
	case v.Kind() == reflect.Slice:
		_, _ = fmt.Fprintf(w, "[%d;", v.Len())
		for i := range v.Len() {
			hashValue(w, v.Index(i))
		}
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		_, _ = fmt.Fprintf(w, "{%d;", len(keys))
		for _, k := range keys {
			text(k.String())
			hashValue(w, v.MapIndex(k))
		}
	default:
		_, _ = io.WriteString(w, "(")
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Tag.Get("hash") != "-" {
				text(f.Tag.Get("yaml"))
				hashValue(w, v.Field(i))
			}
		}
		_, _ = io.WriteString(w, ")")
	}
}

// canonical is a decimal's text without trailing zeros behind the point: 20.0 and 20 are one rate.
func canonical(d decimal.Decimal) string {
	s := d.String()
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// StopTimeout is how long a service needs to stop at most: what an init system must allow it.
func (c *Config) StopTimeout() time.Duration {
	return c.Engine.DrainTimeout + 2*c.Engine.TransactionTimeout
}
