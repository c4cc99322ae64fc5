package config

import (
	"strings"
	"testing"
)

func TestWorkflowsAreOnShadowOrOff(t *testing.T) {
	t.Parallel()
	of := func(workflows string) (Workflows, string) {
		text := "organizations:\n  acme:\n    id: \"1\"\n    client_id: c\n    client_secret: s\n    refresh_token: r\n    workflows: " + workflows + "\n"
		c, err := load([]byte(text), Source{File: "booksync.yaml"}, nil)
		if err == nil {
			err = c.Validate(0)
		}
		if err != nil {
			return Workflows{}, err.Error()
		}
		return c.Organizations["acme"].Workflows, ""
	}
	for name, test := range map[string]struct {
		yaml, problem string
		want          Workflows
	}{
		"by default on":                        {yaml: "{}", want: Workflows{"on", "on", "on"}},
		"plain words":                          {yaml: "{order: off, payment: on, refund: shadow}", want: Workflows{"off", "on", "shadow"}},
		"all in shadow":                        {yaml: "{order: shadow, payment: shadow, refund: shadow}", want: Workflows{"shadow", "shadow", "shadow"}},
		"another word":                         {yaml: "{order: dry}", problem: "workflows.order"},
		"payments that wait for shadow":        {yaml: "{order: shadow, refund: off}", problem: "payments wait for their orders' invoices"},
		"refunds that wait for shadow":         {yaml: "{payment: shadow}", problem: "refunds wait for orders and payments"},
		"refunds off while payments in shadow": {yaml: "{payment: shadow, refund: off}", want: Workflows{"on", "shadow", "off"}},
	} {
		got, problem := of(test.yaml)
		if got != test.want || test.problem == "" && problem != "" || !strings.Contains(problem, test.problem) {
			t.Errorf("%s: %+v, %s", name, got, problem)
		}
	}
	a, b := DefaultOrganization(), DefaultOrganization()
	b.Workflows.Order = "shadow"
	if a.Hash() != b.Hash() {
		t.Error("how a workflow is worked is part of the mapping's hash")
	}
}
