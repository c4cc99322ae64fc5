package telemetry

import (
	"runtime/debug"
	"sync"
)

// version is set at link time: -ldflags "-X github.com/booksync/booksync/internal/telemetry.version=v1.2.3".
var version string

// Build is what a binary says about itself.
type Build struct {
	Version  string `json:"version"`            // v1.2.3, or devel
	Revision string `json:"revision,omitempty"` // of the source
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the source had changes
	Go       string `json:"go"`
}

// BuildInfo reads it from the binary.
var BuildInfo = sync.OnceValue(func() Build {
	b := Build{Version: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	return b
})

// Version names this build in outcomes, metrics and traces.
func Version() string { return BuildInfo().Version }
