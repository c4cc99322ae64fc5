package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/app"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/telemetry"
)

func (c *cli) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the service",
		Long: `Consumes the configured topics and keeps the books right until it is told to stop. The first SIGTERM or SIGINT
drains: calls in flight end, their results are published, the group is left, within engine.drain_timeout. A
second one hurries.

Health, readiness and metrics are served at http.listen: /healthz, /readyz, /metrics. Logs go to standard error.
Outages are waited for; what ends the process is a configuration that cannot work, a Redis that cannot be used
at the start, or a living twin with the same transactional id.`,
		Example: `  booksync run --config booksync.yaml
  booksync run --set log.level=debug --set http.listen=0.0.0.0:8080`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load(config.NeedAll)
			if err != nil {
				return err
			}
			return c.runService(cmd.Context(), cfg)
		},
	}
}

func (c *cli) runService(ctx context.Context, cfg *config.Config) error {
	log, err := telemetry.NewLogger(c.stderr, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	log.Info("starting", "version", telemetry.Version())
	defer app.TuneMemory()()
	service, err := app.New(ctx, cfg, app.Options{Log: log, RedisSkipServerCheck: c.skipServerCheck})
	if err != nil {
		return unavailable(fmt.Errorf("starting: %w", err))
	}
	// A stop that was asked for is no failure.
	if err := service.Run(ctx, hurryOf(ctx)); err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
		return unavailable(err)
	}
	return nil
}
