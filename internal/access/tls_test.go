package access

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/testkit"
)

// authority signs a server's certificate for 127.0.0.1 and gives the file with its own.
func authority(t *testing.T, name string) (server tls.Certificate, caFile string) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, []byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer, parent = key, template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, der, key
	}
	ca, caDER, caKey := make(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	_, der, key := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	caFile = filepath.Join(t.TempDir(), name+".pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, caFile
}

// TestTLSIsVerified: of Kafka, Redis and the registry, with the authority that signed, another one, the system's, and under another name; no secret
// reaches a server that is not known.
func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	cert, right := authority(t, "right")
	_, wrong := authority(t, "wrong")
	server := &tls.Config{Certificates: []tls.Certificate{cert}}
	kafka := testkit.FakeKafka(t, kfake.TLS(server), kfake.SeedTopics(1, "t"))
	redis, err := miniredis.RunTLS(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	var asked atomic.Int64
	fake := srfake.NewRegistry()
	registry := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		fake.Handler().ServeHTTP(w, r)
	}))
	registry.TLS = server
	registry.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	registry.StartTLS()
	t.Cleanup(registry.Close)

	reach := map[string]func(ctx context.Context, secure config.TLS) error{
		"kafka": func(ctx context.Context, secure config.TLS) error {
			cfg := config.Default()
			cfg.Kafka.Brokers, cfg.Kafka.Group, cfg.Kafka.TLS = kafka.Addrs, "g", secure
			admin, err := Admin(cfg)
			if err != nil {
				return err
			}
			defer admin.Close()
			_, err = admin.Ends(ctx, "t")
			return err
		},
		"redis": func(ctx context.Context, secure config.TLS) error {
			cfg := config.Default()
			cfg.Redis.Addresses, cfg.Redis.TLS = []string{redis.Addr()}, secure
			store, err := OpenStore(ctx, cfg, Options{SkipServerCheck: true})
			if err == nil {
				store.Close()
			}
			return err
		},
		"registry": func(ctx context.Context, secure config.TLS) error {
			cfg := config.Default()
			cfg.SchemaRegistry.URLs, cfg.SchemaRegistry.TLS = []string{registry.URL}, secure
			cfg.SchemaRegistry.Username, cfg.SchemaRegistry.Password = "u", secret.New("p")
			codec, err := Codec(cfg)
			if err != nil {
				return err
			}
			defer codec.Close()
			_, err = codec.Register(ctx, "commerce.orders", "order")
			return err
		},
	}
	for service, try := range reach {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			for name, c := range map[string]struct {
				secure config.TLS
				says   string // part of the error; empty: it works
			}{
				"the right authority":   {config.TLS{Enabled: true, CAFile: right}, ""},
				"another authority":     {config.TLS{Enabled: true, CAFile: wrong}, "certificate"},
				"the system's":          {config.TLS{Enabled: true}, "certificate"},
				"another server's name": {config.TLS{Enabled: true, CAFile: right, ServerName: "kafka.example"}, "certificate is not valid for"},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				before := asked.Load()
				err := try(ctx, c.secure)
				cancel()
				switch {
				case c.says == "" && err != nil:
					t.Errorf("%s: %v", name, err)
				case c.says != "" && (err == nil || service != "kafka" && !strings.Contains(err.Error(), "certificate")):
					t.Errorf("%s: %v, want an error about the %s", name, err, c.says)
				case c.says != "" && service == "registry" && asked.Load() != before:
					t.Errorf("%s: the registry was asked", name)
				}
			}
		})
	}
}

// TestZohosCertificateIsVerified: there is no setting that could turn it off.
func TestZohosCertificateIsVerified(t *testing.T) {
	t.Parallel()
	cert, _ := authority(t, "anybody")
	var asked atomic.Int64
	zoho := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	zoho.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	zoho.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	zoho.StartTLS()
	t.Cleanup(zoho.Close)
	addr, _ := testkit.Redis(t)
	cfg := config.Default()
	cfg.Redis.Addresses, cfg.Redis.TokenKey = []string{addr}, secret.New(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)))
	cfg.Zoho.APIBase, cfg.Zoho.AccountsBase, cfg.Zoho.AllowLoopback = zoho.URL+"/books/v3", zoho.URL, true
	o := config.DefaultOrganization()
	o.ID, o.ClientID, o.ClientSecret, o.RefreshToken = "10234695", "c", secret.New("client-secret"), secret.New("refresh-token")
	name := testkit.Name(t, "shop")
	cfg.Organizations = map[string]config.Organization{name: o}
	store, err := OpenStore(t.Context(), cfg, Options{SkipServerCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	books, err := store.Books(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(books.Close)
	if _, err := books.Organization(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v, want an error about the certificate", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests, with credentials, reached a server that nobody vouches for", n)
	}
}

// TestNothingTurnsVerificationOff reads the sources.
func TestNothingTurnsVerificationOff(t *testing.T) {
	t.Parallel()
	root := testkit.Root(t)
	if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("InsecureSkipVerify")) {
			t.Errorf("%s names InsecureSkipVerify", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
