package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/booksync/booksync/internal/torture"
)

// historyLines are shown of a failed seed; --log has the rest.
const historyLines = 150

func (c *cli) tortureCommand() *cobra.Command {
	var o torture.Options
	var seeds, dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "torture",
		Short: "Prove the promises under faults, in simulated time",
		Long: `Runs the same service as 'booksync run', two or three replicas of it, with a Kafka, a Redis and a Zoho Books in
memory, on a simulated clock: hours take seconds. From each seed come the events (duplicates, conflicts, late and
early payments, refunds, cancellations, poison, aborted transactions) and the faults (answers lost, writes that
land minutes later, kills at every step, rebalances, outages, Redis emptied or failed over, refused calls, quotas
used up, people who edit and delete). In the end a checker with arithmetic of its own holds what Kafka and the
books hold against the events.

A failed seed is printed with the promises that were broken, its faults and what happened; --seeds N plays it
again, with the same events and the same schedule of faults. With --json every line is an object: one for each
seed, at last their sum.

Exit code 1 if a seed fails.`,
		Example: `  booksync torture --seeds 1..50
  booksync torture --seeds 17 --log /tmp/torture --debug
  booksync torture --seeds 1..1000 --json | tail -n 1`,
		Args: args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.First, o.Last, err = span(seeds); err != nil {
				return usage(cmd, "--seeds "+err.Error())
			}
			if dir != "" {
				if err := os.MkdirAll(dir, 0o750); err != nil {
					return fmt.Errorf("making the directory of the logs: %w", err)
				}
			}
			var trouble error
			o.Done = func(r *torture.Result) {
				if err := c.seedDone(r, dir, asJSON); err != nil && trouble == nil {
					trouble = err
				}
			}
			sum := torture.Run(cmd.Context(), o)
			if asJSON {
				err = json.NewEncoder(c.stdout).Encode(sum)
			} else {
				err = sum.Print(c.stdout)
			}
			switch {
			case err != nil:
				return fmt.Errorf("printing the sum: %w", err)
			case trouble != nil:
				return trouble
			case len(sum.FailedSeeds) > 0:
				return failed("%s of %d failed", plural(len(sum.FailedSeeds), "seed"), sum.Seeds)
			case cmd.Context().Err() != nil:
				return errInterrupted
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&seeds, "seeds", "1..50", "seeds to run: `A..B`, or one")
	f.IntVar(&o.Orders, "orders", torture.DefaultOrders, "`number` of orders in each seed; about three times as many events follow from it")
	f.IntVar(&o.Parallel, "parallel", 0, "`number` of seeds that run at a time (default one per CPU)")
	f.StringVar(&dir, "log", "", "write the whole history of each failed seed to this `directory`")
	f.BoolVar(&o.Verbose, "debug", false, "have the service's debug log in the history")
	f.BoolVar(&asJSON, "json", false, "print one JSON object per line: each seed, at last their sum")
	cmd.AddCommand(c.tortureDayCommand())
	return cmd
}

func (c *cli) tortureDayCommand() *cobra.Command {
	var orders, quotas []int
	var seed int64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "day",
		Short: "Play a seller's day at several quotas, in simulated time",
		Long: `Plays one day of a shop, from midnight to midnight, for each number of orders and each daily quota: orders with
their payments, 30 % of them from new customers, and refunds for 5 %. Prints a table of what is settled by when, and
of what the day's reserve did for payments and refunds once orders had to wait.`,
		Example: `  booksync torture day --orders 500 --quotas 1000,2000`,
		Args:    args(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var days []*torture.Day
			for _, n := range orders {
				for _, quota := range quotas {
					if n < 1 || quota < 1 {
						return usage(cmd, "--orders and --quotas: want positive numbers")
					}
					day, err := torture.RunDay(cmd.Context(), torture.DayOptions{Orders: n, Quota: quota, Seed: seed})
					switch {
					case err != nil:
						return fmt.Errorf("playing a day: %w", err)
					case day == nil:
						return errInterrupted
					}
					_, _ = fmt.Fprintf(c.stderr, "%d orders at %d calls a day: %.0f s\n", n, quota, day.Seconds)
					if days = append(days, day); asJSON {
						if err := json.NewEncoder(c.stdout).Encode(day); err != nil {
							return fmt.Errorf("printing the day: %w", err)
						}
					}
				}
			}
			if asJSON {
				return nil
			}
			return torture.PrintDays(c.stdout, days)
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&orders, "orders", []int{500, 5000}, "orders of a day: `numbers`")
	f.IntSliceVar(&quotas, "quotas", []int{1000, 2000, 2500, 5000, 10000}, "calls a day: `numbers`")
	f.Int64Var(&seed, "seed", 1, "seed of everything that is random")
	f.BoolVar(&asJSON, "json", false, "print one JSON object per line and day")
	return cmd
}

// seedDone tells of a seed: a line of progress to stderr, a failure to stdout and to its file.
func (c *cli) seedDone(r *torture.Result, dir string, asJSON bool) error {
	_, _ = fmt.Fprintln(c.stderr, r)
	if dir != "" && !r.OK() {
		if err := writeHistory(filepath.Join(dir, fmt.Sprintf("seed-%d.log", r.Seed)), r); err != nil {
			return fmt.Errorf("writing the history of seed %d: %w", r.Seed, err)
		}
	}
	var err error
	switch {
	case asJSON:
		if left := len(r.History) - historyLines; left > 0 {
			r.History = r.History[left:]
		}
		err = json.NewEncoder(c.stdout).Encode(r)
	case !r.OK():
		err = r.Print(c.stdout, historyLines)
	}
	if err != nil {
		return fmt.Errorf("printing seed %d: %w", r.Seed, err)
	}
	return nil
}

func writeHistory(file string, r *torture.Result) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := r.Print(f, 0); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// span reads A..B, or one number.
func span(text string) (first, last int64, err error) {
	a, b, both := strings.Cut(text, "..")
	if !both {
		b = a
	}
	if first, err = strconv.ParseInt(a, 10, 64); err == nil {
		last, err = strconv.ParseInt(b, 10, 64)
	}
	if err != nil || first > last {
		return 0, 0, fmt.Errorf("%q: want a number, or two as A..B", text)
	}
	return first, last, nil
}
