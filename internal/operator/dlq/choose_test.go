package dlq

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

func TestFiltersChoose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.put(
		sample{order: "O0", failed: 0},
		sample{order: "O1", offset: 1, failed: time.Hour, class: "rejected.books", headers: []kgo.RecordHeader{text("dlq.api.code", "1038")}},
		sample{order: "O2", partition: 1, failed: 2 * time.Hour, class: "poison.decode", value: []byte{1}},
		sample{order: "O3", partition: 1, offset: 1, failed: 3 * time.Hour, replays: 3},
	)
	d := w.desk()
	where := func(text string) *Where {
		e, err := ParseWhere(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	offsets := func(text string) []Offsets {
		o, err := d.ParseOffsets(text)
		if err != nil {
			t.Fatal(err)
		}
		return []Offsets{o}
	}
	tests := map[string]struct {
		filter      Filter
		want        []int
		unevaluated int
	}{
		"all":                 {Filter{}, []int{0, 1, 2, 3}, 0},
		"class pattern":       {Filter{Classes: []string{"rejected.*"}}, []int{0, 1, 3}, 0},
		"code":                {Filter{Codes: []string{"1038"}}, []int{1}, 0},
		"two conditions":      {Filter{Classes: []string{"rejected.tax"}, Keys: []string{"O0", "O1"}}, []int{0}, 0},
		"business id":         {Filter{BusinessIDs: []string{"O2"}}, []int{2}, 0},
		"workflow":            {Filter{Workflows: []string{"payment"}}, nil, 0},
		"organisation":        {Filter{Organizations: []string{"acme"}}, []int{0, 1, 2, 3}, 0},
		"source topic":        {Filter{Topics: []string{w.cfg.Topics.Refunds[0]}}, nil, 0},
		"since":               {Filter{Since: began.Add(2 * time.Hour)}, []int{2, 3}, 0},
		"until":               {Filter{Until: began.Add(2 * time.Hour)}, []int{0, 1}, 0},
		"offsets":             {Filter{Offsets: offsets("orders/1/0-0")}, []int{2}, 0},
		"offsets beyond":      {Filter{Offsets: offsets("orders/1/7-9")}, nil, 0},
		"ids":                 {Filter{IDs: map[ID]bool{ids[0]: true, ids[3]: true}}, []int{0, 3}, 0},
		"no ids":              {Filter{IDs: map[ID]bool{}}, nil, 0},
		"quarantined":         {Filter{States: []State{StateQuarantined}}, []int{3}, 0},
		"replayed":            {Filter{States: []State{StateReplayed}}, nil, 0},
		"expression, headers": {Filter{Where: where(`headers["dlq.class"].startsWith("poison") || replays >= 3`)}, []int{2, 3}, 0},
		"expression, time":    {Filter{Where: where(`failed_at >= timestamp("` + began.Add(time.Hour).Format(time.RFC3339) + `") && workflow == "order" && !truncated`)}, []int{1, 2, 3}, 0},
		"expression, event":   {Filter{Where: where(`double(event.totals.gross) > 100.0 && event.customer.billing_address.country == "DE" && event.order_id != "O3"`)}, []int{0, 1}, 1},
		"expression, unclear": {Filter{Where: where(`event.attributes.colour == "red"`)}, nil, 4},
		"expression, either":  {Filter{Where: where(`key == "O2" || event.order_id == "O0"`)}, []int{0, 2}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []ID
			scan, err := w.desk().Scan(t.Context(), &test.filter, func(l *Letter, _ State, _ *kgo.Record) error { got = append(got, l.ID); return nil }, nil)
			if err != nil {
				t.Fatal(err)
			}
			var want []ID
			for _, i := range test.want {
				want = append(want, ids[i])
			}
			slices.SortFunc(got, func(a, b ID) int { return strings.Compare(a.String(), b.String()) })
			if diff := cmp.Diff(want, got); diff != "" || scan.Unevaluated != test.unevaluated {
				t.Errorf("%s, %d unevaluated", diff, scan.Unevaluated)
			}
		})
	}
}

func TestExpressionsThatAreWrongAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`klass == "x"`:      "undeclared reference",
		`class == `:         "Syntax error",
		`class`:             "must be true or false",
		`class == 1`:        "no matching overload",
		`size(headers) + 1`: "must be true or false",
	} {
		if _, err := ParseWhere(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAnExpressionThatWorksTooMuchChoosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(sample{order: "O1"})
	bomb := "[1,2,3,4,5,6,7,8,9,10]"
	text := bomb + ".all(a, true)"
	for i := range 7 {
		text = fmt.Sprintf("%s.all(v%d, %s)", bomb, i, text)
	}
	where, err := ParseWhere(text)
	if err != nil {
		t.Fatal(err)
	}
	scan, err := w.desk().Scan(t.Context(), &Filter{Where: where}, func(*Letter, State, *kgo.Record) error { t.Error("chosen"); return nil }, nil)
	if err != nil || scan.Unevaluated != 1 {
		t.Errorf("%+v %v", scan, err)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	w := newEmptyWorld(t)
	d := w.desk()
	full := w.source() + ".dlq"
	for text, want := range map[string]ID{
		full + "/0/42":        {full, 0, 42},
		w.source() + "/3/7":   {full, 3, 7},
		"orders/1/0":          {full, 1, 0},
		"orders":              {},
		"orders/1":            {},
		"orders/-1/0":         {},
		"orders/0/x":          {},
		"customers/0/1":       {},
		"orders/99999999999/": {},
		"":                    {},
	} {
		got, err := d.ParseID(text)
		if got != want || (err == nil) == want.IsZero() {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	ids, err := d.ReadIDs(strings.NewReader("# chosen by ann\n\norders/0/1\trejected.tax\tO1\n " + full + "/1/2  \n"))
	if err != nil || len(ids) != 2 || !ids[ID{full, 0, 1}] || !ids[ID{full, 1, 2}] {
		t.Errorf("%v %v", ids, err)
	}
	if _, err := d.ReadIDs(strings.NewReader("orders/0/1\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}

func TestOffsetsAreWrittenShortAndReadBack(t *testing.T) {
	t.Parallel()
	ids := []ID{{"t", 1, 3}, {"t", 0, 12}, {"t", 0, 13}, {"t", 0, 14}, {"t", 0, 44}, {"t", 1, 1}}
	got := formatOffsets(ids)
	if got != "0:12-14,44 1:1,3" {
		t.Error(got)
	}
	back, err := parseOffsets(got)
	if err != nil || len(back[0]) != 2 || back[0][0] != (span{12, 15}) || len(back[1]) != 2 {
		t.Errorf("%v %v", back, err)
	}
	for _, text := range []string{"", "0", "0:", "x:1", "0:5-3", "0:-1", "0:1,,2"} {
		if _, err := parseOffsets(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestWhatIsNoDeadLetterOfOursIsShownAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := &kgo.Record{Topic: w.source() + ".dlq", Key: []byte("\x1b[2J"), Headers: []kgo.RecordHeader{
		text("dlq.attempts", "-5"), text("dlq.failed-at", "yesterday"), text("dlq.source.partition", "x"), text("dlq.replay.count", "99999999999999999999"),
	}}
	testkit.Produce(t, w.cluster.Addrs, foreign)
	sum, _, err := w.desk().List(t.Context(), &Filter{}, nil, nil)
	if err != nil || sum.Count != 1 || sum.Groups[0].Rows[0].Name != classUnknown || sum.Groups[1].Rows[0].Name != "order" {
		t.Errorf("%+v %v", sum, err)
	}
	v, err := w.desk().Show(t.Context(), idOf(foreign))
	if err != nil || v.Outlook.Kind != FateNoSource {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := w.desk().Show(t.Context(), ID{w.source() + ".dlq", 1, 5}); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestReadingPassesAbortedTransactionsAndRemovedRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(4)
	cl := testkit.Client(t, w.cluster.Addrs, kgo.TransactionalID(testkit.Name(t, "aborted")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), w.record(sample{order: "never"}), w.record(sample{order: "never", partition: 1})).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	sum, _, err := w.desk().List(t.Context(), &Filter{}, nil, nil)
	if err != nil || sum.Count != 4 {
		t.Errorf("%+v %v", sum, err)
	}
}

func TestShowTellsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.put(sample{order: "O1", offset: 7}, sample{order: "O1", offset: 7, replays: 1})
	out := &schemas.Outcome{
		OutcomeID: outcomeID(w, 7), Status: schemas.StatusRejected, Workflow: "order", Source: schemas.Source{Topic: w.source(), Offset: 7}, Version: "1", SettledAt: began,
	}
	value, err := w.codec.EncodeOutcome(t.Context(), w.cfg.Topics.Outcomes, out)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Produce(t, w.cluster.Addrs,
		&kgo.Record{Topic: w.cfg.Topics.Outcomes, Value: []byte("not this one"), Timestamp: began.Add(-time.Hour)},
		&kgo.Record{Topic: w.cfg.Topics.Outcomes, Value: value, Timestamp: began},
		&kgo.Record{Topic: w.cfg.Topics.Outcomes, Value: []byte("nor this"), Timestamp: began.Add(time.Hour)})
	v, err := w.desk().Show(t.Context(), ids[1])
	if err != nil {
		t.Fatal(err)
	}
	if v.State != StateOpen || v.Letter.Replays != 1 || v.TraceID != "0123456789abcdef0123456789abcdef" || !strings.Contains(string(v.Event), `"order_id":"O1"`) ||
		!strings.Contains(string(v.Outcome), `"status":"REJECTED"`) || v.Plan.Text != "posts O1" || v.Claim == nil || v.Claim.State != "none" || v.Outlook.Kind != FateRetry {
		t.Errorf("%+v", v)
	}
	if len(v.History) != 1 || v.History[0].ID != ids[0] {
		t.Errorf("history %+v", v.History)
	}
}
