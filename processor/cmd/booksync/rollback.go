package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/operator/rehearsal"
	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/schemas"
)

func (c *cli) rollbackCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "rollback",
		Short: "Take back what was posted: plan, apply, redrive, test",
		Long: `Takes back what booksync posted, in four steps that people can look at in between:

  plan     chooses outcomes, looks at their documents, and writes what would be done to a file; changes nothing
  apply    pauses the organisations concerned and does it, order by order; may be started again where it was cut off
  redrive  puts the source records back, so that a corrected configuration posts them anew
  test     the whole cycle on the simulator, before anybody needs it

Refund entries and applied credits go first, then payments, then credit notes and invoices, which are voided and
never deleted: their numbers stay. What rests on something that is taken back goes with it. Not taken back is what
a person has edited, what lies in a locked period, and what others have paid or credited in Zoho Books: the plan
says which, and why. With 'plan --credit-refused' an invoice that cannot be voided, for its period is locked, its
e-invoice registered, or Zoho Books refuses it, gets a credit note of its total instead.

Every verdict that is taken back gets an outcome REVERSED, with the negative amounts, and its claim is marked: the
same event sent again is a DUPLICATE, a replay or other content posts again. Nothing posts again by itself.`,
	}, c.rollbackPlanCommand(), c.rollbackApplyCommand(), c.rollbackRedriveCommand(), c.rollbackTestCommand())
}

type planOptions struct {
	since, until string
	ids          string
	sel          rollback.Selector
	out          string
	all, asJSON  bool

	creditRefused bool
}

func (c *cli) rollbackPlanCommand() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Choose what is to be taken back, and see what that means",
		Long: `Reads the outcome topic for what was posted and selected, and the documents concerned in Zoho Books, one to three
calls each, in the lowest class. Writes the plan to the file given with --out, for people to read and approve and
for 'rollback apply'. Changes nothing.

Exit code 1 if something selected cannot be taken back; the rest of the plan can be applied.`,
		Example: `  booksync rollback plan --since 2026-11-20T10:40:00Z --workflow order --out wrong-tax.json
  booksync rollback plan --config-hash 3f9c0a1b --organization acme --out wrong-tax.json
  booksync rollback plan --ids O-1001,O-1002 --out two.json --json`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.parse(cmd, c.stdin); err != nil {
				return err
			}
			cfg, err := c.load(config.NeedAll)
			if err != nil {
				return err
			}
			return c.rollbackPlan(cmd.Context(), cfg, &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.since, "since", "", "settled at or after this `time` (RFC 3339, or a duration ago such as 2h)")
	f.StringVar(&o.until, "until", "", "settled before this `time`")
	f.StringVar(&o.sel.Version, "version", "", "posted by this `version` of booksync")
	f.StringVar(&o.sel.ConfigHash, "config-hash", "", "posted under the mapping with this `hash`, or one beginning with it")
	f.StringVar(&o.sel.Workflow, "workflow", "", "order, payment or refund")
	f.StringVar(&o.sel.Organization, "organization", "", "only this organisation")
	f.StringVar(&o.ids, "ids", "", "`ids` of events, outcomes or documents, comma-separated, or @FILE with one a line")
	f.BoolVar(&o.creditRefused, "credit-refused", false, "take an invoice back by a credit note where it cannot be voided")
	f.BoolVar(&o.all, "all", false, "everything that was ever posted")
	f.StringVarP(&o.out, "out", "o", "", "`file` for the plan; it must not exist")
	f.BoolVar(&o.asJSON, "json", false, "print the plan as JSON")
	return cmd
}

func (o *planOptions) parse(cmd *cobra.Command, stdin io.Reader) error {
	if _, err := os.Lstat(o.out); o.out != "" && err == nil {
		return usage(cmd, o.out+" is there already: a plan is not overwritten")
	}
	for _, t := range []struct {
		flag, value string
		to          *time.Time
	}{{"since", o.since, &o.sel.Since}, {"until", o.until, &o.sel.Until}} {
		at, err := instant(t.value, time.Now())
		if err != nil {
			return usage(cmd, fmt.Sprintf("--%s: %v", t.flag, err))
		}
		*t.to = at
	}
	if w := o.sel.Workflow; w != "" && !slices.Contains(control.Workflows, w) {
		return usage(cmd, fmt.Sprintf("no workflow %q: there are %s", w, strings.Join(control.Workflows, ", ")))
	}
	ids, err := idList(o.ids, stdin)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	o.sel.IDs = ids
	if o.sel.Empty() != o.all {
		return usage(cmd, "say what is to be taken back: --since, --until, --version, --config-hash, --workflow, --organization or --ids; or --all")
	}
	return nil
}

