package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// Actions in the audit topic.
const (
	ActionIgnore   = "reconcile.ignore"
	ActionUnignore = "reconcile.unignore"
	ActionRepair   = "reconcile.repair"
)

// ignoring is who accepted an exception, and why.
type ignoring struct{ by, why string }

// audit takes one record of the audit topic: what was accepted, and what was un-accepted again.
func (r *run) audit(ctx context.Context, rec *kgo.Record) error {
	if string(rec.Key) != r.opts.Organization {
		return nil
	}
	e, _, err := r.deps.Codec.DecodeAudit(ctx, rec.Value, rec.Headers)
	if err != nil {
		r.unreadable(rec, err)
		return r.registry(err)
	}
	switch e.Action {
	case ActionIgnore:
		r.ignored[e.Selector] = ignoring{by: e.Actor, why: e.Reason}
	case ActionUnignore:
		delete(r.ignored, e.Selector)
	}
	return nil
}

// ErrNotAnException is an id that is none of an exception's.
var ErrNotAnException = errors.New("want the id of an exception as `reconcile` prints it, such as order:O1~1a2b3c4d")

// IgnoreEntry is the audit entry that accepts an exception from now on, or, undone, no more. What differs is part of the
// id: another difference on the same transaction is a new exception.
func IgnoreEntry(organization, id, actor, reason string, undo bool) (schemas.AuditEntry, error) {
	key, hash, ok := strings.Cut(id, "~")
	workflow, business, keyed := strings.Cut(key, ":")
	if !ok || !keyed || business == "" || len(hash) != 8 || strings.Trim(hash, "0123456789abcdef") != "" {
		return schemas.AuditEntry{}, fmt.Errorf("%q: %w", id, ErrNotAnException)
	}
	e := schemas.AuditEntry{
		Actor: actor, Action: ActionIgnore, Organization: organization, Workflow: workflow, Selector: id, Reason: reason,
		Details: map[string]string{"business_id": business},
	}
	if undo {
		e.Action = ActionUnignore
	}
	return e, nil
}
