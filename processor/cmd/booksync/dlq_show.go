package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/operator/dlq"
)

func (c *cli) dlqShowCommand() *cobra.Command {
	var raw, asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything about one dead letter",
		Long: `Prints why it was rejected, its headers and decoded event, the claim of its transaction with the steps that were
done, the outcome published with it, other dead letters of the same record, and what would become of it if it were
replayed now: the arithmetic and the requests, as 'booksync explain' has them.

--raw writes the value's bytes to stdout and nothing else.`,
		Example: `  booksync dlq show orders/0/42
  booksync dlq show commerce.refunds.dlq/3/118 --json | jq .event
  booksync dlq show orders/0/42 --raw > value.avro`,
		Args: args(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			if raw && asJSON {
				return usage(cmd, "--raw and --json are two formats: choose one")
			}
			desk, closeDesk, err := c.desk(cmd.Context(), !raw)
			if err != nil {
				return err
			}
			defer closeDesk()
			id, err := desk.ParseID(a[0])
			if err != nil {
				return usage(cmd, err.Error())
			}
			v, err := desk.Show(cmd.Context(), id)
			if err != nil {
				return dlqError(err)
			}
			switch {
			case raw:
				_, err = c.stdout.Write(v.Value)
			case asJSON:
				err = c.printJSON(struct {
					*dlq.Shown
					Plan any `json:"plan,omitempty"`
				}{v, v.Plan.Value})
			default:
				err = writeShown(c.stdout, v)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write the value's bytes only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// writeShown prints a dead letter for people.
func writeShown(w io.Writer, v *dlq.Shown) error {
	var b strings.Builder
	l := &v.Letter
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-14s %s\n", name, plain(value))
		}
	}
	field("id", l.ID.String())
	state := string(v.State)
	if m := v.Mark; m != nil {
		state += fmt.Sprintf(" by %s at %s: %s (action %s)", m.Actor, m.At.Format(time.RFC3339), m.Reason, m.Action)
	}
	field("state", state)
	field("class", l.Class)
	field("message", l.Message)
	field("retryable", l.Retryable)
	field("stage", l.Stage)
	if l.HTTPStatus+l.Code != "" {
		field("zoho", strings.TrimSpace("status "+plainOr(l.HTTPStatus)+", code "+plainOr(l.Code)))
	}
	field("workflow", l.Workflow)
	field("organization", l.Organization)
	field("business id", l.BusinessID)
	field("key", l.Key)
	field("failed at", l.FailedAt.Format(time.RFC3339))
	attempts := fmt.Sprintf("%d", l.Attempts)
	if !l.FirstFailed.IsZero() && !l.FirstFailed.Equal(l.FailedAt) {
		attempts += ", the first failed at " + l.FirstFailed.Format(time.RFC3339)
	}
	field("attempts", attempts)
	if !l.Source.IsZero() {
		field("record", l.Source.String())
	}
	if l.Replays > 0 {
		field("replayed", fmt.Sprintf("%d times; came first as %s, was last the dead letter %s", l.Replays, l.Origin, l.ReplayOf))
	}
	field("trace", v.TraceID)
	value := fmt.Sprintf("%d bytes", v.Bytes)
	if l.SchemaID != "" {
		value += ", schema id " + l.SchemaID
	}
	if v.Restored {
		value = l.Truncated + "; found in the source topic"
	}
	field("value", value)
	for _, h := range v.History {
		field("see also", fmt.Sprintf("%s  %s  %s  %s, %d replays", h.ID, h.FailedAt.Format(time.RFC3339), h.Class, h.State, h.Replays))
	}
	b.WriteString("\nheaders\n")
	for _, h := range v.Headers {
		fmt.Fprintf(&b, "  %s: %s\n", plain(h.Key), plain(h.Value))
	}
	writeClaim(&b, v.Claim)
	section(&b, "event", v.Event)
	if v.Poison != "" {
		fmt.Fprintf(&b, "\nevent\n  cannot be shown: %s\n", plain(v.Poison))
	}
	section(&b, "outcome", v.Outcome)
	fmt.Fprintf(&b, "\nif it were replayed now: %s", v.Outlook.Kind)
	if v.Outlook.Text != "" {
		fmt.Fprintf(&b, ": %s", plain(v.Outlook.Text))
	}
	b.WriteByte('\n')
	b.WriteString(v.Plan.Text)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeClaim(b *strings.Builder, c *dlq.ClaimShown) {
	if c == nil {
		return
	}
	fmt.Fprintf(b, "\nclaim %s %s: %s", c.Role, plain(c.ID), c.State)
	if c.Coordinates != "" {
		fmt.Fprintf(b, ", by %s", c.Coordinates)
	}
	b.WriteByte('\n')
	if c.Step != "" {
		fmt.Fprintf(b, "  last write: %s at %s\n", c.Step, c.Since.UTC().Format(time.RFC3339))
	}
	if len(c.Done) > 0 {
		fmt.Fprintf(b, "  steps done: %s\n", strings.Join(c.Done, ", "))
	}
	for _, d := range c.Documents {
		fmt.Fprintf(b, "  document: %s %s (%s)\n", d.Type, plain(d.Number), d.ID)
	}
	if c.Doubt != "" {
		fmt.Fprintf(b, "  in doubt: %s\n", c.Doubt)
	}
}

// section prints JSON under a heading.
func section(b *strings.Builder, name string, text json.RawMessage) {
	if len(text) == 0 {
		return
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, text, "  ", "  "); err != nil {
		return
	}
	fmt.Fprintf(b, "\n%s\n  %s\n", name, buf.String())
}
