package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/booksync/booksync/internal/secret"
)

// Need says what a command is going to use; Validate checks that it is configured.
type Need int

// The needs. NeedAll is what `run` and `setup` need.
const (
	NeedKafka Need = 1 << iota
	NeedRedis
	NeedOrganizations

	NeedAll = NeedKafka | NeedRedis | NeedOrganizations
)

// Validate says everything that is missing or contradictory for what is needed, as an [*Error].
func (c *Config) Validate(need Need) error {
	var p problems
	c.check(&p)
	if need&NeedKafka != 0 {
		c.needKafka(&p)
	}
	if need&NeedRedis != 0 {
		c.needRedis(&p)
	}
	if need&NeedOrganizations != 0 {
		c.needOrganizations(&p)
	}
	return p.err()
}

// check looks at what is there: ranges, words, forms. It asks for nothing to be there.
func (c *Config) check(p *problems) {
	checkTags(p, "", reflect.ValueOf(c).Elem())
	for i, b := range c.Kafka.Brokers {
		checkHostPort(p, fmt.Sprintf("kafka.brokers[%d]", i), b)
	}
	for i, a := range c.Redis.Addresses {
		checkHostPort(p, fmt.Sprintf("redis.addresses[%d]", i), a)
	}
	if c.HTTP.Listen != "" {
		checkHostPort(p, "http.listen", c.HTTP.Listen)
	}
	checkTLS(p, "kafka.tls", c.Kafka.TLS)
	checkTLS(p, "redis.tls", c.Redis.TLS)
	checkTLS(p, "schema_registry.tls", c.SchemaRegistry.TLS)
	c.checkSASL(p)
	if _, err := ParseSchedule(c.Reconcile.Schedule); err != nil {
		p.add("reconcile.schedule", "", "", "%s", err.Error())
	}
	c.checkTopics(p)
	for i, u := range c.SchemaRegistry.URLs {
		checkURL(p, fmt.Sprintf("schema_registry.urls[%d]", i), u, "http", "https")
	}
	checkURL(p, "telemetry.otlp_endpoint", c.Telemetry.OTLPEndpoint, "http", "https")
	c.checkBase(p, "zoho.api_base", c.Zoho.APIBase)
	c.checkBase(p, "zoho.accounts_base", c.Zoho.AccountsBase)
	if c.Claims.Lease <= c.Zoho.Timeout {
		p.add("claims.lease", "", "a lease that lapses during a call makes every slow answer a case of doubt",
			"%s is not longer than zoho.timeout (%s)", formatDuration(c.Claims.Lease), formatDuration(c.Zoho.Timeout))
	}
	if c.Zoho.BackOffLimit < c.Zoho.BackOff {
		p.add("zoho.back_off_limit", "", "", "%s is less than zoho.back_off (%s)", formatDuration(c.Zoho.BackOffLimit), formatDuration(c.Zoho.BackOff))
	}
	if c.Zoho.SettleDelay >= c.Zoho.WriteHorizon {
		p.add("zoho.settle_delay", "", "", "%s is not shorter than zoho.write_horizon (%s)",
			formatDuration(c.Zoho.SettleDelay), formatDuration(c.Zoho.WriteHorizon))
	}
	checkKey(p, "redis.token_key", c.Redis.TokenKey)
	checkKey(p, "redis.token_key_previous", c.Redis.TokenKeyPrevious)
	for _, name := range c.OrganizationNames() {
		o := c.Organizations[name]
		o.check(p, "organizations."+name, c)
	}
}

func (c *Config) checkSASL(p *problems) {
	s := c.Kafka.SASL
	if s.Mechanism == "" && (s.Username != "" || !s.Password.IsZero() || s.TokenFile != "") {
		p.add("kafka.sasl.mechanism", "", "name the mechanism, or remove the credentials", "empty although credentials are set")
	}
	if c.Kafka.Protocol == "consumer" && c.Kafka.SessionTimeout != Default().Kafka.SessionTimeout {
		p.add("kafka.session_timeout", "", "remove it, or set the group's consumer.session.timeout.ms at the brokers",
			"has no effect with protocol consumer: there the broker decides")
	}
}

// needSASL asks for the credentials; where nothing is contacted they may be absent.
func (c *Config) needSASL(p *problems) {
	switch s := c.Kafka.SASL; {
	case s.Mechanism == "":
	case s.Mechanism == "oauthbearer":
		if s.TokenFile == "" {
			p.add("kafka.sasl.token_file", "", "name the file that an agent keeps the token in", "needed for oauthbearer")
		}
	default:
		if s.Username == "" {
			p.add("kafka.sasl.username", "", "set it, or BOOKSYNC_KAFKA_SASL_USERNAME", "needed for %s", s.Mechanism)
		}
		if s.Password.IsZero() {
			p.add("kafka.sasl.password", "", "set it, BOOKSYNC_KAFKA_SASL_PASSWORD or BOOKSYNC_KAFKA_SASL_PASSWORD_FILE", "needed for %s", s.Mechanism)
		}
	}
}

