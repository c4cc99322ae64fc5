package app

import (
	"os"
	"runtime/debug"
)

const (
	// gcPercent lets the heap grow to nine times what lives before it's collected. Little lives here (records, requests and
	// answers pass through), so at Go's default of 100 a third of the time under load goes into collecting. From 23 MiB of
	// live heap on it is the limit that decides.
	gcPercent = 800
	// memoryLimit, in bytes, is where growing ends: below the 256 MiB that the service may take, by the runtime's and the
	// kernel's share. It is soft: a heap that needs more gets more.
	memoryLimit = 208 << 20
)

// TuneMemory sets the garbage collector for a process that is a service, unless GOGC or GOMEMLIMIT do. The returned
// function undoes it.
func TuneMemory() (undo func()) {
	percent, limit := -2, int64(-1) // -2: unchanged
	if os.Getenv("GOGC") == "" {
		percent = debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		limit = debug.SetMemoryLimit(memoryLimit)
	}
	return func() {
		if percent != -2 {
			debug.SetGCPercent(percent)
		}
		if limit >= 0 {
			debug.SetMemoryLimit(limit)
		}
	}
}
