package torture

import (
	"io"
	"testing"
)

func TestACallEndsWithItsConnection(t *testing.T) {
	for name, end := range map[string]func(client, server *conn){
		"answered":           func(_, server *conn) { _, _ = server.Write([]byte("answer")) },
		"cut":                func(client, _ *conn) { client.cut() },
		"closed by us":       func(client, _ *conn) { _ = client.Close() },
		"closed by them":     func(_, server *conn) { _ = server.Close() },
		"its process died":   func(client, _ *conn) { client.orphan() },
		"their process died": func(_, server *conn) { server.orphan() },
	} {
		for _, early := range []bool{false, true} {
			client, server := connect("client", "server")
			over := 0
			if early { // as when the network goes the moment that the call leaves
				end(client, server)
			}
			client.await(func() { over++ })
			if !early {
				end(client, server)
			}
			_, _ = io.CopyN(io.Discard, client, 1)
			if over != 1 {
				t.Errorf("%s, before it was awaited %v: the call ended %d times", name, early, over)
			}
		}
	}
}