// idList reads ids: comma-separated, or one a line from a file.
func idList(text string, stdin io.Reader) ([]string, error) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		in := stdin
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return nil, fmt.Errorf("--ids: %w", err)
			}
			defer func() { _ = f.Close() }()
			in = f
		}
		lines, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("--ids: %w", err)
		}
		text = string(lines)
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == '\t' }), nil
}

func (c *cli) rollbackPlan(ctx context.Context, cfg *config.Config, o *planOptions) error {
	site, err := rollback.Open(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return unavailable(err)
	}
	defer site.Close()
	meter := c.meter(-1, "looking at documents")
	plan, err := rollback.Build(access.Operator(ctx), site.Outcomes, site.Books, o.sel, o.creditRefused, telemetry.Version(), func(done, all int) {
		meter.ChangeMax(all)
		_ = meter.Set(done)
	})
	_ = meter.Finish()
	if err != nil {
		return unavailable(err)
	}
	if o.out != "" {
		if err := plan.Write(o.out); err != nil {
			return failed("%w", err)
		}
	}
	if o.asJSON {
		err = c.printJSON(plan)
	} else {
		err = c.printPlan(plan, o.out)
	}
	if err == nil && plan.Totals.Blocked > 0 {
		return failed("%s cannot be taken back", plural(plan.Totals.Blocked, "order"))
	}
	return err
}

// maxShown bounds how many orders a table lists; the file and --json have all.
const maxShown = 20

func (c *cli) printPlan(p *rollback.Plan, file string) error {
	if len(p.Groups) == 0 {
		fmt.Fprintf(c.stdout, "plan %s: nothing that was selected is in the books\n", p.ID)
		return nil
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "ORGANISATION\tORDER\tOUTCOMES\tSTEPS\tCALLS\t\n")
	steps, stay := make(map[string]int), 0
	for i, g := range p.Groups {
		stay += len(g.Stay)
		for _, s := range g.Steps {
			steps[s.Do]++
		}
		if i < maxShown {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\n", g.Organization, g.OrderID, len(g.Outcomes), len(g.Steps), g.Calls, g.Blocked)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := len(p.Groups) - maxShown; n > 0 {
		fmt.Fprintf(c.stdout, "… and %s; --json shows all\n", plural(n, "more order"))
	}
	fmt.Fprintln(c.stdout)
	for _, do := range slices.Sorted(maps.Keys(steps)) {
		fmt.Fprintf(c.stdout, "%6d  %s\n", steps[do], do)
	}
	fmt.Fprintln(c.stdout)
	for _, w := range control.Workflows {
		if n := p.Totals.Workflows[w]; n > 0 {
			fmt.Fprintf(c.stdout, "%6d  taken back of workflow %s\n", n, w)
		}
	}
	if stay > 0 {
		fmt.Fprintf(c.stdout, "%6d  of workflow payment cannot be deleted and stay\n", stay)
	}
	fmt.Fprintf(c.stdout, "\nplan %s: %s of %s (%d not selected, which rest on others), %s; %s cannot be taken back\n", p.ID,
		plural(p.Totals.Outcomes, "outcome"), plural(p.Totals.Groups-p.Totals.Blocked, "order"), p.Totals.Dependent,
		plural(p.Totals.Calls, "call"), plural(p.Totals.Blocked, "order"))
	if file != "" {
		fmt.Fprintf(c.stdout, "nothing was changed; to act: booksync rollback apply %s --apply --reason WHY\n", file)
	} else {
		fmt.Fprintln(c.stdout, "nothing was changed; --out FILE keeps the plan for `booksync rollback apply`")
	}
	return nil
}

// plan reads the plan that a command is to act on.
func (o *operation) plan(cmd *cobra.Command, file string) (*rollback.Plan, error) {
	if err := o.check(cmd); err != nil {
		return nil, err
	}
	plan, err := rollback.Read(file)
	if err != nil {
		return nil, &exitError{code: codeUsage, err: err}
	}
	return plan, nil
}

func (c *cli) rollbackApplyCommand() *cobra.Command {
	var o operation
	cmd := &cobra.Command{
		Use:   "apply PLAN",
		Short: "Take back what a plan says",
		Long: `Pauses the organisations of the plan on its own account (booksync status shows it), then takes back order by order,
deriving the steps anew from what the books hold. Where it was cut off, start it again: nothing is done twice, and
each REVERSED outcome is published once. The pause stays when it is done: mend what was wrong first, then

  booksync rollback redrive PLAN --apply --reason WHY    (to post the same events anew)
  booksync resume --organization O --owner rollback:PLANID

Without --apply it shows what the plan says. Exit code 1 if an order could not be taken back, 3 if the run ended early.`,
		Example: `  booksync rollback apply wrong-tax.json
  booksync rollback apply wrong-tax.json --apply --reason "wrong tax mapping, incident 4711"`,
		Args: args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			plan, err := o.plan(cmd, a[0])
			if err != nil {
				return err
			}
			if !o.apply {
				if o.asJSON {
					return c.printJSON(plan)
				}
				return c.printPlan(plan, a[0])
			}
			cfg, err := c.load(config.NeedAll)
			if err != nil {
				return err
			}
			return c.rollbackApply(cmd.Context(), cfg, plan, &o)
		},
	}
	o.flags(cmd)
	return cmd
}

