package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/interpreter"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Where is an expression of the Common Expression Language that is true or false of a dead letter.
type Where struct{ program cel.Program }

// costLimit bounds the work of one evaluation.
const costLimit = 1_000_000

// variables are what expressions may name.
func variables() []cel.EnvOption {
	text := func(names ...string) (opts []cel.EnvOption) {
		for _, n := range names {
			opts = append(opts, cel.Variable(n, cel.StringType))
		}
		return opts
	}
	return append(text("id", "class", "code", "message", "retryable", "stage", "workflow", "organization", "key", "business_id", "topic", "state"),
		cel.Variable("event", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("partition", cel.IntType), cel.Variable("offset", cel.IntType),
		cel.Variable("attempts", cel.IntType), cel.Variable("replays", cel.IntType),
		cel.Variable("failed_at", cel.TimestampType), cel.Variable("truncated", cel.BoolType))
}

// ParseWhere compiles an expression. The error points at the place that is wrong.
func ParseWhere(text string) (*Where, error) {
	env, err := cel.NewEnv(variables()...)
	if err != nil {
		return nil, fmt.Errorf("preparing expressions: %w", err)
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if t := ast.OutputType(); t != cel.BoolType && t != cel.DynType {
		return nil, fmt.Errorf("the expression is a %s, and must be true or false", t)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Errorf("preparing the expression: %w", err)
	}
	return &Where{program}, nil
}

// met evaluates the expression. The event is decoded only if it is asked for; an event that cannot be decoded has no value.
func (w *Where) met(ctx context.Context, d *Desk, l *Letter, state State, rec *kgo.Record) (bool, error) {
	v := &values{ctx: ctx, desk: d, letter: l, state: state, rec: rec}
	out, _, err := w.program.ContextEval(ctx, v)
	switch {
	case v.err != nil:
		return false, v.err
	case err != nil:
		return false, err
	}
	met, ok := out.Value().(bool)
	if !ok {
		return false, errors.New("the expression is neither true nor false")
	}
	return met, nil
}

// values gives a dead letter's to an expression, as they are asked for.
type values struct {
	ctx    context.Context
	desk   *Desk
	letter *Letter
	state  State
	rec    *kgo.Record
	err    error // of decoding the event
}

// Parent implements interpreter.Activation.
func (v *values) Parent() interpreter.Activation { return nil }

// ResolveName implements interpreter.Activation.
func (v *values) ResolveName(name string) (any, bool) {
	l := v.letter
	switch name {
	case "id":
		return l.ID.String(), true
	case "class":
		return l.Class, true
	case "code":
		return l.Code, true
	case "message":
		return l.Message, true
	case "retryable":
		return l.Retryable, true
	case "stage":
		return l.Stage, true
	case "workflow":
		return l.Workflow, true
	case "organization":
		return l.Organization, true
	case "key":
		return l.Key, true
	case "business_id":
		return l.BusinessID, true
	case "topic":
		return l.Source.Topic, true
	case "state":
		return string(v.state), true
	case "partition":
		return int64(l.ID.Partition), true
	case "offset":
		return l.ID.Offset, true
	case "attempts":
		return int64(l.Attempts), true
	case "replays":
		return int64(l.Replays), true
	case "failed_at":
		return l.FailedAt, true
	case "truncated":
		return l.Truncated != "", true
	case "headers":
		headers := make(map[string]string, len(v.rec.Headers))
		for _, h := range v.rec.Headers {
			headers[h.Key] = string(h.Value)
		}
		return headers, true
	case "event":
		return v.event()
	}
	return nil, false
}

// event is the decoded one, as JSON has it: decimals and instants are text.
func (v *values) event() (any, bool) {
	e, _, err := v.desk.decode(v.ctx, v.letter.Workflow, v.rec)
	var text json.RawMessage
	if err == nil {
		text, err = e.json()
	}
	var out map[string]any
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if v.err = err; err != nil {
		return nil, false
	}
	return out, true
}
