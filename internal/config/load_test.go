package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFullFile(t *testing.T) {
	t.Parallel()
	c := mustParse(t, full)
	if err := c.Validate(NeedAll); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"commerce.orders", "eu.orders"}, c.Topics.Orders); diff != "" {
		t.Error(diff)
	}
	if c.Claims.Retention != 14*day || c.Kafka.SessionTimeout != 15*time.Second {
		t.Errorf("durations: %v %v", c.Claims.Retention, c.Kafka.SessionTimeout)
	}
	a, uk := c.Organizations["acme"], c.Organizations["acme-uk"]
	if a.ID != "10234695" || a.Items["007"] != "0012" {
		t.Errorf("ids are not the texts that were written: %q %q", a.ID, a.Items["007"])
	}
	if !a.Live || a.InvoicePolicy != "sent" || a.Fields.Payment.Key != "cf_booksync_key" {
		t.Error("an organisation's defaults are missing")
	}
	if uk.ID != "10234696" || uk.BaseCurrency != "GBP" || uk.Taxes["vat20"].TaxID != "982000000566007" || uk.ClientSecret.Reveal() != "very-secret" {
		t.Errorf("merging: %+v", uk)
	}
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "kafka:\n", "{}"} {
		if diff := cmp.Diff(printed(t, Default()), printed(t, mustParse(t, text))); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "secret")
	if err := os.WriteFile(secretFile, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load([]byte(full), Source{File: "f", Environ: []string{
		"HOME=/root",
		"BOOKSYNC_KAFKA_BROKERS=a:1, b:2",
		"BOOKSYNC_KAFKA_SESSION_TIMEOUT=20s",
		"BOOKSYNC_KAFKA_SASL_PASSWORD_FILE=" + secretFile,
		"BOOKSYNC_TELEMETRY_SAMPLE_RATIO=0.25",
		"BOOKSYNC_ORGANIZATIONS_ACME_UK_REFRESH_TOKEN=uk",
		"BOOKSYNC_ORGANIZATIONS_ACME_CLIENT_SECRET_FILE=" + secretFile,
		"BOOKSYNC_ORGANIZATIONS_ACME_TAXES={vat7: {tax_id: '7', rate: 7}, vat20: {tax_id: '8', rate: 20}}",
		"BOOKSYNC_ORGANIZATIONS_NEW_SHOP_ID=123",
		"BOOKSYNC_ORGANIZATIONS_NEW_SHOP_FIELDS_CREDIT_NOTE_KEY=cf_x",
		"BOOKSYNC_SERVICE_HOST=10.0.0.1", "BOOKSYNC_PORT_8080_TCP=tcp://10.0.0.1:8080", "BOOKSYNC_CONFIG=f", "BOOKSYNC_VECTORS=/vectors",
	}, Overrides: map[string]string{"http.listen": "127.0.0.1:0", "kafka.session_timeout": "25s"}}, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"brokers": c.Kafka.Brokers, "session": c.Kafka.SessionTimeout, "password": c.Kafka.SASL.Password.Reveal(),
		"ratio": c.Telemetry.SampleRatio, "uk": c.Organizations["acme-uk"].RefreshToken.Reveal(),
		"acme": c.Organizations["acme"].ClientSecret.Reveal(), "taxes": len(c.Organizations["acme"].Taxes),
		"new": c.Organizations["new_shop"].ID, "field": c.Organizations["new_shop"].Fields.CreditNote.Key,
		"live": c.Organizations["new_shop"].Live, "listen": c.HTTP.Listen,
	}
	want := map[string]any{
		"brokers": []string{"a:1", "b:2"}, "session": 25 * time.Second, "password": "from a file", "ratio": 0.25, "uk": "uk",
		"acme": "from a file", "taxes": 2, "new": "123", "field": "cf_x", "live": true, "listen": "127.0.0.1:0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryProblemIsReportedWithItsPlaceAndAHint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		file    string
		environ []string
		want    []string // one per problem, in order
	}{
		{"unknown key names its line and the likely one", "kafka:\n  broker: [a:1]\n", nil,
			[]string{`kafka.broker (f:2): unknown key; did you mean "brokers"?`}},
		{"key of another section", "kafka:\n  write_horizon: 1m\n", nil, []string{`kafka.write_horizon (f:2): unknown key; did you mean zoho.write_horizon?`}},
		{"several at once", "kafka:\n  session_timeout: soon\nlog:\n  level: loud\nzoho:\n  concurrency: 0\n", nil, []string{
			`kafka.session_timeout (f:2): want a duration such as 500ms, 30s, 5m, 2h or 35d instead of "soon"`,
			`zoho.concurrency: 0 is less than 1`,
			`log.level: "loud" is none of debug, info, warn, error`,
		}},
		{"not YAML", "kafka: [a\nb: }", nil, []string{"f:"}},
		{"list where one value belongs", "http:\n  listen: [a]\n", nil, []string{"http.listen (f:2): want one value, not a list or a mapping"}},
		{"scalar where a section belongs", "kafka: yes\n", nil, []string{"kafka (f:1): want a mapping"}},
		{"duplicate key", "log:\n  level: info\n  level: debug\n", nil, []string{"f:3: not valid YAML"}},
		{"two documents", "log: {}\n---\nlog: {}\n", nil, []string{"f:3: a second YAML document; keep one document"}},
		{"secret value is not quoted", "organizations:\n  a:\n    client_secret: [deadbeef]\n", nil, []string{"organizations.a.client_secret (f:3): want one value"}},
		{"unknown variable", "", []string{"BOOKSYNC_KAFKA_BROKER=a:1"}, []string{`BOOKSYNC_KAFKA_BROKER: no setting has this variable; did you mean "BOOKSYNC_KAFKA_BROKERS"?`}},
		{"unknown variable of an organisation", "organizations: {acme: {id: 1}}", []string{"BOOKSYNC_ORGANIZATIONS_ACME_CLIENT_SECRETT=x"},
			[]string{`did you mean "BOOKSYNC_ORGANIZATIONS_ACME_CLIENT_SECRET"?`}},
		{"a secret twice", "", []string{"BOOKSYNC_REDIS_PASSWORD=a", "BOOKSYNC_REDIS_PASSWORD_FILE=/b"},
			[]string{"set both directly and by BOOKSYNC_REDIS_PASSWORD_FILE; unset one of the two", "reading the secret from"}},
		{"a secret's file is missing", "redis:\n  password_file: /nowhere\n", nil, []string{`redis.password_file (f:2): reading the secret from "/nowhere": file does not exist`}},
		{"what print shows is no secret", "redis:\n  password: '[secret]'\n", nil, []string{"redis.password: this is what `config print` shows"}},
		{"hostile alias", "a: &a {b: *a}\nkafka: *a\n", nil, nil},
		{"plain HTTP", "zoho:\n  api_base: http://www.zohoapis.com/books/v3\n", nil, []string{"zoho.api_base: plain HTTP would show the credentials; use https"}},
		{"lease shorter than a call", "claims:\n  lease: 10s\n", nil, []string{"claims.lease: 10s is not longer than zoho.timeout (30s)"}},
		{"a topic with two roles", "topics:\n  refunds: [commerce.orders]\n", nil, []string{`topics.refunds[0]: "commerce.orders" is topics.orders[0] already`, "commerce.orders.dlq"}},
		{"session timeout that has no effect", "kafka:\n  protocol: consumer\n  session_timeout: 20s\n", nil, []string{"kafka.session_timeout: has no effect with protocol consumer"}},
		{"credentials in a URL", "schema_registry:\n  urls: ['http://user:pw@host:8081']\n", nil, []string{"schema_registry.urls[0]: credentials in a URL end up in logs"}},
		{"an organisation's mapping", `organizations:
  acme:
    id: abc
    time_zone: Mars/Olympus
    taxes: {vat: {rate: 120, tax_id: 1}, z+a: {tax_id: 2}, none: {}}
    default_tax: vta
    line_targets: {GODS: {account_id: 1}, GOODS/vat2: {account_id: 1, item_id: 2}}
    clearing: {stripe: 1, Stripe/EUR: 2}
    fields: {invoice: {key: booksync}}
    round_off: tidy
    disputes_account: 9
    reversal_policy: write_off
    locked_until: 31.3.2026
`, nil, []string{
			`acme.id: "abc" is not made of digits`, `acme.time_zone: "Mars/Olympus" is not a known`, "taxes.none: needs either", "taxes.vat.rate: 120 is not a rate",
			"taxes.z+a: the codes of a combination must be sorted; write a+z", `default_tax: "vta" is not under taxes; did you mean "vat"?`,
			`line_targets.GODS: "GODS" is not a kind of line; did you mean "GOODS"?`, `line_targets.GOODS/vat2: the tax code "vat2" is not under taxes; did you mean "vat"?`,
			"line_targets.GOODS/vat2: needs either", "clearing.Stripe/EUR: gateways are compared in lower case; write stripe/EUR", "clearing.stripe: want gateway/CURRENCY",
			"journals: is off, but disputes_account or reversal_policy: write_off is set", "losses_account: is needed by reversal_policy: write_off", `fields.invoice.key: "booksync" is not a custom field's API name`,
			`round_off: "tidy" is not a positive number`, "locked_until: want a day",
		}},
		{"a mapping by place", `organizations:
  a:
    edition: in
    state: Atlantis
    taxes: {gst@intra: {tax_id: 1, supply: within}, "gst@": {tax_id: 2}, "b+a@KA": {tax_id: 3}, ny: {tax_id: 4, authority_id: 5, treatment_code: x}}
    default_tax: gst
    line_targets: {GOODS/gst: {account_id: 1}}
    exemptions: {Resale: 1}
    exchange_rates: ecb
`, nil, []string{
			`a.exchange_rates: "ecb" is none of`, `a.state: "Atlantis" is not a state`, `taxes.b+a@KA: the codes of a combination must be sorted; write a+b@KA`,
			`taxes.gst@: "gst@" is not a tax code`, `taxes.gst@intra.supply: "within" is none of`, `a.exemptions: contacts of the in edition have no exemption`, `taxes.ny.authority_id: only the us edition`,
			`taxes.ny.treatment_code: only the gcc edition`, `a.exemptions.Resale: not an exemption`,
		}},
		{"places without the organisation's state", "organizations: {a: {taxes: {gst@intra: {tax_id: 1}}}}", nil, []string{"taxes.gst@intra: without the organisation's state nothing is intra-state"}},
		{"a rate that would take the machine's memory", "organizations: {a: {taxes: {x: {tax_id: 1, rate: 1e999999999}}}}", nil, []string{"organizations.a.taxes.x.rate (f:1): want a plain decimal number"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := load([]byte(test.file), Source{File: "f", Environ: test.environ}, noFiles)
			got := Problems(err)
			if err == nil {
				t.Fatal("no error")
			}
			if test.want == nil {
				return
			}
			if len(got) != len(test.want) {
				t.Fatalf("%d problems, want %d: %v", len(got), len(test.want), err)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i].String(), want) {
					t.Errorf("problem %d:\n got %s\nwant %s", i, got[i], want)
				}
			}
		})
	}
}

