package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/schemas"
)

// scopeFlags say what pause and resume concern, and on whose account.
type scopeFlags struct {
	operation
	scope control.Scope
	all   bool
	owner string
}

func (f *scopeFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.scope.Workflow, "workflow", "", "only this workflow: order, payment or refund")
	fs.StringVar(&f.scope.Organization, "organization", "", "only this organisation")
	fs.BoolVar(&f.all, "all", false, "every workflow of every organisation")
	fs.StringVar(&f.owner, "owner", control.People, "on whose account: people share one")
	f.signed(cmd)
}

// check refuses scopes that say nothing or name what isn't configured.
func (f *scopeFlags) check(cmd *cobra.Command, cfg *config.Config) error {
	named := f.scope != control.Scope{}
	switch {
	case f.all == named:
		return usage(cmd, "say what: --workflow, --organization or both; or --all")
	case f.scope.Workflow != "" && !slices.Contains(control.Workflows, f.scope.Workflow):
		return usage(cmd, fmt.Sprintf("no workflow %q: there are %s", f.scope.Workflow, strings.Join(control.Workflows, ", ")))
	case f.scope.Organization != "" && !slices.Contains(cfg.OrganizationNames(), f.scope.Organization):
		return usage(cmd, fmt.Sprintf("no organisation %q in the configuration: there are %s", f.scope.Organization, strings.Join(cfg.OrganizationNames(), ", ")))
	}
	return nil
}

func (f *scopeFlags) by() control.Owner { return control.Owner{Name: f.owner, Actor: f.who()} }

func (c *cli) pauseCommand() *cobra.Command {
	var f scopeFlags
	cmd := &cobra.Command{
		Use:   "pause (--workflow W | --organization O | --all) --reason WHY",
		Short: "Pause a workflow, an organisation or everything, on all replicas",
		Long: `Pauses work on all replicas at once. It acts immediately, without --apply: when it has returned, no write to the
books leaves for the paused work later than one second after. Calls that have left by then are finished.

Records of paused work wait in Kafka, parked with the reason "paused"; nothing is dead-lettered and no deadline
runs. Work that is not paused goes on, but records of one partition share its room: after
engine.max_parked_per_partition records have been parked the partition waits as a whole.

The pause stays until it is lifted, over restarts and deployments. 'booksync status' shows it. It is kept in Redis;
while Redis is away the replicas keep to the last known state, and put it back should Redis have lost it.`,
		Example: `  booksync pause --workflow order --reason "wrong tax mapping since 10:40"
  booksync pause --organization acme --reason "books are being closed" --actor ann
  booksync pause --all --reason "incident 4711"`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(0)
			if err != nil {
				return err
			}
			if err := f.check(cmd, cfg); err != nil {
				return err
			}
			if f.reason == "" {
				return usage(cmd, "--reason is needed: others will want to know")
			}
			return c.pause(cmd.Context(), cfg, &f)
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) pause(ctx context.Context, cfg *config.Config, f *scopeFlags) error {
	store, done, err := c.switches(ctx, cfg)
	if err != nil {
		return err
	}
	defer done()
	p, err := control.Pause(ctx, store, f.scope, f.reason, f.by())
	if err != nil {
		return unavailable(err)
	}
	if f.asJSON {
		if err := c.printJSON(p); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.stdout, "paused   %s since %s: %s\n", p.Scope, p.Since.Format(time.RFC3339), p.Reason)
	}
	return c.audit(ctx, cfg, schemas.AuditEntry{
		Actor: f.who(), Action: "pause", Organization: f.scope.Organization, Workflow: f.scope.Workflow, Selector: p.Scope.String(), Reason: f.reason,
		Details: map[string]string{"owner": f.owner},
	})
}

