package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/configdiff"
)

func (c *cli) configDiffCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say in words what a change of the configuration changes, and for whom",
		Long: `Compares two configuration files and says in words what changes, and which workflows of which organisations it
touches. Settings that a file leaves out have their defaults; the environment and --set are not looked at. Secrets
are compared and not shown; files that hold secrets need not be there.

Each organisation's mapping has a hash, which every outcome carries in config_hash: the hashes of both mappings are
printed, so that what was posted under a bad one can be found and rolled back by it.

Exit code 0 if nothing differs, 1 if something does, 2 if a file cannot be read.`,
		Example: `  booksync config diff booksync.yaml booksync.new.yaml
  git show HEAD~1:deploy/booksync.yaml > old.yaml; booksync config diff old.yaml deploy/booksync.yaml --json`,
		Args: args(2),
		RunE: func(_ *cobra.Command, a []string) error {
			var both [2]*config.Config
			for i, name := range a {
				cfg, err := config.LoadForReading(name)
				if err != nil {
					return &exitError{code: codeUsage, err: err}
				}
				both[i] = cfg
			}
			d := configdiff.Compare(both[0], both[1])
			if asJSON {
				if err := c.printJSON(d); err != nil {
					return err
				}
			} else {
				c.printDiff(d)
			}
			if !d.Equal {
				return failed("the configurations differ: %s", plural(len(d.Changes), "change"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) printDiff(d configdiff.Diff) {
	for _, o := range d.Organizations {
		c.printDiffOf(d, o)
	}
	c.printChanges(d, "", "service")
	if d.Equal {
		fmt.Fprintln(c.stdout, "nothing differs")
	}
}

func (c *cli) printDiffOf(d configdiff.Diff, o configdiff.Organization) {
	title := fmt.Sprintf("organisation %s: mapping %s, unchanged", o.Name, o.OldHash)
	switch {
	case o.OldHash == "":
		title = fmt.Sprintf("organisation %s: new, mapping %s", o.Name, o.NewHash)
	case o.NewHash == "":
		title = fmt.Sprintf("organisation %s: gone, its mapping was %s", o.Name, o.OldHash)
	case o.OldHash != o.NewHash:
		title = fmt.Sprintf("organisation %s: mapping %s -> %s", o.Name, o.OldHash, o.NewHash)
	}
	if len(o.Touched) > 0 {
		title += "; touches " + strings.Join(o.Touched, ", ")
	}
	c.printChanges(d, o.Name, title)
}

func (c *cli) printChanges(d configdiff.Diff, organization, title string) {
	first := true
	if organization != "" {
		fmt.Fprintln(c.stdout, title)
		first = false
	}
	for _, ch := range d.Changes {
		if ch.Organization != organization {
			continue
		}
		if first {
			fmt.Fprintln(c.stdout, title)
			first = false
		}
		fmt.Fprintf(c.stdout, "  %s: %s -> %s\n", ch.Path, shownValue(ch.Old), shownValue(ch.New))
		who := strings.Join(ch.Workflows, ", ")
		if who == "" {
			who = "no workflow"
		}
		fmt.Fprintf(c.stdout, "      %s: %s\n", who, ch.Meaning)
	}
}

// shownValue is a value for people; one that isn't there is said so.
func shownValue(v string) string {
	const most = 100
	switch {
	case v == "":
		return "(none)"
	case len(v) > most:
		return v[:most] + "..."
	}
	return v
}
