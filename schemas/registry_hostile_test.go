package schemas

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
)

func TestARegistryLeadsTheCredentialsNowhere(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(other.Close)
	b := setupRegistry(t)
	b.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	codec := mustCodec(t, WithRegistry(RegistryConfig{URLs: []string{b.URL()}, Username: "u", Password: "p"}))
	if _, _, err := codec.DecodePayment(t.Context(), confluent(7, samplePayload(t)), nil); !errors.Is(err, ErrRegistryUnavailable) {
		t.Errorf("a redirect is %v, want an outage", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests followed the redirect", n)
	}
}

// TestARegistrysAnswersAreBounded measures what hostile answers cost; packed ones are small on the wire.
func TestARegistrysAnswersAreBounded(t *testing.T) { //nolint:paralleltest // measures the process's allocations
	const size = 256 << 20
	zeros := func(w io.Writer) { _, _ = io.Copy(w, io.LimitReader(spaces{}, size)) }
	for name, answer := range map[string]func(w http.ResponseWriter){
		"endless": func(w http.ResponseWriter) { zeros(w) },
		"packed": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer func() { _ = z.Close() }()
			zeros(z)
		},
		"endless error": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusInternalServerError)
			zeros(w)
		},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // as above
			b := setupRegistry(t)
			b.Intercept(func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := b.codec.DecodePayment(t.Context(), confluent(7, samplePayload(t)), nil)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrRegistryUnavailable) {
				t.Errorf("%v, want an outage", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 10*maxRegistryAnswer {
				t.Errorf("%d MiB were allocated for an answer of %d MiB", took>>20, size>>20)
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestAMegabyteOfNestedNonsenseIsCheap: the largest record that a topic takes by default, built to nest and to count.
func TestAMegabyteOfNestedNonsenseIsCheap(t *testing.T) { //nolint:paralleltest // measures the process's allocations
	const size, bound = 1 << 20, 16 << 20
	most := uint64(0)
	deep := `"long"`
	for range 40 {
		deep = `{"type":"array","items":` + deep + `}`
	}
	fill := func(unit ...byte) []byte { return []byte(strings.Repeat(string(unit), size/len(unit))) }
	huge := binary.AppendVarint(nil, 1<<40)
	good, err := mustCodec(t).EncodeOrder(t.Context(), "", sampleOrder())
	if err != nil {
		t.Fatal(err)
	}
	good = good[10:] // without its frame
	writers := map[string]string{
		"ours":         Schema(KindOrder),
		"nested lists": `{"type":"record","name":"Order","fields":[{"name":"x","type":` + deep + `}]}`,
		"nested maps":  `{"type":"record","name":"Order","fields":[{"name":"x","type":{"type":"map","values":{"type":"map","values":"bytes"}}}]}`,
	}
	payloads := map[string][]byte{
		"zeros": fill(0), "ones": fill(2), "minus ones": fill(1), "255s": fill(0xff), "long lists": fill(0xfe, 0x01), "huge counts": fill(huge...),
		"braces": fill('{'), "brackets in JSON": fill('[', '{', '"', 'a', '"', ':'),
	}
	for writer, schema := range writers {
		b := setupRegistry(t)
		b.SeedSchema("o-value", 1, 7, sr.Schema{Schema: schema, Type: sr.TypeAvro})
		if _, _, err := b.codec.DecodeOrder(t.Context(), confluent(7, nil), nil); err == nil { // fetches the schema
			t.Errorf("%s: nothing was taken for an order", writer)
		}
		for name, payload := range payloads {
			frames := map[string][]byte{"bare": payload}
			for cut := 0; cut < len(good); cut += 8 { // nonsense from every place of a good order on
				frames[fmt.Sprintf("after %d bytes", cut)] = confluent(7, append(good[:cut:cut], payload...))
			}
			for frame, value := range frames {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _, err := b.codec.DecodeOrder(t.Context(), value, nil)
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Errorf("%s, %s, %s: taken for an order", writer, name, frame)
				}
				took := after.TotalAlloc - before.TotalAlloc
				if most = max(most, took); took > bound {
					t.Errorf("%s, %s, %s: %d KiB were allocated, want at most %d", writer, name, frame, took>>10, bound>>10)
				}
			}
		}
	}
	t.Logf("at most %d KiB were allocated for a record of %d KiB", most>>10, size>>10)
}
