package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/telemetry"
)

func (c *cli) reconcileIgnoreCommand() *cobra.Command {
	var o reconcileOptions
	var undo bool
	cmd := &cobra.Command{
		Use:   "ignore ID",
		Short: "Accept an exception",
		Long: `Accepts an exception under the id that ` + "`reconcile`" + ` prints: from then on it is counted as ignored, with who and
why. The id holds what differs, so that another difference on the same transaction is a new exception. It is
kept in the audit topic. --undo takes it back.`,
		Example: `  booksync reconcile ignore order:O1~1a2b3c4d --reason "agreed with the auditor"
  booksync reconcile ignore order:O1~1a2b3c4d --undo --reason "was a mistake"`,
		Args: args(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if o.reason == "" {
				return usage(cmd, "say why with --reason: it goes to the audit topic")
			}
			return c.reconcileIgnore(cmd, &o, ids[0], undo)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.organization, "organization", "", "`name` of the organisation (default the only one)")
	f.StringVar(&o.actor, "actor", "", "`who` accepts it (default the user's name)")
	f.StringVar(&o.reason, "reason", "", "`why`; required")
	f.BoolVar(&undo, "undo", false, "count it as an exception again")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) reconcileIgnore(cmd *cobra.Command, o *reconcileOptions, id string, undo bool) error {
	cfg, err := c.load(config.NeedKafka | config.NeedOrganizations)
	if err != nil {
		return err
	}
	name, err := theOrganization(cmd, cfg, o.organization)
	if err != nil {
		return err
	}
	entry, err := reconcile.IgnoreEntry(name, id, o.who(), o.reason, undo)
	if err != nil {
		return usage(cmd, err.Error())
	}
	codec, err := access.Codec(cfg)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	defer codec.Close()
	client, err := access.Producer(cfg)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	defer client.Close()
	if err := audit.New(codec, cfg.Topics.Audit, telemetry.Version()).Write(cmd.Context(), client, entry); err != nil {
		return unavailable(err)
	}
	if o.asJSON {
		return c.printJSON(struct {
			ID      string `json:"id"`
			Ignored bool   `json:"ignored"`
			Actor   string `json:"actor"`
			Reason  string `json:"reason"`
		}{id, !undo, o.who(), o.reason})
	}
	word := "is ignored from now on"
	if undo {
		word = "counts again"
	}
	_, err = fmt.Fprintf(c.stdout, "%s %s\n", id, word)
	return err
}