func TestWhatIsMissingDependsOnWhatIsNeeded(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "organizations: {acme: {id: 1}, again: {id: 1}}")
	if err := c.Validate(NeedKafka); err != nil {
		t.Errorf("the defaults are enough for Kafka: %v", err)
	}
	var paths []string
	for _, p := range Problems(c.Validate(NeedAll)) {
		paths = append(paths, p.Path)
		if p.Hint == "" {
			t.Errorf("no hint: %s", p)
		}
	}
	want := []string{"redis.token_key", "organizations.acme.client_id", "organizations.acme.client_secret", "organizations.acme.refresh_token",
		"organizations.again.client_id", "organizations.again.client_secret", "organizations.again.refresh_token", "organizations.again.id"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	if err := mustParse(t, "").Validate(NeedOrganizations); err == nil {
		t.Error("no organisation is fine?")
	}
}

func TestEveryVariableNamesOneSetting(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]setting{configSettings(), organizationSettings()} {
		seen := map[string]string{}
		for _, s := range settings {
			if other, twice := seen[s.env()]; twice {
				t.Errorf("%s is %s and %s", s.env(), s.path, other)
			}
			seen[s.env()] = s.path
			if s.typ == typeSecret {
				if other, twice := seen[s.env()+"_FILE"]; twice {
					t.Errorf("%s_FILE is also %s", s.env(), other)
				}
			}
		}
		for _, s := range settings {
			if trimmed := strings.TrimSuffix(s.env(), "_FILE"); trimmed != s.env() {
				if path, ok := seen[trimmed]; ok {
					t.Errorf("%s: the variable is also the file of %s", s.path, path)
				}
			}
		}
	}
}

