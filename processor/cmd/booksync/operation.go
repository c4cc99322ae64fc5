package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// operation is what the operators' commands share: they show what they would do, act with --apply, and leave an audit
// entry that says who did it and why.
type operation struct {
	apply, dryRun, asJSON bool
	actor, reason         string
}

// flags adds --apply, --dry-run, --json, --actor and --reason.
func (o *operation) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.apply, "apply", false, "act; without it the command only shows what it would do")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would be done: what the command does without --apply")
	o.signed(cmd)
}

// signed adds --json, --actor and --reason: for commands that act at once.
func (o *operation) signed(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	f.StringVar(&o.actor, "actor", "", "`who` acts, for the audit topic (default the user's name)")
	f.StringVar(&o.reason, "reason", "", "`why`, for the audit topic")
}

// who is --actor, else the user who runs the process.
func (o *operation) who() string {
	if o.actor != "" {
		return o.actor
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

// check refuses an action without a reason, and one that is none.
func (o *operation) check(cmd *cobra.Command) error {
	switch {
	case o.apply && o.dryRun:
		return usage(cmd, "--apply acts and --dry-run does not: give one of them")
	case o.apply && o.reason == "":
		return usage(cmd, "--apply needs --reason: it goes to the audit topic")
	}
	return nil
}

// printJSON prints one indented JSON value to stdout.
func (c *cli) printJSON(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// meter shows long work on stderr, where that is a terminal, with its rate and the time it still takes; total < 0: not known. Call Add and, at the end, Finish.
func (c *cli) meter(total int64, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(c.stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(500*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetVisibility(isTerminal(c.stderr)))
}

// isTerminal says whether people watch: a bar that is redrawn is noise in a file.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // file descriptors are small
}

// instant reads a time: RFC 3339, a day (UTC), or a length of time before now, such as 2h or 90d. The empty text is the zero time.
func instant(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(n, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(days)).UTC(), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-11-20T10:40:00Z, nor a day such as 2026-11-20, nor a duration ago such as 2h or 90d", text)
}
