package schemas

import "testing"

// Outcomes, audit entries and reconciliations are read back by operators' commands, from topics that others may write to.

func FuzzDecodeOutcome(f *testing.F) {
	fuzzDecode(f, KindOutcome, (*Codec).DecodeOutcome, (*Codec).EncodeOutcome)
}

func FuzzDecodeAudit(f *testing.F) {
	fuzzDecode(f, KindAudit, (*Codec).DecodeAudit, (*Codec).EncodeAudit)
}

func FuzzDecodeReconciliation(f *testing.F) {
	fuzzDecode(f, KindReconciliation, (*Codec).DecodeReconciliation, (*Codec).EncodeReconciliation)
}