func (c *cli) rollbackApply(ctx context.Context, cfg *config.Config, plan *rollback.Plan, o *operation) error {
	site, err := rollback.Open(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return unavailable(err)
	}
	defer site.Close()
	owner := control.Owner{Name: "rollback:" + plan.ID, Actor: o.who()}
	for _, name := range plan.Organizations() {
		p, err := control.Pause(ctx, site.Switches(), control.Scope{Organization: name}, o.reason, owner)
		if err != nil {
			return unavailable(err)
		}
		// The trail begins before the books change, and says who took the rollback up should it be cut off.
		if err := c.audit(ctx, cfg, schemas.AuditEntry{
			Actor: o.who(), Action: "pause", Organization: name, Selector: p.Scope.String(), Reason: o.reason,
			Details: map[string]string{"owner": owner.Name, "plan": plan.ID},
		}); err != nil {
			return err
		}
	}
	settled := time.NewTimer(control.TakesEffect)
	defer settled.Stop()
	select { // from then on no write of the service leaves
	case <-settled.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	meter := c.meter(int64(len(plan.Groups)), "taking back")
	var results []rollback.GroupResult
	applied := site.Apply(access.Operator(ctx), plan, telemetry.Version(), func(r rollback.GroupResult) {
		results = append(results, r)
		_ = meter.Add(1)
	})
	_ = meter.Finish()
	counts := make(map[string]int64)
	for _, r := range results {
		counts[r.Result]++
		counts["calls"] += int64(r.Steps)
	}
	if err := c.printResults(plan, results, counts, o.asJSON); err != nil {
		return err
	}
	audited := c.audit(context.WithoutCancel(ctx), cfg, schemas.AuditEntry{
		Actor: o.who(), Action: "rollback.apply", Organization: plan.Selector.Organization, Workflow: plan.Selector.Workflow,
		Selector: plan.Selector.String(), Reason: o.reason, Counts: counts,
		Details: map[string]string{"plan": plan.ID},
	})
	switch bad := counts[rollback.ResultBlocked] + counts[rollback.ResultBusy]; {
	case applied != nil:
		return unavailable(fmt.Errorf("%w: start it again when that is mended", applied))
	case audited != nil:
		return audited
	case bad > 0:
		return failed("%s not taken back", plural(int(bad), "order"))
	}
	return nil
}

func (c *cli) printResults(plan *rollback.Plan, results []rollback.GroupResult, counts map[string]int64, asJSON bool) error {
	if asJSON {
		return c.printJSON(struct {
			Plan    string                 `json:"plan"`
			Counts  map[string]int64       `json:"counts"`
			Results []rollback.GroupResult `json:"results"`
		}{plan.ID, counts, results})
	}
	for _, r := range results {
		if r.Why != "" {
			fmt.Fprintf(c.stdout, "%s  %s  order %s: %s\n", r.Result, r.Organization, r.OrderID, r.Why)
		}
	}
	fmt.Fprintf(c.stdout, "plan %s: %d taken back, %d before, %d blocked, %d busy; %d calls that changed something\n", plan.ID,
		counts[rollback.ResultReversed], counts[rollback.ResultBefore], counts[rollback.ResultBlocked], counts[rollback.ResultBusy], counts["calls"])
	fmt.Fprintln(c.stdout, "what was paused stays paused; when the cause is mended:")
	for _, name := range plan.Organizations() {
		fmt.Fprintf(c.stdout, "  booksync resume --organization %s --owner rollback:%s\n", name, plan.ID)
	}
	return nil
}

func (c *cli) rollbackRedriveCommand() *cobra.Command {
	var o operation
	cmd := &cobra.Command{
		Use:   "redrive PLAN",
		Short: "Put the source records of a plan back, to be posted anew",
		Long: `Writes the records whose verdicts the plan took back to their topics again, as replays, keys, values and headers as
they were, all in one transaction with their audit entry: all of them or none, and once. They are posted anew under
the mapping in force then. Without --apply it only counts them.`,
		Example: `  booksync rollback redrive wrong-tax.json --apply --reason "mapping mended"`,
		Args:    args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			plan, err := o.plan(cmd, a[0])
			if err != nil {
				return err
			}
			cfg, err := c.load(config.NeedAll)
			if err != nil {
				return err
			}
			return c.rollbackRedrive(cmd.Context(), cfg, plan, &o)
		},
	}
	o.flags(cmd)
	return cmd
}

