// Package kafka is the engine of a Kafka stream processor: it consumes topics in a group, runs a [Handler] for each record and publishes what the
// handlers answer, together with the consumed positions, in Kafka transactions. It knows nothing of what the records mean.
//
// Records of one partition that share a key form a lane: one at a time, in order, the next one only after the last one's result is visible to
// read_committed readers. Lanes run beside each other, far more of them than there are partitions. A handler may park its record until a time or a
// wake-up; only its lane waits. Because records settle out of order, the position committed for a partition is its lowest unsettled offset, and
// the commit's metadata names every other unsettled one (tracker.go, metadata.go): whoever owns the partition next skips what is settled.
//
// One life (life.go) is one client: producer id first, which fences a dead predecessor, then join and fetch. One goroutine owns all
// state: it polls, delivers, and begins and ends settlements; one transaction at a time runs beside it (settle.go). Whatever goes wrong with a transaction ends the life and starts the next one from the committed metadata, so a crash
// and an error are one path. Transactions use a plain client and the package's own offset commits, whose member and generation are captured together with
// the owned partitions; [kgo.GroupTransactSession] hides revocations from its user while a transaction is failing.
package kafka
