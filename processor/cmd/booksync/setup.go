package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/setup"
)

type setupOptions struct {
	apply, check, asJSON bool
	snapshot             string
	skip                 []string
	prove, account       string
}

func (c *cli) setupCommand() *cobra.Command {
	var o setupOptions
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Look at everything booksync needs, and make what is missing",
		Long: `Looks at topics, schemas, credentials and scopes, organisation, time zone, taxes, accounts, items, currencies,
locks, rounding and custom fields; says what is wrong and how to mend it. Nothing is changed without --apply,
and never what is already there: --apply creates missing topics that booksync writes, registers its schemas, and
creates its custom fields in Zoho. About 16 calls per organisation, within the shared budget.

Taxes, tax groups and exemptions that no code is mapped to are listed, with a mapping of them as YAML to paste.

--snapshot FILE keeps what was found, once nothing is wrong. --check compares with that file: a tax that was
dropped, an account made inactive, a unique field that is not unique any more; for pipelines.

--prove ORGANIZATION shows in a test organisation (live: false) that Zoho refuses a second document with the same
key, and with what code: it makes a contact, an invoice, a payment and a credit note and deletes them again.

Exit code 1 if something is wrong, 3 if something could not be looked at.`,
		Example: `  booksync setup --config booksync.yaml
  booksync setup --apply --snapshot booksync.setup.json
  booksync setup --check --snapshot booksync.setup.json --json
  booksync setup --prove sandbox --account 460000000000388`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.check && o.snapshot == "":
				return usage(cmd, "--check compares with a file: name it with --snapshot")
			case o.check && o.apply:
				return usage(cmd, "--check changes nothing: it does not go with --apply")
			}
			for _, area := range o.skip {
				if !slices.Contains([]string{"kafka", "registry", "books"}, area) {
					return usage(cmd, fmt.Sprintf("--skip %s: want kafka, registry or books", area))
				}
			}
			if o.prove != "" {
				return c.prove(cmd.Context(), cmd, o)
			}
			return c.setup(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.apply, "apply", false, "make what is missing")
	f.BoolVar(&o.check, "check", false, "compare with the snapshot")
	f.StringVar(&o.snapshot, "snapshot", "", "`file` to keep what was found in, or to compare with")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	f.StringSliceVar(&o.skip, "skip", nil, "`areas` to leave out: kafka, registry, books")
	f.StringVar(&o.prove, "prove", "", "test `organization` to prove the unique fields in")
	f.StringVar(&o.account, "account", "", "income account `id` for --prove")
	return cmd
}

func (c *cli) setup(ctx context.Context, o setupOptions) error {
	need := config.NeedAll
	if slices.Contains(o.skip, "books") {
		need = config.NeedKafka
	} else if slices.Contains(o.skip, "kafka") && slices.Contains(o.skip, "registry") {
		need = config.NeedRedis | config.NeedOrganizations
	}
	cfg, err := c.load(need)
	if err != nil {
		return err
	}
	opts := setup.Options{Apply: o.apply, Skip: o.skip}
	if o.check {
		if opts.Before, err = setup.ReadSnapshot(o.snapshot); err != nil {
			return &exitError{code: codeUsage, err: err}
		}
	}
	deps, closeDeps, err := c.setupDeps(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer closeDeps()
	report, err := setup.Run(access.Operator(ctx), cfg, deps, opts)
	if err != nil {
		return err
	}
	if err := c.printReport(report, o.asJSON); err != nil {
		return err
	}
	if err := verdict(report); err != nil || o.check || o.snapshot == "" {
		return err
	}
	return report.Snapshot.Write(o.snapshot)
}

// setupDeps opens what is not skipped.
func (c *cli) setupDeps(ctx context.Context, cfg *config.Config, o setupOptions) (deps setup.Deps, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for _, f := range slices.Backward(closers) {
			f()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	if !slices.Contains(o.skip, "kafka") {
		admin, err := access.Admin(cfg)
		if err != nil {
			return deps, nil, &exitError{code: codeUsage, err: err}
		}
		closers = append(closers, admin.Close)
		deps.Cluster = admin
	}
	if !slices.Contains(o.skip, "registry") && len(cfg.SchemaRegistry.URLs) > 0 {
		codec, err := access.Codec(cfg)
		if err != nil {
			return deps, nil, &exitError{code: codeUsage, err: err}
		}
		closers = append(closers, codec.Close)
		deps.Registry = codec
	}
	if slices.Contains(o.skip, "books") {
		return deps, closeAll, nil
	}
	store, err := access.OpenStore(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		deps.StoreErr = err
		return deps, closeAll, nil
	}
	closers = append(closers, store.Close)
	deps.Books = func(name string) (setup.Books, error) { return store.Books(name) }
	return deps, closeAll, nil
}

func (c *cli) printReport(r *setup.Report, asJSON bool) error {
	if !asJSON {
		return r.WriteText(c.stdout)
	}
	bad, unknown := r.Problems()
	enc := json.NewEncoder(c.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		*setup.Report
		Problems int `json:"problems"`
		Unknown  int `json:"unknown"`
	}{r, bad, unknown})
}

// verdict is the report's exit code.
func verdict(r *setup.Report) error {
	switch bad, unknown := r.Problems(); {
	case bad > 0:
		return failed("%s", plural(bad, "problem"))
	case unknown > 0:
		return unavailable(fmt.Errorf("%s could not be looked at", plural(unknown, "thing")))
	}
	return nil
}

func (c *cli) prove(ctx context.Context, cmd *cobra.Command, o setupOptions) error {
	if o.account == "" || strings.Trim(o.account, "0123456789") != "" {
		return usage(cmd, "--prove needs an income account of that organisation: --account ID")
	}
	cfg, err := c.loadOrganization(o.prove)
	if err != nil {
		return err
	}
	books, closeBooks, err := c.openBooks(ctx, cfg, o.prove)
	if err != nil {
		return err
	}
	defer closeBooks()
	report, err := setup.Prove(access.Operator(ctx), o.prove, cfg.Organizations[o.prove], books, o.account)
	if errors.Is(err, setup.ErrLive) {
		return &exitError{code: codeUsage, err: err}
	}
	if report != nil {
		if perr := c.printReport(report, o.asJSON); perr != nil {
			return perr
		}
	}
	if err != nil {
		return err
	}
	return verdict(report)
}
