package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/schemas"
)

// theOrganization is the one that is named, or the only one.
func theOrganization(cmd *cobra.Command, cfg *config.Config, name string) (string, error) {
	names := cfg.OrganizationNames()
	if name == "" && len(names) == 1 {
		return names[0], nil
	}
	for _, n := range names {
		if n == name {
			return n, nil
		}
	}
	if name == "" {
		return "", usage(cmd, "name one with --organization: "+strings.Join(names, ", "))
	}
	return "", usage(cmd, fmt.Sprintf("--organization %s is not configured: %s", name, strings.Join(names, ", ")))
}

// bench is what the finance commands work with.
type bench struct {
	cfg   *config.Config
	name  string
	store *access.Store
	books *zohobooks.Client
	codec *schemas.Codec
	close func()
}

// openBench opens Redis, the codec and the organisation's books.
func (c *cli) openBench(ctx context.Context, cmd *cobra.Command, organization string) (*bench, error) {
	cfg, err := c.load(config.NeedAll)
	if err != nil {
		return nil, err
	}
	d := &bench{cfg: cfg}
	if d.name, err = theOrganization(cmd, cfg, organization); err != nil {
		return nil, err
	}
	if d.codec, err = access.Codec(cfg); err != nil {
		return nil, &exitError{code: codeUsage, err: err}
	}
	if d.store, err = access.OpenStore(ctx, cfg, c.accessOptions(cfg)); err != nil {
		d.codec.Close()
		return nil, unavailable(err)
	}
	if d.books, err = d.store.Books(d.name); err != nil {
		d.store.Close()
		d.codec.Close()
		return nil, &exitError{code: codeUsage, err: err}
	}
	d.close = func() {
		d.books.Close()
		d.store.Close()
		d.codec.Close()
	}
	return d, nil
}

func (d *bench) deps() reconcile.Deps {
	return reconcile.Deps{Config: d.cfg, Codec: d.codec, Books: d.books, Budget: d.store.Budget.State}
}

// stages shows one meter after another.
type stages struct {
	c    *cli
	name string
	done int64
	bar  *progressbar.ProgressBar
}

func (c *cli) stages() *stages { return &stages{c: c} }

func (s *stages) at(name string, done, total int64) {
	if name != s.name {
		s.finish()
		if total == 0 {
			total = -1
		}
		s.name, s.done, s.bar = name, 0, s.c.meter(total, name)
	}
	_ = s.bar.Add64(done - s.done)
	s.done = done
}

func (s *stages) finish() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
	s.bar, s.name = nil, ""
}
