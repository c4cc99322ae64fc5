package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/schemas"
)

// cli is what the commands share.
type cli struct {
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string // NAME=value, as os.Environ has it

	file string   // --config
	sets []string // --set path=value

	skipServerCheck bool // tests run on a Redis that cannot tell its eviction policy
}

// run executes one command line. Errors have not been printed yet; exitCode says how the process ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	return runWith(ctx, args, &cli{stdin: stdin, stdout: stdout, stderr: stderr, environ: os.Environ()})
}

func runWith(ctx context.Context, args []string, c *cli) error {
	root := c.root()
	root.SetArgs(args)
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "booksync",
		Short: "Keeps Zoho Books right from commerce events in Kafka",
		Long: `booksync reads order, payment and refund events from Kafka and keeps a company's Zoho Books right: one
invoice per order, one customer payment per payment, one credit note with its refund entry per refund. It
publishes what it did to an outcome topic, and what it could not do to dead-letter topics.

Try it without anything installed:

  booksync demo

Configuration comes from a YAML file (--config, or BOOKSYNC_CONFIG), from the environment (every setting as
BOOKSYNC_...: kafka.brokers is BOOKSYNC_KAFKA_BROKERS) and from --set, the later winning.

Exit codes:
  0    done
  1    a check failed: the demo's ledger is wrong, setup found a problem, an event would be rejected
  2    the command line or the configuration is wrong
  3    something outside is not available: Kafka, Redis, the schema registry, Zoho
  130  interrupted before it was done`,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true, SilenceUsage: true,
		Version: telemetry.Version(),
	}
	root.SetVersionTemplate("booksync {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&c.file, "config", "c", "", "YAML `file` (default $BOOKSYNC_CONFIG)")
	root.PersistentFlags().StringArrayVar(&c.sets, "set", nil, "one setting as `path=value`, such as http.listen=:8080; may be repeated")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err.Error()) })
	root.AddCommand(
		c.runCommand(), c.demoCommand(), c.simulatorCommand(), c.configCommand(), c.produceCommand(), c.explainCommand(),
		c.authCommand(), c.setupCommand(), c.pauseCommand(), c.resumeCommand(), c.statusCommand(), c.traceCommand(),
		c.dlqCommand(), c.reconcileCommand(), c.reportCommand(), c.rollbackCommand(), c.verifyCommand(), c.tortureCommand(), c.versionCommand(),
	)
	return root
}

// noSuchCommand refuses words that name no command.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	msg := fmt.Sprintf("unknown command %q", args[0])
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		msg += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(cmd, msg)
}

// group is a command that only has subcommands.
func group(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.Args = noSuchCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(subs...)
	return cmd
}

// args checks the number of arguments; names are what the usage line calls them.
func args(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		if len(got) != n {
			return usage(cmd, fmt.Sprintf("want %s, got %d", plural(n, "argument"), len(got)))
		}
		return nil
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// load reads the configuration and checks that what is needed is there.
func (c *cli) load(need config.Need) (*config.Config, error) {
	overrides := map[string]string{}
	for _, s := range c.sets {
		path, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, &exitError{code: codeUsage, err: fmt.Errorf("--set %s: want path=value", s)}
		}
		overrides[path] = value
	}
	cfg, err := config.Load(config.Source{File: c.configFile(), Environ: c.environ, Overrides: overrides})
	if err == nil {
		err = cfg.Validate(need)
	}
	if err != nil {
		return nil, &exitError{code: codeUsage, err: err}
	}
	return cfg, nil
}

// accessOptions let a command's connections warn on stderr, for people.
func (c *cli) accessOptions(cfg *config.Config) access.Options {
	log, err := telemetry.NewLogger(c.stderr, cfg.Log.Level, "text")
	if err != nil { // the level was checked when it was loaded
		log = slog.New(slog.DiscardHandler)
	}
	return access.Options{Log: log, SkipServerCheck: c.skipServerCheck}
}

// configFile is --config, else BOOKSYNC_CONFIG, else none.
func (c *cli) configFile() string {
	if c.file != "" {
		return c.file
	}
	for _, kv := range c.environ {
		if name, ok := strings.CutPrefix(kv, "BOOKSYNC_CONFIG="); ok {
			return name
		}
	}
	return ""
}

// Exit codes, as the help says.
const (
	codeFailed      = 1
	codeUsage       = 2
	codeUnavailable = 3
	codeInterrupted = 130 // 128 + SIGINT, as shells have it
)

// exitError is an error that decides how the process ends.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

var errInterrupted = &exitError{code: codeInterrupted, err: errors.New("interrupted")}

// usage is a wrong command line.
func usage(cmd *cobra.Command, msg string) error {
	return &exitError{code: codeUsage, err: fmt.Errorf("%s; see `%s --help`", msg, cmd.CommandPath())}
}

// failed is a check that did not hold; its report was printed.
func failed(format string, a ...any) error {
	return &exitError{code: codeFailed, err: fmt.Errorf(format, a...)}
}

// unavailable is something outside that did not answer.
func unavailable(err error) error { return &exitError{code: codeUnavailable, err: err} }

// exitCode is the process's.
func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, schemas.ErrRegistryUnavailable):
		return codeUnavailable
	}
	return codeFailed
}

type hurryKey struct{}

// withHurry carries the channel that closes with the second signal.
func withHurry(ctx context.Context, hurry <-chan struct{}) context.Context {
	return context.WithValue(ctx, hurryKey{}, hurry)
}

// hurryOf is that channel; nil, which never closes, without one.
func hurryOf(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(hurryKey{}).(<-chan struct{})
	return c
}
