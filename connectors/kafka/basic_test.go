package kafka

import (
	"testing"
)

func TestEveryRecordIsSettledOnce(t *testing.T) {
	t.Parallel()
	k := setup(t)
	k.produce(2000, 50)
	m := k.start(k.settling())
	k.checkAll()
	k.eventually("ready", func() bool { return m.Ready() == nil })
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	for n := range int32(3) {
		if got := k.position(n); got < 600 {
			t.Errorf("position of partition %d is %d", n, got)
		}
	}
}
