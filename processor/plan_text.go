package processor

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Zoho's documented lengths, in characters.
const (
	maxReference   = 50  // reference_number: documented 100, but 50 are kept in practice
	maxName        = 100 // item names, contact names, names and e-mails of persons
	maxDescription = 2000
	maxNotes       = 2000
	maxCompany     = 200
	maxStreet      = 500
	maxStreet2     = 255
	maxPhone       = 50
	maxZip         = 50
)

// hashLength is how much of a SHA-256 ends a shortened reference: 64 bits, so that among a billion long ids of one
// organisation two meet with a probability of 3 in 100.
const hashLength = 16

// clean makes text fit for a one-line field: NFC, no control or formatting characters, runs of white space as one blank,
// none at the ends, and at most limit characters. Invalid UTF-8 is dropped. The same text always gives the same result.
func clean(s string, limit int) string { return cleanText(s, limit, false) }

// cleanLines is clean for fields of several lines: line breaks stay.
func cleanLines(s string, limit int) string { return cleanText(s, limit, true) }

func cleanText(s string, limit int, lines bool) string {
	if s == "" || plain(s) {
		return truncate(s, limit)
	}
	s = norm.NFC.String(strings.ToValidUTF8(s, ""))
	var b strings.Builder
	b.Grow(len(s))
	blank, feed := false, false
	for _, r := range s {
		switch {
		case lines && r == '\n':
			feed = true
		case unicode.IsSpace(r):
			blank = true
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && !joins(r), r == utf8.RuneError:
			// dropped
		default:
			if b.Len() > 0 {
				if feed {
					b.WriteByte('\n')
				} else if blank {
					b.WriteByte(' ')
				}
			}
			blank, feed = false, false
			b.WriteRune(r)
		}
	}
	return truncate(b.String(), limit)
}

// plain text is printable ASCII with single blanks between its words: nothing in it needs cleaning.
func plain(s string) bool {
	blank := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			if blank {
				return false
			}
			blank = true
		case c < ' ' || c > '~':
			return false
		default:
			blank = false
		}
	}
	return !blank
}

// joins reports the two formatting characters that are part of how words are written in Indic and Arabic scripts.
func joins(r rune) bool { return r == '\u200c' || r == '\u200d' }

// truncate cuts s to at most limit characters, without leaving white space at its end or half of a composed character.
func truncate(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n, cut := 0, 0
	for i := range s {
		if n == limit {
			cut = i
			break
		}
		n++
	}
	// A mark that was cut off belongs to the character before it: leave both out.
	for cut > 0 {
		r, _ := utf8.DecodeRuneInString(s[cut:])
		if !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Mc, r) {
			break
		}
		_, size := utf8.DecodeLastRuneInString(s[:cut])
		cut -= size
	}
	return strings.TrimSpace(s[:cut])
}

// reference is what goes into a reference_number: the id itself, or, where it's longer than Zoho keeps (or loses something
// by being cleaned), its beginning and a hash of all of it, so that two ids never meet (accounting rule 15). Whoever looks
// a document up by reference asks for the result of this function.
func reference(id string) string {
	s := clean(id, maxReference)
	if s == id {
		return s
	}
	return truncate(s, maxReference-hashLength-1) + "~" + hash(id, hashLength)
}

// hash is the first n hexadecimal digits of the SHA-256 of s.
func hash[T string | []byte](s T, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:(n+1)/2])[:n]
}
