package dlq

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

func outcomeID(w *world, offset int64) string {
	return processor.OutcomeID(w.cfg.Kafka.Group, w.source(), 0, offset)
}

const mendTax = `[{"op":"test","path":"/lines/0/taxes/0/code","value":"vat19"},{"op":"replace","path":"/lines/0/taxes/0/code","value":"vat20"}]`

func TestEditSendsTheMendedEventAndKeepsTheOriginal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unmapped["vat19"] = true
	ids := w.put(sample{order: "O1", partition: 1, offset: 4, replays: 3, headers: []kgo.RecordHeader{text("x-tenant", "7")}})
	req := &EditRequest{ID: ids[0], Patch: []byte(mendTax), Actor: "ann", Reason: "misspelt", Selector: ids[0].String()}
	e, err := w.desk().Edit(t.Context(), req)
	if err != nil || e.Applied || len(w.replayed()) != 0 {
		t.Fatalf("a dry run: %+v %v", e, err)
	}
	if diff := cmp.Diff([]Change{{"/lines/0/taxes/0/code", "vat19", "vat20"}}, e.Changes); diff != "" {
		t.Error(diff)
	}
	req.Apply = true
	if e, err = w.desk().Edit(t.Context(), req); err != nil || !e.Applied {
		t.Fatalf("%+v %v", e, err)
	}
	back := w.replayed()
	if len(back) != 1 || back[0].Partition != 1 || string(back[0].Key) != "O1" {
		t.Fatalf("%v", back)
	}
	o, _, err := w.codec.DecodeOrder(t.Context(), back[0].Value, back[0].Headers)
	if err != nil || o.Lines[0].Taxes[0].Code != "vat20" || o.EventID != "e-O1-1" {
		t.Errorf("%+v %v", o, err)
	}
	for key, want := range map[string]string{
		processor.HeaderReplayCount: "1", processor.HeaderReplayID: e.Action, headerReplayOf: ids[0].String(), "dlq.source.offset": "4", "x-tenant": "7", headerClass: "",
	} {
		if got := headerOf(back[0], key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	a := w.audits()
	if len(a) != 1 || a[0].Action != "edit" || a[0].Details["changed"] != "/lines/0/taxes/0/code" || a[0].Details["id"] != ids[0].String() || a[0].Reason != "misspelt" {
		t.Errorf("%+v", a)
	}
	if _, err := w.desk().Edit(t.Context(), req); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was edited by ann") {
		t.Errorf("again: %v", err)
	}
	if v, err := w.desk().Show(t.Context(), ids[0]); err != nil || !strings.Contains(string(v.Event), `"vat19"`) || v.State != StateEdited || v.Mark.Reason != "misspelt" {
		t.Errorf("the original: %+v %v", v, err)
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unmapped["moon"] = true
	ids := w.put(sample{order: "O1"}, sample{order: "O2", offset: 1, class: "poison.decode", value: []byte{1, 2}})
	for name, test := range map[string]struct {
		id    ID
		patch string
		want  string
	}{
		"no patch at all":       {ids[0], `{"a":1}`, "reading the patch"},
		"a path that is not":    {ids[0], `[{"op":"replace","path":"/lines/7/name","value":"x"}]`, "applying the patch"},
		"a negative index":      {ids[0], `[{"op":"remove","path":"/lines/-1"}]`, "applying the patch"},
		"a test that fails":     {ids[0], `[{"op":"test","path":"/order_id","value":"O9"}]`, "applying the patch"},
		"no event any more":     {ids[0], `[{"op":"remove","path":"/order_id"}]`, "the mended event is none"},
		"an unknown field":      {ids[0], `[{"op":"add","path":"/colour","value":"red"}]`, "unknown field"},
		"no change":             {ids[0], `[]`, "nothing changes"},
		"another transaction":   {ids[0], `[{"op":"replace","path":"/order_id","value":"O9"}]`, "it would be another transaction"},
		"another organisation":  {ids[0], `[{"op":"replace","path":"/organization","value":"acne"}]`, "it would be another transaction"},
		"would be rejected":     {ids[0], `[{"op":"replace","path":"/lines/0/taxes/0/code","value":"moon"}]`, "rejected again: rejected.tax"},
		"nothing to be patched": {ids[1], `[]`, "--event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := w.desk().Edit(t.Context(), &EditRequest{ID: test.id, Patch: []byte(test.patch), Actor: "ann", Reason: "x"})
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEditPutsAnEventInPlaceOfWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.put(sample{order: "wrong-key", offset: 1, class: "poison.decode", value: []byte{1, 2},
		headers: []kgo.RecordHeader{text(schemas.HeaderValueSchemaID, "\x00\x00\x00\x00\x07")}})
	whole, err := schemas.OrderToJSON(w.order("O2", 1))
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.desk().Edit(t.Context(), &EditRequest{ID: ids[0], Event: whole, Actor: "ann", Reason: "x", Apply: true})
	if err != nil || !e.Applied || e.Before != nil {
		t.Fatalf("%+v %v", e, err)
	}
	back := w.replayed()
	if len(back) != 1 || string(back[0].Key) != "O2" || headerOf(back[0], "dlq.source.offset") != "1" {
		t.Fatalf("%v", back)
	}
	// The schema that a header names is that of the value as it was.
	if got := w.eventIDs(back); got[0] != "O2-1" || headerOf(back[0], schemas.HeaderValueSchemaID) != "" {
		t.Errorf("%v %v", got, back[0].Headers)
	}
}

func TestACrashOfAnEditLeavesItDoneOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"begun", "produced", "marked", "committed"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ids := w.put(sample{order: "O1"})
			req := &EditRequest{ID: ids[0], Patch: []byte(mendTax), Actor: "ann", Reason: "x", Apply: true}
			dead := w.desk()
			dead.step = func(at string) error {
				if at == step {
					return errCrash
				}
				return nil
			}
			if _, err := dead.Edit(t.Context(), req); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			_, err := w.desk().Edit(t.Context(), req)
			if refused := errors.Is(err, ErrRefused); refused != (step == "committed") || err != nil && !refused {
				t.Errorf("again: %v", err)
			}
			if n := len(w.replayed()); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}
