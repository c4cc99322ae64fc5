package zohobooks

import "context"

type guardKey struct{}

// WithGuard gives a context whose writing calls ask guard at the last moment, when a connection is there and before the first byte leaves on it. Its error
// keeps the request from leaving, ends the call without one, and is what the call answers; the grant is given back. Reading calls don't ask.
func WithGuard(ctx context.Context, guard func(ctx context.Context) error) context.Context {
	return context.WithValue(ctx, guardKey{}, guard)
}

// guardOf is the guard that a call of this kind must ask; nil for none.
func guardOf(ctx context.Context, cl *call) func(context.Context) error {
	if !cl.write() {
		return nil
	}
	guard, _ := ctx.Value(guardKey{}).(func(context.Context) error)
	return guard
}
