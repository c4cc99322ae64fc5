package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/config"
)

func (c *cli) configCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "config",
		Short: "Show and check the configuration",
		Long: `Shows what booksync would run with, checks it, and compares two versions. Nothing is contacted: whether Kafka,
Redis and Zoho agree with it is for 'booksync setup'.`,
	}, c.configPrintCommand(), c.configCheckCommand(), c.configDiffCommand())
}

func (c *cli) configPrintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration as YAML, secrets masked",
		Long: `Prints every setting with the value it has after defaults, file, environment and --set. Secrets that are set
show as [secret]; those that are not, as an empty text.`,
		Example: `  booksync config print --config booksync.yaml
  BOOKSYNC_KAFKA_BROKERS=k1:9092,k2:9092 booksync config print`,
		Args: args(0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.load(0)
			if err != nil {
				return err
			}
			return cfg.Print(c.stdout)
		},
	}
}

func (c *cli) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with the configuration",
		Long: `Checks the configuration as 'booksync run' would, and lists all problems at once: unknown keys with the likely
name, values out of range, mappings that contradict each other, what is missing. Exit code 2 if there are any.`,
		Example: `  booksync config check --config booksync.yaml`,
		Args:    args(0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.load(config.NeedAll)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "the configuration is complete: %s\n", plural(len(cfg.Organizations), "organisation"))
			for _, name := range cfg.OrganizationNames() {
				fmt.Fprintf(c.stdout, "  %s: id %s, mapping %s\n", name, cfg.Organizations[name].ID, cfg.Organizations[name].Hash())
			}
			return nil
		},
	}
}