func (c *cli) resumeCommand() *cobra.Command {
	var f scopeFlags
	var force bool
	cmd := &cobra.Command{
		Use:   "resume (--workflow W | --organization O | --all)",
		Short: "Let paused work go on",
		Long: `Lifts the pause of exactly what is named; --all lifts every pause. What was parked goes on at once, in order.

Pauses have owners. People share one, so anybody lifts what somebody paused by hand; a rollback's pause is its own
and ends with the rollback. --force lifts those, too: only when you know that the rollback will not go on.

Work that another pause still holds does not go on: those pauses are listed, and the exit code is 1.`,
		Example: `  booksync resume --workflow order --reason "mapping corrected"
  booksync resume --all
  booksync resume --workflow order --owner rollback:7QX2 --force`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(0)
			if err != nil {
				return err
			}
			if err := f.check(cmd, cfg); err != nil {
				return err
			}
			return c.resume(cmd.Context(), cfg, &f, force)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "lift the pauses of other owners, too")
	return cmd
}

func (c *cli) resume(ctx context.Context, cfg *config.Config, f *scopeFlags, force bool) error {
	store, done, err := c.switches(ctx, cfg)
	if err != nil {
		return err
	}
	defer done()
	var got control.Resumed
	if f.all {
		got, err = control.ResumeAll(ctx, store, f.by(), force)
	} else {
		got, err = control.Resume(ctx, store, f.scope, f.by(), force)
	}
	notYours := errors.Is(err, control.ErrNotYours)
	if err != nil && !notYours {
		return unavailable(err)
	}
	if f.asJSON {
		got.Lifted, got.Remaining = append([]control.Paused{}, got.Lifted...), append([]control.Paused{}, got.Remaining...) // never null
		if err := c.printJSON(got); err != nil {
			return err
		}
	} else {
		c.printResumed(f.scope, got)
	}
	if len(got.Lifted) > 0 {
		details := map[string]string{"owner": f.owner}
		for i, p := range got.Lifted {
			details[fmt.Sprintf("lifted.%d", i+1)] = fmt.Sprintf("%s, paused by %s (%s) since %s: %s", p.Scope, p.Actor, p.Owner, p.Since.Format(time.RFC3339), p.Reason)
		}
		if err := c.audit(ctx, cfg, schemas.AuditEntry{
			Actor: f.who(), Action: "resume", Organization: f.scope.Organization, Workflow: f.scope.Workflow, Selector: f.scope.String(), Reason: f.reason,
			Counts: map[string]int64{"lifted": int64(len(got.Lifted))}, Details: details,
		}); err != nil {
			return err
		}
	}
	switch {
	case notYours:
		return failed("%w: it ends by itself, or with --force", err)
	case len(got.Remaining) > 0:
		return failed("some of it is still paused")
	}
	return nil
}

func (c *cli) printResumed(scope control.Scope, got control.Resumed) {
	for _, p := range got.Lifted {
		fmt.Fprintf(c.stdout, "resumed  %s, paused since %s by %s: %s\n", p.Scope, p.Since.Format(time.RFC3339), p.Actor, p.Reason)
	}
	if len(got.Lifted) == 0 && len(got.Remaining) == 0 {
		fmt.Fprintf(c.stdout, "nothing to resume: %s is not paused\n", scope)
	}
	for _, p := range got.Remaining {
		fmt.Fprintf(c.stdout, "paused   %s since %s by %s (owner %s): %s\n", p.Scope, p.Since.Format(time.RFC3339), p.Actor, p.Owner, p.Reason)
	}
}

// switches opens what is paused; the returned function closes it.
func (c *cli) switches(ctx context.Context, cfg *config.Config) (*redis.Switches, func(), error) {
	store, err := access.OpenStore(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return nil, nil, unavailable(err)
	}
	return redis.NewSwitches(store.Client, cfg.Kafka.Group), store.Close, nil
}

// auditPatience bounds writing an audit entry: what it tells of was done already.
const auditPatience = 5 * time.Second

// audit writes an entry about what was done. Its error says that the action stands although the trail lacks it.
func (c *cli) audit(ctx context.Context, cfg *config.Config, e schemas.AuditEntry) error {
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	err := func() error {
		codec, err := access.Codec(cfg)
		if err != nil {
			return err
		}
		defer codec.Close()
		client, err := access.Producer(cfg)
		if err != nil {
			return err
		}
		defer client.Close()
		return audit.New(codec, cfg.Topics.Audit, telemetry.Version()).Write(ctx, client, e)
	}()
	if err != nil {
		return unavailable(fmt.Errorf("%s: it stands, but %s lacks its entry: %w", e.Action, cfg.Topics.Audit, err))
	}
	return nil
}
