// Package status says how booksync is doing, from any machine that reaches Kafka and Redis, whether it runs or not.
//
// Three sources are put together: Kafka (how far the group has come, how old the oldest waiting record is), Redis (pauses, budget, tokens) and the
// replicas themselves, which report every few seconds into Redis what only they know: parked records and why, circuits, the
// mapping in force. What a source does not answer is missing from the answer and named in Errors.
package status

import (
	"time"

	"github.com/booksync/booksync/internal/operator/control"
)

// Status is how booksync is doing at one moment.
type Status struct {
	At    time.Time `json:"at"`
	Group string    `json:"group"`
	// Replicas that run, or have run within the last hour.
	Replicas      []ReplicaStatus  `json:"replicas"`
	Workflows     []Workflow       `json:"workflows"`
	Pauses        []control.Paused `json:"pauses"`
	Topics        []Partition      `json:"topics"`
	Parked        map[string]int   `json:"parked"` // records by reason, over the replicas that run
	Organizations []Organization   `json:"organizations"`
	// InDoubt is there where it was asked for: claims whose write may or may not have taken effect, and that nobody works on.
	InDoubt *InDoubt `json:"in_doubt,omitempty"`
	// Errors name what could not be asked.
	Errors []string `json:"errors,omitempty"`
}

// ReplicaStatus is a replica's last report.
type ReplicaStatus struct {
	Replica
	// Silent says that it has not reported for so long that it must be taken as gone.
	Silent bool `json:"silent"`
	// AgeSeconds is how long ago it reported.
	AgeSeconds int64 `json:"age_seconds"`
}

// Replica is what a replica reports of itself.
type Replica struct {
	ID      string    `json:"id"` // its transactional id
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// NotReady says why it does not consume; "" when it does.
	NotReady string `json:"not_ready,omitempty"`
	// Restarts is how often its engine started itself anew.
	Restarts      int                            `json:"restarts"`
	Running       int                            `json:"running"`     // records being worked on
	Unpublished   int                            `json:"unpublished"` // results that wait for their transaction
	Settled       int64                          `json:"settled"`     // since it joined the group the last time
	Parked        map[string]int                 `json:"parked"`
	Partitions    []ReplicaPartition             `json:"partitions"`
	Organizations map[string]ReplicaOrganization `json:"organizations"`
}

// ReplicaPartition is a partition that a replica owns.
type ReplicaPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Open      int    `json:"open"` // delivered, not settled
	Parked    int    `json:"parked"`
	Full      bool   `json:"full,omitempty"`  // takes no new records for now: a bound is reached
	Alarm     string `json:"alarm,omitempty"` // why it is stopped for good
}

// ReplicaOrganization is an organisation as a replica sees it.
type ReplicaOrganization struct {
	ConfigHash  string            `json:"config_hash"`
	Workflows   map[string]string `json:"workflows"` // on, shadow or off
	CircuitOpen bool              `json:"circuit_open"`
	PausedUntil time.Time         `json:"paused_until,omitzero"` // its own pause: credentials, limits
	PauseReason string            `json:"pause_reason,omitempty"`
	TokenUntil  time.Time         `json:"token_until,omitzero"`
}

// Workflow is how one workflow of one organisation is worked.
type Workflow struct {
	Organization string `json:"organization"`
	Workflow     string `json:"workflow"`
	// State is on, shadow, off or paused.
	State string `json:"state"`
	// Paused are the pauses that hold it.
	Paused []control.Paused `json:"paused,omitempty"`
	// Differs says that the replicas that run are not all configured so.
	Differs bool `json:"differs,omitempty"`
}

// StatePaused is the state of a workflow that an operator has paused.
const StatePaused = "paused"

// Partition is a partition of a source topic.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Position is the group's committed offset; -1: none yet.
	Position int64 `json:"position"`
	End      int64 `json:"end"`
	// Lag is how many offsets lie behind the position.
	Lag int64 `json:"lag"`
	// Oldest is the timestamp of the record at the position: the oldest without a verdict. Zero when nothing waits.
	Oldest time.Time `json:"oldest,omitzero"`
	// AgeSeconds is Oldest's age; -1: not known.
	AgeSeconds int64 `json:"age_seconds"`
	// Open, Parked, Full and Alarm are what its owner reports; Owner is "" while nobody does.
	Owner  string `json:"owner,omitempty"`
	Open   int    `json:"open"`
	Parked int    `json:"parked"`
	Full   bool   `json:"full,omitempty"`
	Alarm  string `json:"alarm,omitempty"`
}

// Organization is what Redis, Kafka and the replicas know of an organisation.
type Organization struct {
	Name       string  `json:"name"`
	ConfigHash string  `json:"config_hash"` // of the mapping in this command's configuration
	Budget     *Budget `json:"budget,omitempty"`
	// Circuit is closed, open or unknown (nothing runs).
	Circuit string `json:"circuit"`
	// Paused says that the organisation makes no calls, for limits, quota or credentials.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	PauseReason string    `json:"pause_reason,omitempty"`
	// TokenUntil is the end of the access token; zero: there is none. TokenRefusal is why Zoho gave none lately.
	TokenUntil   time.Time `json:"token_until,omitzero"`
	TokenRefusal string    `json:"token_refusal,omitempty"`
	// Mixed says that replicas with different mappings run.
	Mixed bool `json:"mixed_mappings,omitempty"`
	// Reconciled is the last reconciliation; nil: none is known.
	Reconciled *Reconciled `json:"reconciled,omitempty"`
}

// Budget is what is left of an organisation's calls.
type Budget struct {
	Limit        int       `json:"limit"`     // calls per window
	Left         int       `json:"left"`      // of the present window
	InFlight     int       `json:"in_flight"` // calls under way
	DayLimit     int       `json:"day_limit"` // 0: Zoho has not told it yet
	DayRemaining int       `json:"day_remaining"`
	DayReset     time.Time `json:"day_reset,omitzero"`
	// PerHour is the rate that the forecast goes by: the day's average, or that of the present window where it's higher.
	PerHour int `json:"per_hour"`
	// EndsAt is when the day's calls are spent if the rate stays; zero: not before they are renewed, or not known.
	EndsAt time.Time `json:"ends_at,omitzero"`
}

// Reconciled is what the last reconciliation found.
type Reconciled struct {
	At         time.Time        `json:"at"`
	Since      string           `json:"since"`
	Until      string           `json:"until"`
	Counts     map[string]int64 `json:"counts"`
	Exceptions int64            `json:"exceptions"`
}

// InDoubt is what a scan of the claims found.
type InDoubt struct {
	Looked int             `json:"looked"` // claims looked at
	Count  int             `json:"count"`
	Oldest []DoubtfulClaim `json:"oldest"` // at most OldestInDoubt
}

// OldestInDoubt is how many claims in doubt are named.
const OldestInDoubt = 20

// DoubtfulClaim is a claim in doubt.
type DoubtfulClaim struct {
	Organization string    `json:"organization"`
	Workflow     string    `json:"workflow"` // the claim's role
	ID           string    `json:"id"`
	Step         string    `json:"step"`
	Since        time.Time `json:"since"`
	Record       string    `json:"record"` // topic/partition/offset
}

// ReportEvery is how often a replica reports, and SilentAfter after how long without a report it counts as gone.
const (
	ReportEvery = 3 * time.Second
	SilentAfter = 15 * time.Second
)
