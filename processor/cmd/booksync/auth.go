package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/login"
	"github.com/booksync/booksync/internal/secret"
)

func (c *cli) authCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "auth",
		Short: "Get, test and revoke an organisation's credentials",
		Long: `booksync signs in to Zoho as a self client: a client id and secret from the API console of the organisation's
data centre, and a refresh token that does not expire until it is revoked. Access tokens, good for an hour, are
fetched with it and shared by all replicas through Redis, encrypted.`,
	}, c.authLoginCommand(), c.authTestCommand(), c.authRevokeCommand())
}

func (c *cli) authLoginCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "login ORGANIZATION",
		Short: "Turn a self client's code into a refresh token",
		Long: `Needs client_id and client_secret of the organisation in the configuration. In the API console
(https://api-console.zoho.com, or your data centre's) open the self client, tab Generate Code, enter the scopes
that 'booksync auth login ORGANIZATION --scopes' prints, and give the code to this command on its standard input
within its life of some minutes.

The refresh token is shown to work by a refresh and a read, and its scopes are compared with what the workflows
need. It is written to the file given with --out, readable by you only, or else alone to standard output;
everything else goes to standard error.`,
		Example: `  booksync auth login acme --scopes
  booksync auth login acme --out /etc/booksync/acme.refresh-token
  export BOOKSYNC_ORGANIZATIONS_ACME_REFRESH_TOKEN_FILE=/etc/booksync/acme.refresh-token`,
	}
	scopes := cmd.Flags().Bool("scopes", false, "print the scopes to ask for, comma-separated, and end")
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` for the refresh token; it must not exist")
	cmd.Args = args(1)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if *scopes {
			fmt.Fprintln(c.stdout, strings.Join(slices.Concat(login.Scopes, login.SetupScopes), ","))
			return nil
		}
		cfg, err := c.loadOrganization(a[0])
		if err != nil {
			return err
		}
		return c.login(cmd.Context(), cfg, a[0], out)
	}
	return cmd
}

// loadOrganization reads the configuration, which must have the organisation and its client.
func (c *cli) loadOrganization(name string) (*config.Config, error) {
	cfg, err := c.load(0)
	if err != nil {
		return nil, err
	}
	o, ok := cfg.Organizations[name]
	switch {
	case !ok:
		err = fmt.Errorf("organisation %q is not configured; there are: %s", name, strings.Join(cfg.OrganizationNames(), ", "))
	case o.ID == "" || o.ClientID == "" || o.ClientSecret.IsZero():
		err = fmt.Errorf("organizations.%s: id, client_id and client_secret are needed", name)
	}
	if err != nil {
		return nil, &exitError{code: codeUsage, err: err}
	}
	return cfg, nil
}

func (c *cli) login(ctx context.Context, cfg *config.Config, name, out string) error {
	fmt.Fprintln(c.stderr, "code of the self client:")
	line, err := bufio.NewReader(io.LimitReader(c.stdin, 4096)).ReadString('\n')
	code := strings.TrimSpace(line)
	if code == "" {
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("no code on standard input")
		}
		return &exitError{code: codeUsage, err: err}
	}
	bc := cfg.BooksConfig(name)
	got, err := zohobooks.ExchangeCode(ctx, bc, secret.New(code))
	if err != nil {
		return credentialError(err)
	}
	// Kept before it is tested: a code can be used once only.
	if err := c.keepToken(out, got.RefreshToken); err != nil {
		return err
	}
	switch missing := login.Missing(got.Scopes, slices.Concat(login.Scopes, login.SetupScopes)); {
	case len(got.Scopes) == 0:
		fmt.Fprintln(c.stderr, "Zoho did not say which scopes were granted; they are tried below")
	case len(missing) > 0:
		fmt.Fprintf(c.stderr, "missing scopes: %s\n", strings.Join(missing, ","))
	default:
		fmt.Fprintln(c.stderr, "all scopes are granted")
	}
	bc.RefreshToken = got.RefreshToken
	books, err := zohobooks.New(bc)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	defer books.Close()
	return c.probe(ctx, c.stderr, books)
}

// keepToken writes the token to a new file, or to stdout.
func (c *cli) keepToken(name string, token secret.String) error {
	if name == "" {
		_, err := fmt.Fprintln(c.stdout, token.Reveal())
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, token.Reveal())
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		fmt.Fprintln(c.stdout, token.Reveal()) // it exists only here
		return &exitError{code: codeUsage, err: fmt.Errorf("keeping the refresh token: %w; it was written to standard output instead", err)}
	}
	fmt.Fprintf(c.stderr, "the refresh token is in %s\n", name)
	return nil
}

func (c *cli) authTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test ORGANIZATION",
		Short: "Show that an organisation's credentials work",
		Long: `Gets an access token and reads one row of everything that booksync reads: seven calls, one token request at most
