package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestTopicsForSetup(t *testing.T) {
	t.Parallel()
	k := setup(t, func(o *kitOptions) { o.sourceConfig = map[string]string{configMaxMessage: "2000000"} })
	ctx := t.Context()
	found, err := k.admin.DescribeTopics(ctx, k.source, k.group+".absent")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[k.source].Partitions != 3 {
		t.Fatalf("described %v", found)
	}
	dead := DeadLetterTopic(k.group+".new.dlq", found[k.source])
	trail := TrailTopic(k.group+".audit", 2)
	created, err := k.admin.CreateTopics(ctx, dead, trail, Topic{Name: k.source, Partitions: 9})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{dead.Name, trail.Name}, created); diff != "" {
		t.Error(diff)
	}
	k.eventually("described", func() bool {
		found, err = k.admin.DescribeTopics(ctx, dead.Name, trail.Name, k.source)
		return err == nil && len(found) == 3
	})
	if got := found[dead.Name].Configs[configMaxMessage]; got != "2065536" {
		t.Errorf("dead letters may have %s bytes", got)
	}
	if got := found[trail.Name].Configs["retention.ms"]; got != "315360000000" {
		t.Errorf("the trail is kept for %s ms", got)
	}
	if found[k.source].Partitions != 3 {
		t.Error("an existing topic was changed")
	}
	if _, err := k.admin.adm.DeleteTopics(ctx, dead.Name, trail.Name); err != nil {
		t.Log(err)
	}
}

func TestUsableTopics(t *testing.T) {
	t.Parallel()
	k := setup(t)
	if err := k.admin.Writable(t.Context(), k.outcomes, k.dead); err != nil {
		t.Error(err)
	}
	err := k.admin.Writable(t.Context(), k.outcomes, k.group+".absent")
	if !errors.Is(err, ErrTopic) || !strings.Contains(err.Error(), ".absent") || strings.Contains(err.Error(), k.outcomes) {
		t.Errorf("%v", err)
	}
}

func TestForbiddenOutputTopic(t *testing.T) {
	t.Parallel()
	allow := func(resource kmsg.ACLResourceType, name string, ops ...kmsg.ACLOperation) []kfake.ACL {
		var acls []kfake.ACL
		for _, op := range ops {
			acls = append(acls, kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
		}
		return acls
	}
	acls := allow(kmsg.ACLResourceTypeTopic, "out", kmsg.ACLOperationDescribe, kmsg.ACLOperationRead)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "out"), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser(MechanismPlain, "root", "pw"), kfake.User(MechanismPlain, "reader", "pw", acls...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	for user, want := range map[string]bool{"root": true, "reader": false} {
		admin, err := NewAdmin(Config{Brokers: fake.ListenAddrs(), SASL: SASL{Mechanism: MechanismPlain, User: user, Password: "pw"}})
		if err != nil {
			t.Fatal(err)
		}
		err = admin.Writable(t.Context(), "out")
		if (err == nil) != want || err != nil && !errors.Is(err, ErrTopic) {
			t.Errorf("%s: %v", user, err)
		}
		admin.Close()
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	k := setup(t)
	if has, err := k.admin.HasCommits(t.Context()); err != nil || has {
		t.Errorf("commits before the first start: %v, %v", has, err)
	}
	g := k.gate()
	m := k.start(g)
	k.produce(9, 9)
	k.eventually("running", func() bool { return g.running() == 9 })
	ends, err := m.Ends(t.Context(), k.source)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int32]int64{0: 3, 1: 3, 2: 3}, ends); diff != "" {
		t.Error(diff)
	}
	if passed, err := m.Passed(t.Context(), k.source, ends); err != nil || passed {
		t.Errorf("passed %v, %v", passed, err)
	}
	g.pass()
	k.eventually("passed", func() bool {
		passed, err := m.Passed(t.Context(), k.source, ends)
		return err == nil && passed
	})
	if has, err := m.HasCommits(t.Context()); err != nil || !has {
		t.Errorf("commits: %v, %v", has, err)
	}
	all, err := m.AllEnds(t.Context())
	if err != nil || len(all[k.source]) != 3 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := m.Ends(t.Context(), k.group+".absent"); err == nil {
		t.Error("an absent topic has ends")
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{MechanismPlain, MechanismSCRAM256, MechanismSCRAM512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			cert := selfSigned(t)
			fake, err := kfake.NewCluster(append(fakeOptions(), kfake.SeedTopics(1, "in", "out"), kfake.EnableSASL(), kfake.Superuser(mechanism, "user", "right"),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(fake.Close)
			pool := x509.NewCertPool()
			pool.AddCert(cert.Leaf)
			k := &kit{t: t, fake: fake, brokers: fake.ListenAddrs(), group: "g", source: "in", outcomes: "out", dead: "out"}
			cfg := k.config("m")
			cfg.TLS = &tls.Config{RootCAs: pool}
			cfg.SASL = SASL{Mechanism: mechanism, User: "user", Password: "right"}
			m := k.startConfig(cfg, k.settling())
			k.eventually("ready", func() bool { return m.Ready() == nil })
			if mechanism != MechanismPlain {
				return // a wrong password takes its time: kfake closes the connection, and the client tries again
			}
			cfg.TransactionalID, cfg.SASL.Password = "other", "wrong"
			m = k.startConfig(cfg, k.settling())
			k.eventually("not ready, and it says so", func() bool { return m.Status().Restarts > 0 && m.Ready() != nil })
			if text := m.Ready().Error(); strings.Contains(text, "wrong") {
				t.Errorf("the password is in %q", text)
			}
		})
	}
}

func TestBearerTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	mechanism := SASL{Mechanism: MechanismOAuthBearer, Token: func(context.Context) (string, error) {
		asked <- struct{}{}
		return "token", nil
	}}.mechanism()
	if mechanism == nil || mechanism.Name() != MechanismOAuthBearer {
		t.Fatal("no mechanism")
	}
	_, first, err := mechanism.Authenticate(t.Context(), "broker")
	if err != nil || !strings.Contains(string(first), "auth=Bearer token") {
		t.Errorf("%q, %v", first, err)
	}
	<-asked
}

// selfSigned is a certificate for 127.0.0.1.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
