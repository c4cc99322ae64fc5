package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
)

func (c *cli) simulatorCommand() *cobra.Command {
	var o simulatorOptions
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "Run a server that behaves as Zoho Books does",
		Long: `Serves Zoho's accounts server and its Books API from memory: OAuth with its odd errors, contacts, items, taxes,
invoices, payments, credit notes, unique fields, rate limits with Zoho's messages and headers, and a
double-entry journal behind it. Its credentials are known to everyone; keep it on loopback.

  GET  /_simulator/ledger    every document, the journal and the trial balance
  GET  /_simulator/calls     counts of calls, the most in any 60 s and in flight
  POST /_simulator/faults    make it fail: lost answers, 429, late writes, people editing documents
  POST /_simulator/reset     forget everything

--print-config writes a configuration for booksync that fits the simulated company, and ends.`,
		Example: `  booksync simulator --listen 127.0.0.1:8090 &
  booksync simulator --listen 127.0.0.1:8090 --print-config > sim.yaml
  curl -s 127.0.0.1:8090/_simulator/calls`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			org := o.organization()
			if o.printConfig {
				return o.writeConfig(c.stdout, org)
			}
			sim := simulator.New(simulator.Config{Organizations: []simulator.Org{org}, Latency: o.latency, Jitter: o.jitter, Seed: o.seed})
			base, stop, err := sim.Start(o.listen)
			if err != nil {
				return unavailable(err)
			}
			defer stop()
			fmt.Fprintf(c.stderr, "simulating %q (organization_id %s) at %s\n", org.Name, org.ID, base)
			<-cmd.Context().Done()
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` to listen on; port 0 picks one")
	f.StringVar(&o.id, "organization", "10234695", "organization_id of the simulated company")
	f.StringVar(&o.country, "country", "US", "its `country`, for currency and taxes: US, GB, DE, IN, AE, AU or CA")
	f.DurationVar(&o.latency, "latency", 0, "how long every answer takes")
	f.DurationVar(&o.jitter, "jitter", 0, "what is added to it at random, at most")
	f.IntVar(&o.perMinute, "per-minute", 0, "calls allowed in 60 s; 0: 100, negative: no limit")
	f.IntVar(&o.perDay, "per-day", 0, "calls allowed a day; 0: 10000, negative: no limit")
	f.IntVar(&o.concurrency, "concurrency", 0, "calls allowed in flight; 0: 10, negative: no limit")
	f.BoolVar(&o.bare, "bare", false, "start without booksync's custom fields, as a new company does")
	f.Int64Var(&o.seed, "seed", 0, "seed of everything that is random")
	f.BoolVar(&o.printConfig, "print-config", false, "print a configuration for booksync that fits, and end")
	return cmd
}

type simulatorOptions struct {
	listen, id, country            string
	latency, jitter                time.Duration
	perMinute, perDay, concurrency int
	bare, printConfig              bool
	seed                           int64
}

func (o simulatorOptions) organization() simulator.Org {
	org := simulator.DefaultOrgIn(o.id, strings.ToUpper(o.country))
	for _, l := range []struct {
		to   *int
		from int
	}{{&org.MinuteLimit, o.perMinute}, {&org.PlanQuota, o.perDay}, {&org.Concurrency, o.concurrency}} {
		if l.from != 0 {
			*l.to = l.from
		}
	}
	if !o.bare {
		org = org.WithFields()
	}
	return org
}

// writeConfig writes the organisation "demo" of a configuration that fits the simulated company.
func (o simulatorOptions) writeConfig(w io.Writer, org simulator.Org) error {
	var b strings.Builder
	quote := func(s string) string {
		text, _ := json.Marshal(s) // a string always marshals; JSON's quotes are YAML's
		return string(text)
	}
	base, cred := "http://"+o.listen, simulator.DefaultCredentials()
	fmt.Fprintf(&b, "# Fits `booksync simulator --listen %s`. The credentials open nothing else.\n", o.listen)
	fmt.Fprintf(&b, "zoho:\n  api_base: %s/books/v3\n  accounts_base: %s\n  allow_loopback: true\n", base, base)
	fmt.Fprintf(&b, "organizations:\n  demo:\n    id: %s\n    client_id: %s\n    client_secret: %s\n    refresh_token: %s\n",
		quote(org.ID), quote(cred.ClientID), quote(cred.ClientSecret), quote(cred.RefreshToken))
	fmt.Fprintf(&b, "    live: false\n    time_zone: %s\n    base_currency: %s\n    edition: %s\n    taxes:\n", org.TimeZone, org.Currency, org.Edition)
	for _, t := range org.Taxes {
		fmt.Fprintf(&b, "      %s: {tax_id: %s, rate: %s}\n", quote(taxCode(t.Name)), quote(org.TaxID(t.Name)), t.Percentage)
	}
	b.WriteString("    line_targets:\n")
	for _, item := range org.Items {
		fmt.Fprintf(&b, "      %s: {item_id: %s}\n", item.SKU, quote(org.ItemID(item.Name)))
	}
	b.WriteString("    clearing:\n")
	for _, gateway := range []struct{ name, account string }{
		{"stripe", simulator.AccountStripe}, {"paypal", simulator.AccountPayPal}, {"razorpay", simulator.AccountRazorpay},
	} {
		fmt.Fprintf(&b, "      %s/%s: %s\n", gateway.name, org.Currency, quote(org.AccountID(gateway.account)))
	}
	fmt.Fprintf(&b, "    fee_account: %s\n", quote(org.AccountID(simulator.AccountFees)))
	if _, err := config.Parse([]byte(b.String())); err != nil {
		return fmt.Errorf("checking the configuration: %w", err)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// taxCode is a tax's name as a code of events: lower case, hyphens between words.
func taxCode(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.'
	}), "-")
}
