package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
)

// documents parses every YAML document of a file.
func documents(t *testing.T, path string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var all []map[string]any
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, document)
	}
}

// at follows keys (strings) and indexes (ints) into a document; nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func kind(t *testing.T, want string) map[string]any {
	t.Helper()
	for _, document := range documents(t, "kubernetes/booksync.yaml") {
		if document["kind"] == want {
			return document
		}
	}
	t.Fatalf("kubernetes/booksync.yaml has no %s", want)
	return nil
}

func TestManifestsAreComplete(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, path := range paths {
		for i, document := range documents(t, path) {
			for _, field := range []any{at(document, "apiVersion"), at(document, "kind"), at(document, "metadata", "name")} {
				if s, _ := field.(string); s == "" {
					t.Errorf("%s: document %d has no apiVersion, kind or name", path, i)
				}
			}
		}
	}
}

func TestReplicasInAClusterHaveStableIDsAndProbes(t *testing.T) {
	t.Parallel()
	pod := at(kind(t, "StatefulSet"), "spec", "template", "spec")
	container := at(pod, "containers", 0)
	tests := map[string]struct{ got, want any }{
		"the transactional id is the pod's name": {at(container, "env", 0, "valueFrom", "fieldRef", "fieldPath"), "metadata.name"},
		"as the setting":                         {at(container, "env", 0, "name"), "BOOKSYNC_KAFKA_TRANSACTIONAL_ID"},
		"liveness":                               {at(container, "livenessProbe", "httpGet", "path"), "/healthz"},
		"readiness":                              {at(container, "readinessProbe", "httpGet", "path"), "/readyz"},
		"start":                                  {at(container, "startupProbe", "httpGet", "path"), "/healthz"},
		"port":                                   {fmt.Sprint(at(container, "ports", 0, "containerPort")), "8080"},
		"secrets":                                {at(container, "envFrom", 0, "secretRef", "name"), at(documents(t, "kubernetes/secret.example.yaml")[0], "metadata", "name")},
		"not root":                               {at(pod, "securityContext", "runAsNonRoot"), true},
		"read-only":                              {at(container, "securityContext", "readOnlyRootFilesystem"), true},
		"no service variables":                   {at(pod, "enableServiceLinks"), false},
		"the service names the pods":             {at(kind(t, "StatefulSet"), "spec", "serviceName"), at(kind(t, "Service"), "metadata", "name")},
	}
	for name, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
}

func TestConfigurationsAreAccepted(t *testing.T) {
	t.Parallel()
	inCluster, _ := at(kind(t, "ConfigMap"), "data", "booksync.yaml").(string)
	if _, err := config.Parse([]byte(inCluster)); err != nil {
		t.Errorf("kubernetes/booksync.yaml: %v", err)
	}

	var environ []string
	for name, value := range loadCompose(t).Services["booksync"].Environment {
		environ = append(environ, name+"="+*value)
	}
	composed, err := config.Load(config.Source{File: "booksync.yaml", Environ: environ})
	if err != nil {
		t.Fatalf("compose: %v", err)
	}
	if err := composed.Validate(config.NeedAll); err != nil {
		t.Errorf("compose: %v", err)
	}
	if _, port, _ := strings.Cut(composed.HTTP.Listen, ":"); port != "8080" {
		t.Errorf("compose: booksync listens on %q, its health check asks port 8080", composed.HTTP.Listen)
	}
}