func (c *cli) rollbackRedrive(ctx context.Context, cfg *config.Config, plan *rollback.Plan, o *operation) error {
	site, err := rollback.Open(ctx, cfg, c.accessOptions(cfg))
	if err != nil {
		return unavailable(err)
	}
	defer site.Close()
	trail := audit.New(site.Codec(), cfg.Topics.Audit, telemetry.Version())
	records, missing, err := site.Redrive(ctx, plan, o.apply, func(records, missing int) (*kgo.Record, error) {
		return trail.Record(ctx, schemas.AuditEntry{
			Actor: o.who(), Action: rollback.ActionRedrive, Organization: plan.Selector.Organization, Workflow: plan.Selector.Workflow,
			Selector: plan.Selector.String(), Reason: o.reason,
			Counts: map[string]int64{"records": int64(records), "missing": int64(missing)}, Details: map[string]string{"plan": plan.ID},
		})
	})
	switch {
	case errors.Is(err, rollback.ErrRedriven):
		return failed("%w", err)
	case err != nil:
		return unavailable(err)
	}
	if o.asJSON {
		err = c.printJSON(struct {
			Plan    string `json:"plan"`
			Records int    `json:"records"`
			Missing int    `json:"missing"`
			Applied bool   `json:"applied"`
		}{plan.ID, records, missing, o.apply})
		if err != nil {
			return err
		}
	} else {
		did := "would be put back; to act: --apply --reason WHY"
		if o.apply {
			did = "put back"
		}
		fmt.Fprintf(c.stdout, "%s %s\n", plural(records, "record"), did)
	}
	if missing > 0 {
		return failed("%s not in the source topics any more", plural(missing, "record"))
	}
	return nil
}

func (c *cli) rollbackTestCommand() *cobra.Command {
	opts := rehearsal.Options{Version: telemetry.Version()}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Rehearse the whole cycle on the simulator",
		Long: `Starts a Kafka, a Redis and a Zoho Books simulator in this process, posts a sample of orders, payments and refunds,
takes all of it back, shows that no living document is left and every account is at zero, puts the records back, and
shows that the books are what they were. Needs no configuration, and nothing installed.

Exit code 1 if the books were not as they should be.`,
		Example: `  booksync rollback test
  booksync rollback test --orders 500 --seed 7 --json`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Progress = c.progress()
			opts.Step = func(name string, took time.Duration) { fmt.Fprintf(c.stderr, "%8.3f s  %s\n", took.Seconds(), name) }
			report, err := rehearsal.Run(cmd.Context(), opts)
			if err != nil {
				return fmt.Errorf("rehearsing: %w", err)
			}
			if asJSON {
				err = c.printJSON(report)
			} else {
				fmt.Fprintf(c.stdout, "%s posted; %s of %s taken back with %s; books empty: %t\n%s put back; books as before: %t\n",
					plural(report.Documents, "document"), plural(report.Plan.Outcomes, "outcome"), plural(report.Plan.Groups, "order"),
					plural(report.Plan.Calls, "call"), report.EmptyAfterRollback, plural(report.Redriven, "record"), report.EqualAfterRedrive)
				for _, p := range report.Problems {
					fmt.Fprintln(c.stdout, p)
				}
			}
			if err == nil && !report.OK() {
				return failed("the books were not as they should be")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.IntVar(&opts.Orders, "orders", 100, "`number` of orders; payments and refunds follow from it")
	f.Int64Var(&opts.Seed, "seed", 1, "seed of the sample")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
