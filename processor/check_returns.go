package processor

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// Zoho takes no lines with a negative quantity or price. What an order takes back itself (the old article of an exchange, a
// deposit that comes back) is therefore posted by this rule, for each combination of taxes by itself:
//
//   - The lines with these taxes come to something positive or nothing: what is taken back is taken off them, first off
//     those on the same item or account, by largest remainder.
//   - They come to less than nothing: they go onto a credit note of their own (key returned:<order id>), which is applied
//     to the invoice; what is sold with these taxes is taken off it in the same way.
//
// Net, tax and total of each combination are thus the event's.

// takeBack sets what each line posts.
func (s *sheet) takeBack() {
	for i := range s.lines {
		s.lines[i].post = s.lines[i].base
	}
	if !s.returns {
		return
	}
	var codes []string
	groups := make(map[string][]int)
	for i := range s.lines {
		l := &s.lines[i]
		if l.Kind == schemas.LineRounding {
			continue
		}
		if groups[l.code] == nil {
			codes = append(codes, l.code)
		}
		groups[l.code] = append(groups[l.code], i)
	}
	for _, code := range codes {
		s.net(groups[code])
	}
}

// net takes the smaller side of a group of lines with the same taxes off the larger one.
func (s *sheet) net(group []int) {
	var sold, taken []int
	sum := decimal.Zero
	for _, i := range group {
		l := &s.lines[i]
		sum = sum.Add(l.base)
		if l.negative() {
			taken = append(taken, i)
		} else {
			sold = append(sold, i)
		}
		l.post = l.base.Abs()
	}
	larger, smaller := sold, taken
	if sum.Sign() < 0 {
		larger, smaller = taken, sold
		for _, i := range group {
			s.lines[i].back = true
		}
	}
	for _, i := range smaller {
		l := &s.lines[i]
		var same []int
		for _, j := range larger {
			if s.lines[j].target == l.target {
				same = append(same, j)
			}
		}
		rest := s.takeOff(l.post, same)
		s.takeOff(rest, larger)
		l.post = decimal.Zero
	}
}

// takeOff takes as much of an amount off the lines as they have, and answers what's left of it.
func (s *sheet) takeOff(amount decimal.Decimal, from []int) decimal.Decimal {
	limits := make([]decimal.Decimal, len(from))
	sum := decimal.Zero
	for k, i := range from {
		limits[k], sum = s.lines[i].post, sum.Add(s.lines[i].post)
	}
	take := decimal.Min(amount, sum)
	if take.Sign() == 0 {
		return amount
	}
	shares, _ := money.SpreadCapped(take, limits, s.currency)
	for k, i := range from {
		s.lines[i].post = s.lines[i].post.Sub(shares[k])
	}
	return amount.Sub(take)
}

// negative says whether the line takes something back.
func (l *sheetLine) negative() bool {
	return l.Kind != schemas.LineRounding && (l.Quantity.Sign() < 0 || l.UnitPrice.Sign() < 0)
}

// invoiced says whether the line is on the invoice; the others are on the credit note, taken off other lines, or rounding.
func (l *sheetLine) invoiced() bool {
	return l.Kind != schemas.LineRounding && !l.back && !l.negative()
}

// returned says whether the line is on the credit note of what the order takes back.
func (l *sheetLine) returned() bool { return l.back && l.negative() }