// checkTopics makes sure that no topic has two roles: a record must have one way through.
func (c *Config) checkTopics(p *problems) {
	t := c.Topics
	roles := map[string]string{}
	add := func(path, name string) {
		if name == "" {
			return
		}
		if !validTopic(name) {
			p.add(path, "", "letters, digits, dot, underscore and hyphen, at most 249", "%q is not a topic's name", clip(name))
			return
		}
		if other, taken := roles[name]; taken {
			p.add(path, "", "a topic has one role", "%q is %s already", clip(name), other)
			return
		}
		roles[name] = path
	}
	if t.DeadLetterSuffix == "" {
		p.add("topics.dead_letter_suffix", "", "", "must not be empty: dead letters would go back to their topic")
		return
	}
	for _, group := range []struct {
		path  string
		names []string
	}{{"topics.orders", t.Orders}, {"topics.payments", t.Payments}, {"topics.refunds", t.Refunds}} {
		for i, name := range group.names {
			path := fmt.Sprintf("%s[%d]", group.path, i)
			add(path, name)
			if validTopic(name) {
				add(path+" with topics.dead_letter_suffix", t.DeadLetter(name))
			}
		}
	}
	add("topics.outcomes", t.Outcomes)
	add("topics.audit", t.Audit)
	add("topics.reconciliations", t.Reconciliations)
}

func validTopic(name string) bool {
	const longest = 249 // Kafka's limit
	if name == "" || name == "." || name == ".." || len(name) > longest {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}) < 0
}

// checkBase refuses bases that would send credentials over plain HTTP to another machine.
func (c *Config) checkBase(p *problems, path, base string) {
	if base == "" {
		return
	}
	if c.Zoho.AllowLoopback {
		checkURL(p, path, base, "http", "https")
		return
	}
	u, err := url.Parse(base)
	if err == nil && u.Scheme == "http" {
		p.add(path, "", "use https; for the simulator set zoho.allow_loopback: true", "plain HTTP would show the credentials")
		return
	}
	checkURL(p, path, base, "https")
}

func (c *Config) needKafka(p *problems) {
	c.needSASL(p)
	if len(c.Kafka.Brokers) == 0 {
		p.add("kafka.brokers", "", "name at least one broker, or set BOOKSYNC_KAFKA_BROKERS", "empty")
	}
	if c.Kafka.Group == "" {
		p.add("kafka.group", "", "", "empty")
	}
	if c.Topics.Outcomes == "" {
		p.add("topics.outcomes", "", "", "empty")
	}
	if c.Topics.Audit == "" {
		p.add("topics.audit", "", "", "empty")
	}
	if len(c.Topics.Sources()) == 0 {
		p.add("topics", "", "", "there is no topic to read")
	}
}

func (c *Config) needRedis(p *problems) {
	if c.Redis.Username != "" && c.Redis.Password.IsZero() {
		p.add("redis.password", "", "set it, BOOKSYNC_REDIS_PASSWORD or BOOKSYNC_REDIS_PASSWORD_FILE", "needed for the user %q", clip(c.Redis.Username))
	}
	if len(c.Redis.Addresses) == 0 {
		p.add("redis.addresses", "", "name at least one address, or set BOOKSYNC_REDIS_ADDRESSES", "empty")
	}
	if c.Redis.TokenKey.IsZero() {
		p.add("redis.token_key", "", "make one with `openssl rand -base64 32` and give it as BOOKSYNC_REDIS_TOKEN_KEY_FILE",
			"empty: access tokens are shared through Redis only when encrypted")
	}
	if (c.Redis.Cluster || len(c.Redis.Addresses) > 1 && c.Redis.MasterName == "") && c.Redis.Database != 0 {
		p.add("redis.database", "", "", "a cluster has only database 0")
	}
}

