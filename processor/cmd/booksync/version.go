package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/telemetry"
)

func (c *cli) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  args(0),
		RunE: func(*cobra.Command, []string) error {
			b := telemetry.BuildInfo()
			if asJSON {
				return json.NewEncoder(c.stdout).Encode(b)
			}
			fmt.Fprintf(c.stdout, "booksync %s\n", b.Version)
			if b.Revision != "" {
				modified := ""
				if b.Modified {
					modified = ", modified"
				}
				fmt.Fprintf(c.stdout, "revision %s of %s%s\n", b.Revision, b.Time, modified)
			}
			fmt.Fprintln(c.stdout, b.Go)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
