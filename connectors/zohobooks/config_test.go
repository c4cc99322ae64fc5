package zohobooks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/booksync/booksync/connectors/zohobooks"
)

func TestOnlyZohosHostsAreSpokenTo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*zohobooks.Config)
		wrong  string // part of the error; "" is good
	}{
		"defaults":                  {func(*zohobooks.Config) {}, ""},
		"canada":                    {func(c *zohobooks.Config) { c.DataCenter = "ca" }, ""},
		"legacy host":               {func(c *zohobooks.Config) { c.APIBase = "https://books.zoho.eu/api/v3"; c.DataCenter = "eu" }, ""},
		"v4":                        {func(c *zohobooks.Config) { c.APIBase = "https://www.zohoapis.com/books/v4/" }, ""},
		"unknown data centre":       {func(c *zohobooks.Config) { c.DataCenter = "mars" }, "mars"},
		"foreign host":              {func(c *zohobooks.Config) { c.APIBase = "https://www.zohoapis.com.evil.example/books/v3" }, "api_base"},
		"foreign accounts server":   {func(c *zohobooks.Config) { c.AccountsBase = "https://accounts.evil.example" }, "accounts_base"},
		"user part":                 {func(c *zohobooks.Config) { c.APIBase = "https://www.zohoapis.com@evil.example/books/v3" }, "api_base"},
		"plain http":                {func(c *zohobooks.Config) { c.APIBase = "http://www.zohoapis.com/books/v3" }, "want https"},
		"loopback without leave":    {func(c *zohobooks.Config) { c.APIBase = "http://127.0.0.1:1/books/v3" }, "allow_loopback"},
		"loopback with leave":       {func(c *zohobooks.Config) { c.APIBase, c.AllowLoopback = "http://localhost:1/books/v3", true }, ""},
		"private address":           {func(c *zohobooks.Config) { c.APIBase, c.AllowLoopback = "http://10.0.0.1/books/v3", true }, "api_base"},
		"organisation with a query": {func(c *zohobooks.Config) { c.OrganizationID = "1&x=2" }, "organization_id"},
		"no client":                 {func(c *zohobooks.Config) { c.ClientID = "" }, "client_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config("x")
			cfg.APIBase, cfg.AccountsBase, cfg.AllowLoopback = "", "", false
			tt.change(&cfg)
			c, err := zohobooks.New(cfg)
			if c != nil {
				c.Close()
			}
			if (tt.wrong == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("got %v, want %q", err, tt.wrong)
			}
		})
	}
}

func TestConfigNeverPrintsSecrets(t *testing.T) {
	t.Parallel()
	cfg := config("http://127.0.0.1:1")
	y, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	noSecrets(t, fmt.Sprintf("%v %+v %#v %s", cfg, &cfg, cfg, y))
}