func (c *Config) needOrganizations(p *problems) {
	if len(c.Organizations) == 0 {
		p.add("organizations", "", "add one under the name that events carry in `organization`", "there is none")
	}
	for _, name := range c.OrganizationNames() {
		o, path := c.Organizations[name], "organizations."+name
		variable := EnvPrefix + "ORGANIZATIONS_" + envName(name)
		if o.ID == "" {
			p.add(path+".id", "", "it is Zoho's organization_id: Settings, Organization Profile", "empty")
		}
		if o.ClientID == "" {
			p.add(path+".client_id", "", "from the API console of the data centre, or "+variable+"_CLIENT_ID", "empty")
		}
		if o.ClientSecret.IsZero() {
			p.add(path+".client_secret", "", "set "+variable+"_CLIENT_SECRET_FILE", "empty")
		}
		if o.RefreshToken.IsZero() {
			p.add(path+".refresh_token", "", "get one with `booksync auth login` and set "+variable+"_REFRESH_TOKEN_FILE", "empty")
		}
		c.needKeys(p, path, o)
	}
}

// needKeys makes sure that no two organisations are the same company: their events would be posted twice.
func (c *Config) needKeys(p *problems, path string, o Organization) {
	if o.ID == "" {
		return
	}
	for _, other := range c.OrganizationNames() {
		if q := "organizations." + other; q < path && c.Organizations[other].ID == o.ID {
			p.add(path+".id", "", "one company has one name", "%s is also the id of %s", clip(o.ID), q)
		}
	}
}

// OrganizationNames are the names in order.
func (c *Config) OrganizationNames() []string {
	names := make([]string, 0, len(c.Organizations))
	for name := range c.Organizations {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func checkHostPort(p *problems, path, hostport string) {
	_, port, err := net.SplitHostPort(hostport)
	if err == nil {
		var n int
		if n, err = strconv.Atoi(port); err == nil && (n < 0 || n > 65535) {
			err = strconv.ErrRange
		}
	}
	if err != nil {
		p.add(path, "", "", "want host:port instead of %q", clip(hostport))
	}
}

func checkURL(p *problems, path, text string, schemes ...string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme):
		p.add(path, "", "", "want a URL with %s", strings.Join(schemes, " or "))
	case u.User != nil:
		p.add(path, "", "use the fields for credentials", "credentials in a URL end up in logs")
	}
}

func checkTLS(p *problems, path string, t TLS) {
	if (t.CertFile == "") != (t.KeyFile == "") {
		p.add(path, "", "", "cert_file and key_file belong together")
	}
	if !t.Enabled && (t.CAFile != "" || t.CertFile != "" || t.ServerName != "") {
		p.add(path+".enabled", "", "set it to true", "false although TLS files or names are set")
	}
}

func checkKey(p *problems, path string, key secret.String) {
	if key.IsZero() {
		return
	}
	if _, err := decodeKey(key); err != nil {
		p.add(path, "", "make one with `openssl rand -base64 32`", "%s", err)
	}
}

// checkTags checks enum, min and max of every scalar below v, organisations included.
func checkTags(p *problems, path string, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f, fv := t.Field(i), v.Field(i)
		at := join(path, f.Tag.Get("yaml"))
		switch {
		case isScalar(f.Type):
			checkScalar(p, at, f.Tag, fv)
		case f.Type.Kind() == reflect.Struct:
			checkTags(p, at, fv)
		case f.Type.Kind() == reflect.Map && f.Type.Elem() == typeOrganization:
			keys := fv.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
			for _, k := range keys {
				checkTags(p, at+"."+k.String(), fv.MapIndex(k))
			}
		}
	}
}

func checkScalar(p *problems, path string, tag reflect.StructTag, v reflect.Value) {
	if s, ok := v.Interface().(secret.String); ok && s.Reveal() == secret.Mask {
		p.add(path, "", "give the secret itself", "this is what `config print` shows in a secret's place")
	}
	if enum, ok := tag.Lookup("enum"); ok {
		if words := strings.Split(enum, ","); !slices.Contains(words, v.String()) {
			hint := didYouMean(v.String(), slices.Clone(words))
			p.add(path, "", hint, "%q is none of %s", clip(v.String()), strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", "))
		}
	}
	if least, ok := tag.Lookup("min"); ok && compare(v, least) < 0 {
		p.add(path, "", "", "%s is less than %s", getText(v), least)
	}
	if most, ok := tag.Lookup("max"); ok && compare(v, most) > 0 {
		p.add(path, "", "", "%s is more than %s", getText(v), most)
	}
}

// compare compares a number or duration with a tag's bound.
func compare(v reflect.Value, bound string) int {
	switch x := v.Interface().(type) {
	case time.Duration:
		b, _ := parseDuration(bound)
		return int(min(1, max(-1, x-b)))
	case float64:
		b, _ := strconv.ParseFloat(bound, 64)
		switch {
		case x < b:
			return -1
		case x > b:
			return 1
		}
		return 0
	}
	b, _ := strconv.ParseInt(bound, 10, 64)
	switch n := v.Int(); {
	case n < b:
		return -1
	case n > b:
		return 1
	}
	return 0
}