// The simulator derives ids from names, so that a file can hold them; a renamed tax or account shows here.
func TestComposeMapsToWhatTheSimulatorHas(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Source{File: "booksync.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	mapped := cfg.Organizations["demo"]
	org := simulator.DefaultOrg(mapped.ID)
	ids := map[string]bool{}
	for _, tax := range org.Taxes {
		ids["tax "+org.TaxID(tax.Name)+" "+decimal.RequireFromString(tax.Percentage).String()] = true
	}
	for _, item := range org.Items {
		ids["item "+org.ItemID(item.Name)+" "+item.SKU] = true
	}
	for _, account := range org.Accounts {
		ids["account "+org.AccountID(account.Name)] = true
	}
	want := func(what, id string) {
		if !ids[id] {
			t.Errorf("%s: the simulator has no %s", what, id)
		}
	}
	for code, tax := range mapped.Taxes {
		want(code, "tax "+tax.TaxID+" "+tax.Rate.String())
	}
	for kind, target := range mapped.LineTargets {
		want(kind, "item "+target.ItemID+" "+kind)
	}
	for gateway, account := range mapped.Clearing {
		want(gateway, "account "+account)
	}
	want("fees", "account "+mapped.FeeAccount)
	if org.TimeZone != mapped.TimeZone || org.Currency != mapped.BaseCurrency {
		t.Errorf("the simulated company lives in %s with %s", org.TimeZone, org.Currency)
	}
	secrets := simulator.DefaultCredentials()
	environment := loadCompose(t).Services["booksync"].Environment
	for setting, value := range map[string]string{
		"CLIENT_ID": secrets.ClientID, "CLIENT_SECRET": secrets.ClientSecret, "REFRESH_TOKEN": secrets.RefreshToken,
	} {
		if got := environment["BOOKSYNC_ORGANIZATIONS_DEMO_"+setting]; got == nil || *got != value {
			t.Errorf("%s is not what the simulator takes", setting)
		}
	}
}

// The names of the example's secrets are settings; their values are missing on purpose.
func TestSecretsAreSettings(t *testing.T) {
	t.Parallel()
	data, _ := at(documents(t, "kubernetes/secret.example.yaml")[0], "stringData").(map[string]any)
	if len(data) == 0 {
		t.Fatal("the example has no secrets")
	}
	for name, value := range data {
		if value != "" {
			t.Errorf("%s: the example holds a value", name)
		}
		if _, err := config.Load(config.Source{Environ: []string{name + "="}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Stopping takes the drain and then, at most, a transaction: whoever stops booksync must wait that long.
func TestStoppingIsGivenTheTimeItTakes(t *testing.T) {
	t.Parallel()
	engine := config.Default().Engine
	needed := engine.DrainTimeout + engine.TransactionTimeout

	unit := systemdUnit(t)
	fromUnit, err := time.ParseDuration(unit["Service"]["TimeoutStopSec"])
	if err != nil {
		t.Errorf("systemd: %v", err)
	}
	fromPod, err := time.ParseDuration(fmt.Sprint(at(kind(t, "StatefulSet"), "spec", "template", "spec", "terminationGracePeriodSeconds")) + "s")
	if err != nil {
		t.Errorf("kubernetes: %v", err)
	}
	var fromCompose time.Duration
	if grace := loadCompose(t).Services["booksync"].StopGracePeriod; grace != nil {
		fromCompose = time.Duration(*grace)
	}
	for name, given := range map[string]time.Duration{"systemd": fromUnit, "kubernetes": fromPod, "compose": fromCompose} {
		if given <= needed {
			t.Errorf("%s kills after %v, stopping may take %v", name, given, needed)
		}
	}
}

// systemdUnit reads the unit: section, key, last value.
func systemdUnit(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("booksync.service")
	if err != nil {
		t.Fatal(err)
	}
	unit, section := map[string]map[string]string{}, ""
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			section = strings.Trim(line, "[]")
			unit[section] = map[string]string{}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section == "" {
			t.Errorf("booksync.service: %q is neither a section nor a setting", line)
			continue
		}
		unit[section][key] = value
	}
	return unit
}

func TestUnitIsConfined(t *testing.T) {
	t.Parallel()
	unit := systemdUnit(t)
	for key, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
		"PrivateDevices": "yes", "CapabilityBoundingSet": "", "KillSignal": "SIGTERM", "Restart": "on-failure",
		"EnvironmentFile": "/etc/booksync/booksync.env",
	} {
		if got, ok := unit["Service"][key]; !ok || got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if unit["Install"]["WantedBy"] != "multi-user.target" {
		t.Error("the unit is not started at boot")
	}
}
