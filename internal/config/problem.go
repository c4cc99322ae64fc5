package config

import (
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	// Path is the setting, such as kafka.brokers; "" for the file as a whole.
	Path string
	// Origin is where the value came from: file:line, an environment variable, a flag; "" for a default or an absent value.
	Origin string
	// What is wrong; never contains a secret.
	What string
	// Hint says what to do; may be empty.
	Hint string
}

// String is the problem in one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path)
	}
	if p.Origin != "" {
		if b.Len() > 0 {
			fmt.Fprintf(&b, " (%s)", p.Origin)
		} else {
			b.WriteString(p.Origin)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.What)
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// Error is all that is wrong with a configuration, at least one problem.
type Error struct{ Problems []Problem }

// Error lists the problems, one a line.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  - ")
		b.WriteString(p.String())
	}
	return b.String()
}

// problems collects; err is nil when there are none.
type problems []Problem

func (p *problems) add(path, origin, hint, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Origin: origin, What: fmt.Sprintf(format, args...), Hint: hint})
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Problems: p}
}

// didYouMean is a hint that names the candidate most like name, or "".
func didYouMean(name string, candidates []string) string {
	sort.Strings(candidates)
	best, distance := "", len(name)/3+2
	for _, c := range candidates {
		if d := editDistance(name, c, distance); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// editDistance is the Levenshtein distance of a and b without regard to case, or limit when it is not below that.
func editDistance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) > 200 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return min(row[len(b)], limit)
}

// clip shortens a value for a message.
func clip(s string) string {
	const longest = 80 // a line of a terminal
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "..."
}
