package redis

import "strconv"

// The fields of an entry in the order in which entry.lua answers them.
const (
	fieldState = iota
	fieldWas
	fieldCoordinates
	fieldFingerprint
	fieldRevision
	fieldStep
	fieldSince
	fieldSteps
	fieldOutcome
	fieldData
	fieldSendingCoordinates
	fieldSendingFingerprint
	fieldSendingRevision
	fieldRejectedCoordinates
	fieldRejectedFingerprint
	fieldRejectedRevision
	fieldRejectedOutcome
	fieldToken
	fieldUntil
	entryFields // the order's lease and the mark, which follow, are of no use here
)

func readEntry(v []any) Entry {
	if len(v) < entryFields {
		return Entry{}
	}
	e := Entry{
		State:       textOf(v[fieldState]),
		Coordinates: textOf(v[fieldCoordinates]),
		Fingerprint: textOf(v[fieldFingerprint]),
		Revision:    revisionOf(v[fieldRevision]),
		Sending:     originOf(v[fieldSendingCoordinates:fieldRejectedCoordinates]),
		Rejection:   originOf(v[fieldRejectedCoordinates:fieldRejectedOutcome]),
		Step:        textOf(v[fieldStep]),
		Since:       timeOf(v[fieldSince]),
		Steps:       bytesOf(v[fieldSteps]),
		Outcome:     bytesOf(v[fieldOutcome]),
		Data:        bytesOf(v[fieldData]),
		HeldUntil:   timeOf(v[fieldUntil]),
	}
	e.Settled = e.State
	if e.State == StateSending {
		e.Settled = textOf(v[fieldWas])
		if e.Settled == StateNone {
			e.Coordinates, e.Fingerprint, e.Revision = e.Sending.Coordinates, e.Sending.Fingerprint, e.Sending.Revision
		}
	}
	e.Exists = e.State != StateNone || len(e.Steps) > 0 || len(e.Data) > 0 || v[fieldToken] != nil
	return e
}

// rejection shows the entry as the rejected attempt left it.
func (e Entry) rejection(v []any) Entry {
	if e.Settled == StateDone {
		e.Coordinates, e.Fingerprint, e.Revision = e.Rejection.Coordinates, e.Rejection.Fingerprint, e.Rejection.Revision
		e.Outcome = bytesOf(v[fieldRejectedOutcome])
	}
	e.State = StateRejected
	return e
}

func originOf(v []any) Origin {
	return Origin{Coordinates: textOf(v[0]), Fingerprint: textOf(v[1]), Revision: revisionOf(v[2])}
}

func revisionOf(v any) int64 {
	n, _ := strconv.ParseInt(textOf(v), 10, 64)
	return n
}

// readAnswer decodes what claim.lua answers; refs are the claim, the orders and the needs.
func readAnswer(v []any, refs []Ref) ClaimAnswer {
	own := listOf(v[4])
	a := ClaimAnswer{
		State:     ClaimState(textOf(v[0])),
		Now:       timeOf(v[1]),
		BusyUntil: timeOf(v[2]),
		Entry:     readEntry(own),
		Orders:    make(map[string]Entry, len(refs)),
		Marked:    numberOf(v[8]) == 1,
	}
	if a.State == Rejected {
		a.Entry = a.Entry.rejection(own)
	}
	for i, raw := range listOf(v[5]) {
		r := refs[i+1]
		if r.Role != RoleOrder {
			continue
		}
		if fields := listOf(raw); fields != nil {
			a.Orders[r.ID] = readEntry(fields)
		} else if r == refs[0] {
			a.Orders[r.ID] = readEntry(own)
		} // else it was told before, under the same id
	}
	for _, i := range listOf(v[6]) {
		a.WaitingFor = append(a.WaitingFor, refs[numberOf(i)])
	}
	for _, id := range listOf(v[7]) {
		a.Pending = append(a.Pending, textOf(id))
	}
	return a
}
