package zohobooks

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/booksync/booksync/internal/secret"
)

// Config says which organisation is spoken to, where and as whom.
type Config struct {
	// DataCenter is where the organisation lives: us, eu, in, au, jp, ca, sa, cn, uk, ae. Default us.
	DataCenter string `yaml:"data_center"`
	// APIBase replaces the data centre's, with the version: https://www.zohoapis.com/books/v3. Its host must be a listed one. Default by DataCenter.
	APIBase string `yaml:"api_base"`
	// AccountsBase replaces the data centre's accounts server: https://accounts.zoho.com. Its host must be a listed one. Default by DataCenter.
	AccountsBase string `yaml:"accounts_base"`
	// AllowLoopback admits plain http and loopback addresses in the two bases, for the simulator. Default false.
	AllowLoopback bool `yaml:"allow_loopback"`
	// OrganizationID is the Zoho organisation's id. No default.
	OrganizationID string `yaml:"organization_id"`
	// ClientID of the API client. No default.
	ClientID string `yaml:"client_id"`
	// ClientSecret of the API client. No default.
	ClientSecret secret.String `yaml:"client_secret"`
	// RefreshToken as `auth login` shows it. No default.
	RefreshToken secret.String `yaml:"refresh_token"`
	// Timeout of one call, from its first byte to the end of its answer. Default 30 s.
	Timeout time.Duration `yaml:"timeout"`
	// TokenTimeout of one call of the accounts server. Default 15 s.
	TokenTimeout time.Duration `yaml:"token_timeout"`
	// Concurrency is the number of connections kept open: the organisation's limit of calls in flight. Default 10.
	Concurrency int `yaml:"concurrency"`
	// RefusalWait: how long a refusal of the accounts server is believed before it is asked again. Zoho allows 10 token requests in 10 minutes and
	// is said to prolong the refusal when asked meanwhile. Default 10 min.
	RefusalWait time.Duration `yaml:"refusal_wait"`
	// OutageWait: likewise when it could not be reached or answered nonsense. Default 60 s.
	OutageWait time.Duration `yaml:"outage_wait"`
}

// Defaults of Config.
const (
	DefaultTimeout      = 30 * time.Second
	DefaultTokenTimeout = 15 * time.Second
	DefaultConcurrency  = 10
	DefaultRefusalWait  = 10 * time.Minute // the window of Zoho's token request limit
	DefaultOutageWait   = time.Minute      // 10 in 10 minutes at most
)

// DataCenter is one of Zoho's.
type DataCenter struct {
	API      string // base of the Books API with its version
	Accounts string // accounts server
}

// dataCenters per Zoho's documents; the accounts server cannot be derived from the API host (Canada's is on another domain). Books in uk
// and ae is not in Zoho's list of eight but used by clients.
var dataCenters = map[string]DataCenter{
	"us": {"https://www.zohoapis.com/books/v3", "https://accounts.zoho.com"},
	"eu": {"https://www.zohoapis.eu/books/v3", "https://accounts.zoho.eu"},
	"in": {"https://www.zohoapis.in/books/v3", "https://accounts.zoho.in"},
	"au": {"https://www.zohoapis.com.au/books/v3", "https://accounts.zoho.com.au"},
	"jp": {"https://www.zohoapis.jp/books/v3", "https://accounts.zoho.jp"},
	"ca": {"https://www.zohoapis.ca/books/v3", "https://accounts.zohocloud.ca"},
	"sa": {"https://www.zohoapis.sa/books/v3", "https://accounts.zoho.sa"},
	"cn": {"https://www.zohoapis.com.cn/books/v3", "https://accounts.zoho.com.cn"},
	"uk": {"https://www.zohoapis.uk/books/v3", "https://accounts.zoho.uk"},
	"ae": {"https://www.zohoapis.ae/books/v3", "https://accounts.zoho.ae"},
}

// DataCenters lists the names that Config.DataCenter takes.
func DataCenters() []string {
	names := make([]string, 0, len(dataCenters))
	for name := range dataCenters {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// WithDefaults fills what is unset.
func (c Config) WithDefaults() Config {
	if c.DataCenter == "" {
		c.DataCenter = "us"
	}
	dc := dataCenters[c.DataCenter]
	if c.APIBase == "" {
		c.APIBase = dc.API
	}
	if c.AccountsBase == "" {
		c.AccountsBase = dc.Accounts
	}
	c.APIBase = strings.TrimRight(c.APIBase, "/")
	c.AccountsBase = strings.TrimRight(c.AccountsBase, "/")
	setDefault(&c.Timeout, DefaultTimeout)
	setDefault(&c.TokenTimeout, DefaultTokenTimeout)
	setDefault(&c.RefusalWait, DefaultRefusalWait)
	setDefault(&c.OutageWait, DefaultOutageWait)
	if c.Concurrency <= 0 {
		c.Concurrency = DefaultConcurrency
	}
	return c
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Validate says everything that is wrong with a Config after WithDefaults.
func (c Config) Validate() error {
	var errs []error
	if err := c.validateHosts(); err != nil {
		errs = append(errs, err)
	}
	if !digits(c.OrganizationID) {
		errs = append(errs, errors.New("organization_id: want the organisation's id, a row of digits"))
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("client_id: missing"))
	}
	if c.ClientSecret.IsZero() {
		errs = append(errs, errors.New("client_secret: missing"))
	}
	if c.RefreshToken.IsZero() {
		errs = append(errs, errors.New("refresh_token: missing; `booksync auth login` gets one"))
	}
	return errors.Join(errs...)
}

func (c Config) validateHosts() error {
	if _, ok := dataCenters[c.DataCenter]; !ok {
		return fmt.Errorf("data_center: %q is not one of %s", c.DataCenter, strings.Join(DataCenters(), ", "))
	}
	return errors.Join(
		c.checkBase("api_base", c.APIBase, apiHosts),
		c.checkBase("accounts_base", c.AccountsBase, accountsHosts),
	)
}

func (c Config) checkBase(name, base string, hosts map[string]string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s: want https://host/path", name)
	}
	if _, ok := hosts[u.Host]; ok {
		if u.Scheme != "https" {
			return fmt.Errorf("%s: want https", name)
		}
		return nil
	}
	if loopback(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https") {
		if c.AllowLoopback {
			return nil
		}
		return fmt.Errorf("%s: loopback addresses need allow_loopback", name)
	}
	return fmt.Errorf("%s: %q is not one of Zoho's hosts", name, u.Host)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// apiHosts and accountsHosts map a host to its data centre. Legacy API hosts still answer.
var apiHosts, accountsHosts = func() (api, accounts map[string]string) {
	api, accounts = make(map[string]string), make(map[string]string)
	for name, dc := range dataCenters {
		if u, err := url.Parse(dc.API); err == nil {
			api[u.Host] = name
		}
		if u, err := url.Parse(dc.Accounts); err == nil {
			accounts[u.Host] = name
			// books.zoho.eu beside accounts.zoho.eu; Canada's is on the same odd domain
			api["books"+strings.TrimPrefix(u.Host, "accounts")] = name
		}
	}
	return api, accounts
}()

func digits(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