func TestEverySettingCanBeSetByItsVariable(t *testing.T) {
	t.Parallel()
	values := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int: "7", reflect.Int64: "7", reflect.Float64: "0.5", reflect.String: "x", reflect.Slice: "x,y", reflect.Map: "{x: y}"}
	for _, s := range configSettings() {
		value := values[s.typ.Kind()]
		if s.typ == typeDuration {
			value = "7s"
		} else if s.typ == typeSecret {
			value = "x"
		}
		c, d := Default(), &decoder{readFile: noFiles}
		d.environment(c, []string{EnvPrefix + s.env() + "=" + value})
		if err := d.problems.err(); err != nil {
			t.Errorf("%s: %v", s.path, err)
		}
		if reflect.ValueOf(c).Elem().FieldByIndex(s.index).IsZero() {
			t.Errorf("%s was not set", s.path)
		}
	}
}

func printed(t *testing.T, c *Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintMasksSecretsAndLoadsAgain(t *testing.T) {
	t.Parallel()
	c := mustParse(t, full)
	text := printed(t, c)
	for _, hidden := range []string{"very-secret", "kafka-secret", "1000.refresh", "MDEyMzQ1"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is in the print", hidden)
		}
	}
	again := mustParse(t, strings.ReplaceAll(text, `"[secret]"`, `MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=`))
	if diff := cmp.Diff(text, printed(t, again)); diff != "" {
		t.Errorf("it does not load to the same:\n%s", diff)
	}
	if a, b := c.Organizations["acme"].Hash(), again.Organizations["acme"].Hash(); a != b {
		t.Errorf("the mapping's hash changed: %s %s", a, b)
	}
}

