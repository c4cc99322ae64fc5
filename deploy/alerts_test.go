package deploy

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/booksync/booksync/internal/telemetry"
)

type ruleFile struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Rules    []struct {
			Alert       string            `yaml:"alert"`
			Record      string            `yaml:"record"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

var (
	metricName = regexp.MustCompile(`\b(?:booksync|messaging)_[a-z_]+`)
	recorded   = regexp.MustCompile(`\bbooksync:[a-z_:0-9]+`)
	matched    = regexp.MustCompile(`([a-z_]+)\s*(?:=|!=|=~|!~)\s*"`)
)

func TestAlertsUseMetricsThatAreExposed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file ruleFile
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	exposed, labels := scrape(t)
	records := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Record != "" {
				records[rule.Record] = true
			}
		}
	}
	names := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			name := rule.Alert + rule.Record
			if names[name] {
				t.Errorf("%s: there are two rules of that name", name)
			}
			names[name] = true
			used := metricName.FindAllString(rule.Expr, -1)
			for _, metric := range used {
				if !exposed[metric] {
					t.Errorf("%s: %s is not exposed", name, metric)
				}
			}
			for _, record := range recorded.FindAllString(rule.Expr, -1) {
				if !records[record] {
					t.Errorf("%s: %s is not recorded", name, record)
				}
			}
			for _, match := range matched.FindAllStringSubmatch(rule.Expr, -1) {
				if match[1] != "job" && !slices.ContainsFunc(used, func(metric string) bool { return labels[metric+"{"+match[1]] }) {
					t.Errorf("%s: none of %v has the label %s", name, used, match[1])
				}
			}
			if rule.Alert == "" {
				continue
			}
			if _, err := time.ParseDuration(rule.For); err != nil {
				t.Errorf("%s: for: %v", name, err)
			}
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s: severity is %q", name, severity)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s: an alert says what happened and what to do", name)
			}
		}
	}
	if len(names) == 0 {
		t.Error("no rules")
	}
}

// scrape reports one of everything and returns the names of all series, and "name{label" for each of their labels.
func scrape(t *testing.T) (names, labels map[string]bool) {
	t.Helper()
	ctx := t.Context()
	tel, err := telemetry.Setup(ctx, telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	m := tel.Metrics
	m.Settled(ctx, telemetry.Settled{Workflow: "order", Organization: "o", Status: "REJECTED", Class: "rejected.tax"}, time.Second)
	m.PaymentCompared(ctx, "o", telemetry.PaymentMatch)
	m.Call(ctx, telemetry.Call{Organization: "o", Resource: "invoices", Method: "POST", Status: 201}, time.Second, time.Second)
	m.InDoubt(ctx, "order", "o", "found")
	m.Webhook(ctx, "v", "ok", time.Second)
	m.Reconciled(ctx, "o", time.Second, map[string]int{"missing_in_books": 1})
	stop, err := m.Watch(func(context.Context) telemetry.State {
		return telemetry.State{
			Partitions:    []telemetry.PartitionState{{Topic: "t", Lag: 1}},
			Parked:        map[string]int{"r": 1},
			Organizations: []telemetry.OrganizationState{{Name: "o", Paused: true, PauseReason: "quota"}},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	families, err := tel.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	names, labels = map[string]bool{}, map[string]bool{}
	for _, family := range families {
		series := []string{family.GetName()}
		if family.GetType().String() == "HISTOGRAM" {
			series = []string{family.GetName() + "_bucket", family.GetName() + "_sum", family.GetName() + "_count"}
		}
		for _, name := range series {
			names[name] = true
			if strings.HasSuffix(name, "_bucket") {
				labels[name+"{le"] = true
			}
			for _, metric := range family.GetMetric() {
				for _, label := range metric.GetLabel() {
					labels[name+"{"+label.GetName()] = true
				}
			}
		}
	}
	return names, labels
}
