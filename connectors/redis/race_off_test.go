//go:build !race

package redis

// raced says that the race detector slows everything down.
const raced = false
