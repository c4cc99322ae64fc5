package schemas

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

type registryBundle struct {
	*srfake.Registry
	codec *Codec
	calls atomic.Int64
}

func setupRegistry(t *testing.T) *registryBundle {
	t.Helper()
	b := &registryBundle{Registry: srfake.New()}
	t.Cleanup(b.Close)
	b.Intercept(func(http.ResponseWriter, *http.Request) bool {
		b.calls.Add(1)
		return false
	})
	b.codec = mustCodec(t, WithRegistry(RegistryConfig{URLs: []string{b.URL()}}))
	return b
}

// answer makes the registry answer everything so.
func (b *registryBundle) answer(status int, body string) {
	b.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	})
}

func confluent(id uint32, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), payload...)
}

// samplePayload is a payment's record without framing.
func samplePayload(t *testing.T) []byte {
	t.Helper()
	value, err := mustCodec(t).EncodePayment(t.Context(), "", samplePayment())
	if err != nil {
		t.Fatal(err)
	}
	return value[10:]
}

func TestWithARegistryRecordsAreFramedByConfluentsIDs(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	ctx := t.Context()
	for _, rt := range roundTrips() {
		if _, err := rt.encode(b.codec, rt.sample); !errors.Is(err, ErrNotRegistered) {
			t.Errorf("%s before registering: %v", rt.kind, err)
		}
		id, err := b.codec.Register(ctx, "topic-"+string(rt.kind), rt.kind)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.codec.Register(ctx, "topic-"+string(rt.kind), rt.kind)
		if err != nil || again != id {
			t.Errorf("registered again: %d and %v, first %d", again, err, id)
		}
		if rt.kind == KindPayment {
			value, err := b.codec.EncodePayment(ctx, "topic-payment", samplePayment())
			if err != nil {
				t.Fatal(err)
			}
			got, meta, err := b.codec.DecodePayment(ctx, value, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(samplePayment(), got, sameDecimals); diff != "" {
				t.Error(diff)
			}
			want := Meta{Format: FormatConfluent, SchemaID: id, Fingerprint: ownOf(KindPayment).writer.name}
			if meta != want {
				t.Errorf("meta = %+v, want %+v", meta, want)
			}
		}
	}
}

func TestSingleObjectsAreReadWithARegistryToo(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	value, err := mustCodec(t).EncodePayment(t.Context(), "", samplePayment())
	if err != nil {
		t.Fatal(err)
	}
	if _, meta, err := b.codec.DecodePayment(t.Context(), value, nil); err != nil || meta.Format != FormatSingleObject {
		t.Errorf("%+v, %v", meta, err)
	}
	if b.calls.Load() != 0 {
		t.Errorf("%d calls", b.calls.Load())
	}
}

func TestHeadersNameTheSchema(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	if _, err := b.codec.Register(t.Context(), "p", KindPayment); err != nil {
		t.Fatal(err)
	}
	found, ok := b.GetSchema("p-value", 1)
	if !ok {
		t.Fatal("not registered")
	}
	guid, err := hex.DecodeString(strings.ReplaceAll(found.GUID, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	byGUID := kgo.RecordHeader{Key: HeaderValueSchemaID, Value: append([]byte{1}, guid...)}
	byID := kgo.RecordHeader{Key: HeaderValueSchemaID, Value: confluent(uint32(found.ID), nil)} //nolint:gosec // small
	payload := samplePayload(t)
	for name, tt := range map[string]struct {
		headers []kgo.RecordHeader
		want    Meta
	}{
		"by GUID":        {[]kgo.RecordHeader{byGUID}, Meta{Format: FormatHeader, GUID: found.GUID}},
		"by id":          {[]kgo.RecordHeader{byID}, Meta{Format: FormatHeader, SchemaID: found.ID}},
		"the last wins":  {[]kgo.RecordHeader{{Key: HeaderValueSchemaID, Value: []byte("x")}, byGUID}, Meta{Format: FormatHeader, GUID: found.GUID}},
		"among others":   {[]kgo.RecordHeader{byGUID, {Key: "traceparent"}}, Meta{Format: FormatHeader, GUID: found.GUID}},
		"asked for once": {[]kgo.RecordHeader{byGUID}, Meta{Format: FormatHeader, GUID: found.GUID}},
	} {
		tt.want.Fingerprint = ownOf(KindPayment).writer.name
		got, meta, err := b.codec.DecodePayment(t.Context(), payload, tt.headers)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(samplePayment(), got, sameDecimals); diff != "" || meta != tt.want {
			t.Errorf("%s: meta %+v, %s", name, meta, diff)
		}
	}
	_, meta, err := b.codec.DecodePayment(t.Context(), payload, []kgo.RecordHeader{{Key: HeaderValueSchemaID, Value: append([]byte{1}, make([]byte, 16)...)}})
	wantError(t, err, ClassSchema, "")
	if meta.GUID != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("meta = %+v", meta)
	}
}

func TestAnUnknownIDIsFetchedOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	b.SeedSchema("p-value", 1, 7, sr.Schema{Schema: Schema(KindPayment), Type: sr.TypeAvro})
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.Intercept(func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() { close(arrived) })
		<-release
		return false
	})
	value := confluent(7, samplePayload(t))
	impatient, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = impatient
			}
			_, _, err := b.codec.DecodePayment(ctx, value, nil)
			if i == 0 {
				if !errors.Is(err, ErrRegistryUnavailable) || !errors.Is(err, context.Canceled) {
					t.Errorf("the one who left: %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	cancel()
	close(release)
	wg.Wait()
	if _, _, err := b.codec.DecodePayment(t.Context(), value, nil); err != nil {
		t.Error(err)
	}
	if n := b.calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestAbsenceIsRememberedForAWhile(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	now := time.Now()
	b.codec.registry.writers.now = func() time.Time { return now }
	value := confluent(9, samplePayload(t))
	for range 3 {
		_, meta, err := b.codec.DecodePayment(t.Context(), value, nil)
		wantError(t, err, ClassSchema, "")
		var e *Error
		if asError(err, &e); e.SchemaID != 9 || meta.SchemaID != 9 {
			t.Errorf("ids %d and %d", e.SchemaID, meta.SchemaID)
		}
	}
	if n := b.calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	b.SeedSchema("p-value", 1, 9, sr.Schema{Schema: Schema(KindPayment), Type: sr.TypeAvro})
	now = now.Add(31 * time.Second)
	if _, _, err := b.codec.DecodePayment(t.Context(), value, nil); err != nil {
		t.Errorf("after a while: %v", err)
	}
}

func TestARegistryInTroubleIsAnOutageAndAskedAgain(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*registryBundle){
		"500":                  func(b *registryBundle) { b.answer(500, `{"error_code":50001,"message":"store"}`) },
		"503 of a proxy":       func(b *registryBundle) { b.answer(503, "<html>") },
		"401":                  func(b *registryBundle) { b.answer(401, `{"error_code":401}`) },
		"403":                  func(b *registryBundle) { b.answer(403, `{"error_code":40301}`) },
		"429":                  func(b *registryBundle) { b.answer(429, "") },
		"404 of another host":  func(b *registryBundle) { b.answer(404, "404 page not found") },
		"404 of an old server": func(b *registryBundle) { b.answer(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`) },
		"200 that is not JSON": func(b *registryBundle) { b.answer(200, "<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupRegistry(t)
			b.SeedSchema("p-value", 1, 7, sr.Schema{Schema: Schema(KindPayment), Type: sr.TypeAvro})
			trouble(b)
			value := confluent(7, samplePayload(t))
			for range 2 {
				_, _, err := b.codec.DecodePayment(t.Context(), value, nil)
				var e *Error
				if !errors.Is(err, ErrRegistryUnavailable) || asError(err, &e) {
					t.Errorf("decoding: %v", err)
				}
			}
			if _, err := b.codec.EncodePayment(t.Context(), "p", samplePayment()); !errors.Is(err, ErrRegistryUnavailable) {
				t.Errorf("encoding: %v", err)
			}
			if _, err := b.codec.Register(t.Context(), "p", KindPayment); !errors.Is(err, ErrRegistryUnavailable) {
				t.Errorf("registering: %v", err)
			}
			b.ClearInterceptors()
			if _, _, err := b.codec.DecodePayment(t.Context(), value, nil); err != nil {
				t.Errorf("when it is back: %v", err)
			}
		})
	}
}

func TestARegistryThatIsAwayOrHangsIsAnOutage(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	value := confluent(7, samplePayload(t))
	hang := make(chan struct{})
	b.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return true
	})
	slow := mustCodec(t, WithRegistry(RegistryConfig{URLs: []string{b.URL()}, Timeout: 20 * time.Millisecond}))
	if _, _, err := slow.DecodePayment(t.Context(), value, nil); !errors.Is(err, ErrRegistryUnavailable) {
		t.Errorf("hanging: %v", err)
	}
	close(hang)
	url := b.URL()
	b.Registry.Close()
	away := mustCodec(t, WithRegistry(RegistryConfig{URLs: []string{url}}))
	if _, _, err := away.DecodePayment(t.Context(), value, nil); !errors.Is(err, ErrRegistryUnavailable) {
		t.Errorf("away: %v", err)
	}
	away.Close()
	if _, _, err := away.DecodePayment(t.Context(), value, nil); !errors.Is(err, ErrRegistryUnavailable) {
		t.Errorf("closed: %v", err)
	}
}

func TestUnusableSchemasArePoisonAndFetchedOnce(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]sr.Schema{
		"recursive":  {Schema: `{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`, Type: sr.TypeAvro},
		"not valid":  {Schema: `{"type":"recordd"}`, Type: sr.TypeAvro},
		"Protobuf":   {Schema: `syntax = "proto3"; message M {}`, Type: sr.TypeProtobuf},
		"other kind": {Schema: Schema(KindRefund), Type: sr.TypeAvro},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupRegistry(t)
			b.SeedSchema("p-value", 1, 7, schema)
			for range 2 {
				_, _, err := b.codec.DecodePayment(t.Context(), confluent(7, samplePayload(t)), nil)
				var e *Error
				if !asError(err, &e) || e.Class != ClassSchema || e.SchemaID != 7 {
					t.Errorf("error = %v", err)
				}
			}
			if n := b.calls.Load(); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
}

func TestSchemasThatReferToOthersAreRead(t *testing.T) {
	t.Parallel()
	b := setupRegistry(t)
	schema := parse(t, Schema(KindPayment))
	fee := fieldOf(t, schema, "fee")["type"].([]any)[1].(object)
	fee["namespace"] = "com.booksync"
	setType(t, schema, "fee", []any{"null", "com.booksync.Fee"})
	b.SeedSchema("fee", 1, 3, sr.Schema{Schema: mustJSON(t, fee), Type: sr.TypeAvro})
	b.SeedSchema("p-value", 1, 7, sr.Schema{Schema: mustJSON(t, schema), Type: sr.TypeAvro,
		References: []sr.SchemaReference{{Name: "com.booksync.Fee", Subject: "fee", Version: 1}}})
	got, _, err := b.codec.DecodePayment(t.Context(), confluent(7, samplePayload(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(samplePayment(), got, sameDecimals); diff != "" {
		t.Error(diff)
	}
}

func TestRegisteringChecksCompatibilityItself(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		latest       sr.Schema
		incompatible bool
	}{
		"older version":       {sr.Schema{Schema: readFile(t, "testdata", "writers", "audit.avsc"), Type: sr.TypeAvro}, false},
		"other record":        {sr.Schema{Schema: `{"type":"record","name":"AuditEntry","namespace":"com.booksync","fields":[]}`, Type: sr.TypeAvro}, true},
		"not Avro":            {sr.Schema{Schema: `{}`, Type: sr.TypeJSON}, true},
		"what cannot be read": {sr.Schema{Schema: `{"type":"recordd"}`, Type: sr.TypeAvro}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupRegistry(t)
			b.SeedSchema("a-value", 1, 7, tt.latest)
			_, err := b.codec.Register(t.Context(), "a", KindAudit)
			_, registered := b.GetSchema("a-value", 2)
			if (err != nil) != tt.incompatible || registered == tt.incompatible {
				t.Errorf("error %v, registered %v", err, registered)
			}
			var e *Error
			if tt.incompatible && !errors.Is(err, ErrIncompatible) && !asError(err, &e) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestRegisteringNeedsARegistryAndAKind(t *testing.T) {
	t.Parallel()
	if _, err := mustCodec(t).Register(t.Context(), "t", KindOrder); err == nil {
		t.Error("registered without a registry")
	}
	if _, err := setupRegistry(t).codec.Register(t.Context(), "t", "invoice"); err == nil {
		t.Error("registered an unknown kind")
	}
	if _, err := NewCodec(WithRegistry(RegistryConfig{})); err == nil {
		t.Error("a registry without a URL was accepted")
	}
	if _, err := NewCodec(WithMaxBytes(0)); err == nil {
		t.Error("a limit of 0 was accepted")
	}
	if _, err := NewCodec(WithWriterSchemas("{")); err == nil {
		t.Error("a broken schema was accepted")
	}
}

func TestTheRegistryIsAskedWithCredentials(t *testing.T) {
	t.Parallel()
	reg := srfake.New(srfake.WithAuth("Basic dTpw"))
	t.Cleanup(reg.Close)
	c := mustCodec(t, WithRegistry(RegistryConfig{URLs: []string{reg.URL()}, Username: "u", Password: "p"}))
	if _, err := c.Register(t.Context(), "t", KindOrder); err != nil {
		t.Error(err)
	}
}
