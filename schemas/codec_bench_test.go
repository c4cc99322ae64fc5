package schemas

import (
	"context"
	"testing"
)

func BenchmarkDecodeOrder(b *testing.B) {
	ctx, c := context.Background(), mustCodec(b)
	value, err := c.EncodeOrder(ctx, "t", sampleOrder())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.DecodeOrder(ctx, value, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGoavroOrder is what goavro takes for whole records, to maps.
func BenchmarkGoavroOrder(b *testing.B) {
	ctx, c := context.Background(), mustCodec(b)
	value, err := c.EncodeOrder(ctx, "t", sampleOrder())
	if err != nil {
		b.Fatal(err)
	}
	codec := ownOf(KindOrder).codec
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(value[10:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePayment(b *testing.B) {
	ctx, c := context.Background(), mustCodec(b)
	value, err := c.EncodePayment(ctx, "t", samplePayment())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.DecodePayment(ctx, value, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeOrder(b *testing.B) {
	ctx, c, v := context.Background(), mustCodec(b), sampleOrder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.EncodeOrder(ctx, "t", v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeOutcome(b *testing.B) {
	ctx, c, v := context.Background(), mustCodec(b), sampleOutcome()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.EncodeOutcome(ctx, "t", v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewWriter(b *testing.B) {
	text := Schema(KindOrder)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newWriter(text); err != nil {
			b.Fatal(err)
		}
	}
}