(Zoho allows 10 in 10 minutes). Scopes for writing cannot be tried without writing. Where Redis is configured the
shared token and the shared budget are used; else this command's own.`,
		Example: `  booksync auth test acme`,
		Args:    args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			cfg, err := c.loadOrganization(a[0])
			if err != nil {
				return err
			}
			books, closeBooks, err := c.openBooks(cmd.Context(), cfg, a[0])
			if err != nil {
				return err
			}
			defer closeBooks()
			return c.probe(access.Operator(cmd.Context()), c.stdout, books)
		},
	}
}

// openBooks opens one organisation's books with the shared budget when Redis is fully configured, else without.
func (c *cli) openBooks(ctx context.Context, cfg *config.Config, name string) (*zohobooks.Client, func(), error) {
	if cfg.Organizations[name].RefreshToken.IsZero() {
		return nil, nil, &exitError{code: codeUsage, err: fmt.Errorf("organizations.%s.refresh_token: empty; get one with `booksync auth login %s`", name, name)}
	}
	if cfg.Validate(config.NeedRedis) != nil {
		fmt.Fprintln(c.stderr, "Redis is not configured: without the shared token and budget")
		books, err := zohobooks.New(cfg.BooksConfig(name))
		if err != nil {
			return nil, nil, &exitError{code: codeUsage, err: err}
		}
		return books, books.Close, nil
	}
	store, err := access.OpenStore(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return nil, nil, unavailable(err)
	}
	books, err := store.Books(name)
	if err != nil {
		store.Close()
		return nil, nil, &exitError{code: codeUsage, err: err}
	}
	return books, func() { books.Close(); store.Close() }, nil
}

// probe tries the reads and says what they show.
func (c *cli) probe(ctx context.Context, w io.Writer, books *zohobooks.Client) error {
	org, probes := login.Try(ctx, books)
	if org != nil {
		fmt.Fprintf(w, "organisation %s: %q, %s, %s\n", org.OrganizationID, org.Name, org.CurrencyCode, org.TimeZone)
	}
	var refused, unknown int
	for _, p := range probes {
		switch {
		case p.Err == nil:
			fmt.Fprintf(w, "  ok       %s\n", p.Scope)
		case p.Refused:
			refused++
			fmt.Fprintf(w, "  refused  %s: %v\n", p.Scope, p.Err)
			printHint(w, p.Err)
		default:
			unknown++
			fmt.Fprintf(w, "  unknown  %s: %v\n", p.Scope, p.Err)
			printHint(w, p.Err)
		}
	}
	switch {
	case refused > 0:
		return failed("%s refused", plural(refused, "read"))
	case unknown > 0:
		return unavailable(errors.New("the credentials could not be tried"))
	}
	return nil
}

func printHint(w io.Writer, err error) {
	if hint := login.Hint(err); hint != "" {
		fmt.Fprintf(w, "           -> %s\n", hint)
	}
}

func (c *cli) authRevokeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke ORGANIZATION",
		Short: "Make an organisation's refresh token invalid",
		Long: `Tells Zoho that the configured refresh token, and every access token got with it, is no longer valid. A running
booksync then stops calling for this organisation, and dead-letters nothing, until it is given a new token.`,
		Example: `  booksync auth revoke acme --yes`,
		Args:    args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			cfg, err := c.loadOrganization(a[0])
			if err != nil {
				return err
			}
			if cfg.Organizations[a[0]].RefreshToken.IsZero() {
				return &exitError{code: codeUsage, err: fmt.Errorf("organizations.%s.refresh_token: empty", a[0])}
			}
			if !yes {
				return usage(cmd, "nothing was revoked: say --yes")
			}
			if err := zohobooks.Revoke(cmd.Context(), cfg.BooksConfig(a[0])); err != nil {
				return credentialError(err)
			}
			fmt.Fprintf(c.stdout, "the refresh token of %s is revoked\n", a[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really revoke it")
	return cmd
}

// credentialError says what to do, and whether it is an outage.
func credentialError(err error) error {
	if hint := login.Hint(err); hint != "" {
		err = fmt.Errorf("%w; %s", err, hint)
	}
	var auth *zohobooks.AuthError
	if errors.As(err, &auth) && !auth.Permanent {
		return unavailable(err)
	}
	return &exitError{code: codeFailed, err: err}
}
