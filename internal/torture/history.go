package torture

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// maxHistory bounds the lines that are kept of a simulation, with the service's debug log maxDebug.
const (
	maxHistory = 4_000
	maxDebug   = 60_000
)

// history is what happened in a simulation, for people who look for a failure: faults, lives and deaths, warnings, outcomes.
type history struct {
	mu    sync.Mutex
	lines []string
	left  int // lines that were left out
	level slog.Level
}

func (h *history) add(format string, args ...any) {
	line := time.Now().UTC().Format("02 15:04:05.000 ") + fmt.Sprintf(format, args...)
	h.mu.Lock()
	defer h.mu.Unlock()
	bound := maxHistory
	if h.level < slog.LevelInfo {
		bound = maxDebug
	}
	if len(h.lines) >= bound {
		h.left++
		return
	}
	h.lines = append(h.lines, line)
}

// text are the lines.
func (h *history) text() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := append([]string{}, h.lines...)
	if h.left > 0 {
		out = append(out, fmt.Sprintf("... and %d more", h.left))
	}
	return out
}

// handler takes a replica's log.
func (h *history) handler(who string) slog.Handler { return &logHandler{h: h, who: who} }

type logHandler struct {
	h     *history
	who   string
	attrs []slog.Attr
}

func (l *logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= l.h.level }

func (l *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	for _, a := range l.attrs {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
	}
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	l.h.add("%s: %s%s", l.who, r.Message, b.String())
	return nil
}

func (l *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *l
	c.attrs = append(append([]slog.Attr{}, l.attrs...), attrs...)
	return &c
}

func (l *logHandler) WithGroup(string) slog.Handler { return l }
