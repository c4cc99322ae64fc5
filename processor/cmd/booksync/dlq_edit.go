package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/operator/dlq"
)

func (c *cli) dlqEditCommand() *cobra.Command {
	var op operation
	var patch, event string
	var force bool
	cmd := &cobra.Command{
		Use:   "edit ID --patch FILE|-",
		Short: "Mend the event of one dead letter and send it back",
		Long: `Applies a JSON patch (RFC 6902) to the decoded event, checks it as 'booksync explain' does, encodes it with the
newest schema and sends it to the source topic in place of the event that failed. The field names are those that
'booksync dlq show' prints. The dead letter keeps the event as it was, and counts as done with.

What cannot be decoded has nothing to patch: --event gives the whole event as JSON, as 'booksync produce' takes it.

Organisation, business id and order id must stay as they are, and the mended event must pass the checks; --force
sends it all the same.`,
		Example: `  booksync dlq edit orders/0/42 --patch fix.json
  echo '[{"op":"replace","path":"/lines/0/taxes/0/code","value":"vat20"}]' |
    booksync dlq edit orders/0/42 --patch - --apply --reason 'code misspelt by the shop'
  booksync dlq edit payments/1/7 --event payment.json --apply --reason 'bytes were broken'`,
		Args: args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			if (patch == "") == (event == "") {
				return usage(cmd, "want one of --patch and --event")
			}
			if err := op.check(cmd); err != nil {
				return err
			}
			return dlqError(c.dlqEdit(cmd, a[0], patch, event, op, force))
		},
	}
	op.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&patch, "patch", "", "`FILE` (- for stdin) with the JSON patch")
	f.StringVar(&event, "event", "", "`FILE` (- for stdin) with the whole event as JSON")
	f.BoolVar(&force, "force", false, "send it although it is another transaction, or would be rejected")
	return cmd
}

func (c *cli) dlqEdit(cmd *cobra.Command, idText, patch, event string, op operation, force bool) error {
	req := &dlq.EditRequest{Actor: op.who(), Reason: op.reason, Apply: op.apply, Force: force}
	var err error
	if patch != "" {
		req.Patch, err = c.readAll(patch)
	} else {
		req.Event, err = c.readAll(event)
	}
	if err != nil {
		return err
	}
	desk, closeDesk, err := c.desk(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer closeDesk()
	if req.ID, err = desk.ParseID(idText); err != nil {
		return usage(cmd, err.Error())
	}
	req.Selector = req.ID.String()
	e, err := desk.Edit(cmd.Context(), req)
	if e == nil || len(e.After) == 0 {
		return err
	}
	var werr error
	if op.asJSON {
		werr = c.printJSON(struct {
			*dlq.Edited
			Plan any `json:"plan,omitempty"`
		}{e, e.Plan.Value})
	} else {
		werr = writeEdited(c.stdout, e, err)
	}
	if err == nil {
		err = werr
	}
	return err
}

// readAll reads a file that is no longer than an event can be.
func (c *cli) readAll(name string) ([]byte, error) {
	in, closeIn, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer closeIn()
	text, err := io.ReadAll(io.LimitReader(in, longestLine))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return text, nil
}

func writeEdited(w io.Writer, e *dlq.Edited, err error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s %s\n", e.Letter.ID, plain(e.Letter.Class), plain(e.Letter.Workflow), plain(e.Letter.BusinessID))
	if len(e.Before) == 0 {
		section(&b, "the whole event", e.After)
	} else {
		b.WriteString("\nchanges\n")
		for _, ch := range e.Changes {
			fmt.Fprintf(&b, "  %s: %s -> %s\n", plain(ch.Path), value(ch.Before), value(ch.After))
		}
	}
	if e.Plan.Text != "" {
		fmt.Fprintf(&b, "\n%s", e.Plan.Text)
	}
	switch {
	case err != nil:
		b.WriteString("\nnothing was changed\n")
	case e.Applied:
		fmt.Fprintf(&b, "\nsent to %s with key %s: %s %s\naction %s, in the audit topic\n", e.Letter.Source.Topic, plain(e.Key), e.Fate.Kind, plain(e.Fate.Text), e.Action)
	default:
		fmt.Fprintf(&b, "\nwould be sent to %s with key %s: %s %s\nnothing was changed: --apply acts\n", e.Letter.Source.Topic, plain(e.Key), e.Fate.Kind, plain(e.Fate.Text))
	}
	_, werr := io.WriteString(w, b.String())
	return werr
}

// value is a field's as JSON has it.
func value(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}
