package kafka

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deliverAll tells t of records at offsets and answers the marks of those to be delivered.
func deliverAll(t *tracker, offsets ...int64) map[int64]*mark {
	marks := make(map[int64]*mark)
	for _, offset := range offsets {
		if t.fetched(offset) {
			m := &mark{offset: offset}
			t.deliver(m)
			marks[offset] = m
		}
	}
	return marks
}

func TestTrackerPosition(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		delivered []int64
		settled   []int64
		markers   []int64
		want      int64
		open      []int64
	}{
		"nothing settled":                    {delivered: []int64{5, 6, 7}, want: 5, open: []int64{5, 6, 7}},
		"in order":                           {delivered: []int64{5, 6, 7}, settled: []int64{5, 6}, want: 7, open: []int64{7}},
		"out of order":                       {delivered: []int64{5, 6, 7}, settled: []int64{6, 7}, want: 5, open: []int64{5}},
		"all settled":                        {delivered: []int64{5, 6, 7}, settled: []int64{7, 5, 6}, want: 8},
		"gaps are settled":                   {delivered: []int64{5, 9, 20}, settled: []int64{5}, want: 9, open: []int64{9, 20}},
		"markers move the position":          {delivered: []int64{5}, settled: []int64{5}, markers: []int64{6, 9}, want: 10},
		"markers do not pass an open record": {delivered: []int64{5}, markers: []int64{6}, want: 5, open: []int64{5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tr tracker
			marks := deliverAll(&tr, test.delivered...)
			for _, offset := range test.markers {
				tr.passed(offset)
			}
			for _, offset := range test.settled {
				tr.settle(marks[offset])
			}
			if got := tr.position(); got != test.want {
				t.Errorf("position %d, want %d", got, test.want)
			}
			position, text := tr.commit("e")
			m, err := decodeMetadata(position, text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(metadata{Epoch: "e", Highest: tr.highest, Open: test.open}, m); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTrackerResumes(t *testing.T) {
	t.Parallel()
	var tr tracker
	tr.restore(metadata{Highest: 20, Open: []int64{10, 13, 15, 20}})
	if got := tr.position(); got != 10 {
		t.Errorf("position %d before anything is fetched", got)
	}
	// 13 was compacted away: fetching goes past it.
	marks := deliverAll(&tr, 10, 11, 12, 14, 15, 20, 21)
	var got []int64
	for offset := range marks {
		got = append(got, offset)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]int64{10, 15, 20, 21}, got); diff != "" {
		t.Errorf("delivered: %s", diff)
	}
	tr.settle(marks[10])
	if got := tr.position(); got != 15 {
		t.Errorf("position %d", got)
	}
	tr.restore(metadata{Highest: 20, Open: []int64{20}})
	tr.passed(25)
	if got := tr.position(); got != 26 {
		t.Errorf("position %d after a marker beyond the open record", got)
	}
}

func TestTrackerKeepsPendingRecordsOpenUntilTheyArePublished(t *testing.T) {
	t.Parallel()
	var tr tracker
	marks := deliverAll(&tr, 1, 2, 3)
	tr.pend(marks[1])
	if position, _ := tr.commit(""); position != 2 {
		t.Errorf("the transaction commits %d", position)
	}
	if got := tr.position(); got != 1 {
		t.Errorf("position %d", got)
	}
	tr.reopen(marks[1])
	if position, _ := tr.commit(""); position != 1 {
		t.Errorf("the next transaction commits %d", position)
	}
}

// The tracker must say what a plain set says, and its estimate of the metadata must be an upper bound.
func TestTrackerAgreesWithAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var tr tracker
		open := make(map[int64]*mark)
		offset := int64(rng.IntN(1000))
		for range 2000 {
			switch rng.IntN(5) {
			case 0, 1:
				offset += 1 + int64(rng.IntN(1<<rng.IntN(20)))
				tr.fetched(offset)
				open[offset] = &mark{offset: offset}
				tr.deliver(open[offset])
			case 2:
				offset++
				tr.passed(offset)
			default:
				for o, m := range open {
					tr.settle(m)
					delete(open, o)
					break
				}
			}
			want := offset + 1
			for o := range open {
				want = min(want, o)
			}
			if tr.known && tr.position() != want {
				t.Fatalf("seed %d: position %d, want %d", seed, tr.position(), want)
			}
			bound := tr.size
			if tr.measure(); tr.size > bound {
				t.Fatalf("seed %d: the bound is %d bytes, really it is %d", seed, bound, tr.size)
			}
			if rng.IntN(50) > 0 {
				tr.size = bound // as if it was not measured
			}
		}
		if tr.open() != len(open) {
			t.Errorf("seed %d: %d open, want %d", seed, tr.open(), len(open))
		}
		position, text := tr.commit("epoch")
		if m, err := decodeMetadata(position, text); err != nil || len(m.Open) != len(open) {
			t.Errorf("seed %d: %v, %d open", seed, err, len(m.Open))
		}
		if size := base64.StdEncoding.DecodedLen(len(text)); 4096/4*3-tr.room(4096) < size-2 {
			t.Errorf("seed %d: %d bytes estimated for %d", seed, 4096/4*3-tr.room(4096), size)
		}
	}
}

func TestRoomIsExactWhereLittleIsLeft(t *testing.T) {
	t.Parallel()
	var tr tracker
	for offset := range int64(3000) { // the bound grows with all of them
		marks := deliverAll(&tr, offset)
		if offset >= 10 {
			tr.settle(marks[offset])
		}
	}
	before := tr.size
	if room := tr.room(4096); room < 2900 || before < 2900 {
		t.Errorf("%d bytes left beside ten open records, and a bound of %d before", room, before)
	}
	for offset := range int64(3000) {
		deliverAll(&tr, 3000+offset)
	}
	if room := tr.room(4096); room > 0 {
		t.Errorf("%d bytes left beside 3,010 open records", room)
	}
}

func TestMetadataThatCannotBeRead(t *testing.T) {
	t.Parallel()
	good := encodeMetadata(10, metadata{Epoch: "epoch", Highest: 15, Open: []int64{10, 12}})
	raw, _ := base64.StdEncoding.DecodeString(good)
	other := func(change func([]byte) []byte) string {
		return base64.StdEncoding.EncodeToString(change(slices.Clone(raw)))
	}
	for name, test := range map[string]struct {
		position int64
		text     string
	}{
		"a member id, as other clients leave": {10, "consumer-1-abc"},
		"another version":                     {10, other(func(b []byte) []byte { b[0] = 9; return b })},
		"truncated":                           {10, other(func(b []byte) []byte { return b[:len(b)-1] })},
		"bytes left over":                     {10, other(func(b []byte) []byte { return append(b, 1) })},
		"of another position":                 {11, good},
		"an open offset above the highest":    {10, other(func(b []byte) []byte { b[len(b)-1] = 100; return b })},
		"an absurd count":                     {10, other(func(b []byte) []byte { return append(b[:len(b)-2], 0xff, 0xff, 0xff, 0xff, 0x7f) })},
		"nothing but a version":               {10, other(func(b []byte) []byte { return b[:1] })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if m, err := decodeMetadata(test.position, test.text); !errors.Is(err, errMetadata) {
				t.Errorf("read as %+v, %v", m, err)
			}
		})
	}
	if m, err := decodeMetadata(10, ""); err != nil || m.Highest != 9 || m.Open != nil {
		t.Errorf("an operator's reset is read as %+v, %v", m, err)
	}
}

func FuzzDecodeMetadata(f *testing.F) {
	f.Add(int64(10), encodeMetadata(10, metadata{Epoch: "e", Highest: 15, Open: []int64{10, 12}}))
	f.Add(int64(0), encodeMetadata(0, metadata{Highest: -1}))
	f.Add(int64(1)<<62, encodeMetadata(1<<62, metadata{Highest: 1<<62 + 5, Open: []int64{1 << 62}}))
	f.Add(int64(5), "AQ==")
	f.Fuzz(func(t *testing.T, position int64, text string) {
		if position < 0 {
			return
		}
		m, err := decodeMetadata(position, text)
		if err != nil {
			return
		}
		if len(m.Open) > 0 && (m.Open[0] != position || m.Open[len(m.Open)-1] > m.Highest) || len(m.Open) == 0 && m.Highest != position-1 || !slices.IsSorted(m.Open) {
			t.Fatalf("position %d: %+v", position, m)
		}
		again, err := decodeMetadata(position, encodeMetadata(position, m))
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