func TestHashNamesTheMapping(t *testing.T) {
	t.Parallel()
	parse := func(text string) Organization {
		return mustParse(t, "organizations: {acme: {"+text+"}}").Organizations["acme"]
	}
	base := parse("id: 1, items: {a: 1, b: 2}, taxes: {x: {tax_id: 1, rate: 20}}")
	same := []Organization{
		parse("taxes: {x: {rate: 20.00, tax_id: 1}}, items: {b: 2, a: 1}, id: 1"),
		parse("id: 1, items: {a: 1, b: 2}, taxes: {x: {tax_id: 1, rate: 20}}, client_secret: other, calls_per_minute: 7, client_id: z"),
	}
	for i, o := range same {
		if o.Hash() != base.Hash() {
			t.Errorf("same %d: another hash", i)
		}
	}
	for i, o := range []Organization{
		parse("id: 1, items: {a: 1, b: 3}, taxes: {x: {tax_id: 1, rate: 20}}"),
		parse("id: 1, items: {a: 1}, taxes: {x: {tax_id: 1, rate: 20}}"),
		parse("id: 1, items: {a: 1, b: 2}, taxes: {x: {tax_id: 1, rate: 20}}, tolerance: 2"),
		parse("id: 1, locations: {a: 1, b: 2}, taxes: {x: {tax_id: 1, rate: 20}}"),
	} {
		if o.Hash() == base.Hash() {
			t.Errorf("other %d: the same hash", i)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("kafka:\n  broker: a\n"))
	f.Add([]byte("a: &a [*a, *a]\n<<: *a"))
	f.Add([]byte("organizations: {a: {taxes: {x: {tax_id: !!int 1, rate: .inf}}}}"))
	f.Add([]byte("? |\n  kafka\n: x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := load(text, Source{File: "f"}, noFiles)
		if err != nil {
			if len(Problems(err)) == 0 {
				t.Fatalf("an error without a problem: %v", err)
			}
			return
		}
		_ = c.Validate(NeedAll)
		// What loads, prints; and what it prints loads to the same, but for secrets.
		out := printed(t, c)
		for _, s := range []string{c.Kafka.SASL.Password.Reveal(), c.Redis.TokenKey.Reveal()} {
			if s != "" {
				return
			}
		}
		again, err := load([]byte(out), Source{File: "f"}, noFiles)
		if err != nil {
			if strings.Contains(out, "[secret]") {
				return
			}
			t.Fatalf("the print does not load: %v\n%s", err, out)
		}
		if printed(t, again) != out {
			t.Fatalf("not the same:\n%s\n%s", out, printed(t, again))
		}
	})
}
