package torture

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// sniffer reads the requests that a client writes to a service and names each operation when it is complete: "kafka EndTxn",
// "redis claim", "books POST /invoices". see answers false where it must not leave.
func sniffer(service string, see func(op string) (bool, func())) func([]byte) (bool, func()) {
	var rest []byte
	next := map[string]func([]byte) (string, int){kafkaAddr: kafkaOp, redisAddr: redisOp, booksAddr: booksOp}[service]
	return func(b []byte) (bool, func()) {
		rest = append(rest, b...)
		var last func()
		for {
			op, n := next(rest)
			if n == 0 {
				return true, last
			}
			rest = rest[n:]
			if op == "" {
				continue
			}
			ok, then := see(op)
			if !ok {
				return false, nil
			}
			if then != nil {
				last = then
			}
		}
	}
}

// kafkaOp reads one framed request: its size, its key.
func kafkaOp(b []byte) (string, int) {
	if len(b) < 6 {
		return "", 0
	}
	size := int(binary.BigEndian.Uint32(b))
	if len(b) < 4+size {
		return "", 0
	}
	return "kafka " + kmsg.NameForKey(int16(binary.BigEndian.Uint16(b[4:]))), 4 + size
}

// scriptNames finds a script's name by a part of its first comment of its own.
var scriptNames = []struct{ part, name string }{
	{"Decides how many calls may leave", "budget"}, {"Takes a claim and", "claim"}, {"Marks that a write is about to leave", "sending"},
	{"Prolongs the leases", "renew"}, {"Gives back what an attempt holds", "release"}, {"Settles a claim", "finish"},
	{"Answers the epoch; writes", "epoch"}, {"Pauses an organisation", "pause"}, {"Reads claims", "lookup"},
}

// scripts are the names by hash, learned when a script is loaded.
var scripts sync.Map

// redisOp reads one command: a script by its name, anything else by its command.
func redisOp(b []byte) (string, int) {
	args, n := redisCommand(b)
	if n == 0 || len(args) == 0 {
		return "", n
	}
	name := strings.ToLower(string(args[0]))
	switch {
	case name == "script" && len(args) == 3 || name == "eval" && len(args) > 1:
		source := args[len(args)-1]
		if name == "eval" {
			source = args[1]
		}
		for _, s := range scriptNames {
			if bytes.Contains(source, []byte(s.part)) {
				sum := sha1.Sum(source)
				scripts.Store(hex.EncodeToString(sum[:]), s.name)
				if name == "eval" {
					name = s.name
				}
			}
		}
	case name == "evalsha" && len(args) > 1:
		if known, ok := scripts.Load(string(args[1])); ok {
			name = known.(string)
		}
	}
	if leased[name] {
		return "redis " + name + " " + tokenOf(args), n
	}
	return "redis " + name, n
}

// leased are the scripts of those who hold a claim, or ask for it: their token stands behind the operation's name.
var leased = map[string]bool{"claim": true, "sending": true, "renew": true, "finish": true}

// tokenOf is the third argument behind the keys: EVALSHA hash, number of keys, keys, epoch, sequence, token.
func tokenOf(args [][]byte) string {
	keys, err := strconv.Atoi(string(args[2]))
	if at := 3 + keys + 2; err == nil && at < len(args) {
		return string(args[at])
	}
	return ""
}

// redisCommand reads an array of bulk strings; n is 0 while it is not complete.
func redisCommand(b []byte) (args [][]byte, n int) {
	line := func(from int, kind byte) (int, int) { // the number, and where the next line begins; 0: not there yet
		end := bytes.IndexByte(b[from:], '\n')
		if end < 0 || b[from] != kind {
			return 0, 0
		}
		v, err := strconv.Atoi(strings.TrimSpace(string(b[from+1 : from+end])))
		if err != nil {
			return 0, 0
		}
		return v, from + end + 1
	}
	if len(b) == 0 {
		return nil, 0
	}
	count, at := line(0, '*')
	for range count {
		if at == 0 || at >= len(b) {
			return nil, 0
		}
		size, begin := line(at, '$')
		if begin == 0 || len(b) < begin+size+2 {
			return nil, 0
		}
		args = append(args, b[begin:begin+size])
		at = begin + size + 2
	}
	return args, at
}

// booksOp reads a request line; what follows it up to the next one is passed over.
func booksOp(b []byte) (string, int) {
	line, _, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok {
		return "", len(b) // a part of a body
	}
	method, rest, _ := strings.Cut(string(line), " ")
	path, version, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(version, "HTTP/1.") {
		return "", len(b)
	}
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.TrimPrefix(path, "/books/v3"), "/")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "*"
		}
	}
	return "books " + method + " " + strings.Join(parts, "/"), len(b)
}
