"""A shop that is not written in this project's language or with its libraries: it makes up orders, payments and refunds
from a seed, encodes them with fastavro (Avro single-object encoding) and says what the books must hold in the end.

    shop.py --seed 7 --orders 300 --schemas DIR --out DIR --chunks 8 --key-end TEXT --value-end TEXT

writes to DIR
    NNNNN.<topic>     records for `kcat -P -K KEY_END -D VALUE_END -l FILE`, in the order of the names
    expected.json   every record with its verdict, every document, and the accounts, by arithmetic of this script alone

The company is the one of `booksync simulator`; all amounts are US dollars.
"""

import argparse
import hashlib
import io
import json
import os
import random
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import fastavro
import fastavro.schema

CENT = Decimal("0.01")
ORGANIZATION = "demo"
# As `booksync simulator --print-config` maps them.
TAXES = {"ny-sales-tax": Decimal("8.875"), "nj-sales-tax": Decimal("6.625"), "tx-sales-tax": Decimal("8.25"), "zero-rate": Decimal(0)}
GATEWAYS = ["stripe", "paypal"]
START = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)


def placed(i):
    """All within one month: a cancellation of the next one would be a credit note, and no void invoice."""
    return START + timedelta(minutes=11 * (i % 3000))


def cents(amount):
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


class Encoder:
    """Avro single-object encoding: C3 01, the schema's CRC-64-AVRO, the record."""

    def __init__(self, folder):
        self.schemas = {}
        for topic, name in {"orders": "order", "payments": "payment", "refunds": "refund"}.items():
            with open(os.path.join(folder, name + ".avsc"), encoding="utf-8") as f:
                raw = json.load(f)
            # fastavro gives the fingerprint's bytes in the order that the encoding wants them.
            mark = fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(raw), "CRC-64-AVRO")
            self.schemas[topic] = (b"\xc3\x01" + bytes.fromhex(mark), fastavro.parse_schema(raw))

    def encode(self, topic, event):
        mark, schema = self.schemas[topic]
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, event)
        return mark + out.getvalue()


class Shop:
    def __init__(self, seed, customers, plain, encoder):
        self.r = random.Random(seed)
        self.customers, self.plain = customers, plain
        self.encoder = encoder
        self.records = []  # (place, number, topic, key, value, expectation)
        self.books = {"orders": {}, "payments": {}, "refunds": {}}
        self.accounts = {"receivable": Decimal(0), "fees": Decimal(0), "sold": Decimal(0), "stripe": Decimal(0), "paypal": Decimal(0)}

    def percent(self, share):
        return self.r.randrange(100) < share

    def event(self, at):
        return {
            "event_id": f"evt-{self.r.getrandbits(64):016x}", "occurred_at": at, "source": "foreign-shop", "organization": ORGANIZATION,
            "attributes": {"channel": self.r.choice(["web", "app"])},
        }

    def send(self, place, topic, key, event, status, error=None):
        """Adds a record. place is when it is produced: stories are 1 apart, so +3 is three orders later."""
        value = event if isinstance(event, bytes) else self.encoder.encode(topic, event)
        expectation = {"topic": topic, "key": key, "sha256": hashlib.sha256(value).hexdigest(), "status": status, "class": error or ""}
        self.records.append((place, len(self.records), topic, key, value, expectation))

    def again(self, place, topic, key, event):
        """Now and then a producer sends the same transaction twice, under another event id."""
        if self.percent(8):
            self.send(place, topic, key, {**event, "event_id": f"evt-{self.r.getrandbits(64):016x}"}, "DUPLICATE")

    def story(self, i):
        """One order and what follows it."""
        order = self.order(i)
        key = order["order_id"]
        if self.plain:
            self.send(i, "orders", key, order, "POSTED")
            gross = order["totals"]["gross"]
            self.books["orders"][key] = {"total": gross, "tax": order["totals"]["tax"], "void": False, "balance": gross}
            self.accounts["receivable"] += gross
            self.accounts["sold"] -= gross
            return
        if self.percent(2):
            order["totals"]["gross"] += 10
            self.send(i, "orders", key, order, "REJECTED", "rejected.totals")
            return
        self.send(i, "orders", key, order, "POSTED")
        self.again(i + self.r.randrange(20), "orders", key, order)
        if self.percent(2):
            topic = self.r.choice(["orders", "payments", "refunds"])
            self.send(i, topic, key, b"\x07" + self.r.randbytes(5 + self.r.randrange(60)), "REJECTED", "poison.decode")
        gross, paid, back = order["totals"]["gross"], Decimal(0), Decimal(0)
        book = {"total": gross, "tax": order["totals"]["tax"], "void": False}
        self.books["orders"][key] = book
        if self.percent(12):
            if self.percent(40):  # cancelled before it was paid
                self.send(i + 30, "orders", key, {**order, **self.event(order["placed_at"] + timedelta(hours=2)), "kind": "CANCELLED", "revision": 2}, "POSTED")
                self.send(i + 60, "orders", key, {**order, "event_id": f"evt-{self.r.getrandbits(64):016x}"}, "DUPLICATE")
                book["void"], gross = True, Decimal(0)
        else:
            paid, back = self.money(i, order)
        owed = max(gross - paid, Decimal(0))
        book["balance"] = owed
        self.accounts["receivable"] += owed
        self.accounts["sold"] -= gross - back

    def order(self, i):
        at = placed(i)
        c = self.r.randrange(self.customers)
        lines = []
        for n in range(1 + self.r.randrange(4)):
            price, quantity = Decimal(199 + self.r.randrange(20000)) / 100, Decimal(1 + self.r.randrange(3))
            discount = cents(price * quantity / 10) if self.percent(15) else Decimal(0)
            lines.append({"line_id": f"l{n + 1}", "kind": "GOODS", "name": self.r.choice(["Mug", "Apron", "Kettle", "Lamp"]),
                          "quantity": quantity, "unit_price": price, "discount": discount})
        if self.percent(40):
            lines.append({"line_id": "ship", "kind": "SHIPPING", "name": "Shipping", "quantity": Decimal(1), "unit_price": Decimal("5.90"), "discount": Decimal(0)})
        totals = self.tax(lines)
        return {
            **self.event(at), "kind": "CREATED", "revision": 1, "order_id": f"ord-{i:06d}", "order_number": f"#{1000 + i}", "currency": "USD",
            "prices_include_tax": False,
            "customer": {"id": f"cust-{c:03d}", "name": f"Customer {c:03d}", "email": f"customer{c:03d}@example.com",
                         "billing_address": {"line1": f"{c + 1} Main Street", "city": "Springfield", "country": "US"}},
            "lines": lines, "totals": totals, "placed_at": at,
        }

    def tax(self, lines):
        """Rounds each rate's tax once over the sum of its lines; the last line of a rate carries the cents that differ."""
        net, bases = Decimal(0), {}
        for line in lines:
            base = cents(line["quantity"] * line["unit_price"]) - line["discount"]
            net += base
            code = self.r.choice(list(TAXES))
            bases.setdefault(code, []).append(base)
            line["taxes"] = [{"code": code, "rate": TAXES[code], "amount": cents(base * TAXES[code] / 100), "collected_by": "SELLER"}]
        whole = {code: cents(sum(b) * TAXES[code] / 100) for code, b in bases.items()}
        for code, amount in whole.items():
            mine = [line["taxes"][0] for line in lines if line["taxes"][0]["code"] == code]
            mine[-1]["amount"] += amount - sum(t["amount"] for t in mine)
        tax = sum(whole.values(), Decimal(0))
        return {"net": net, "tax": tax, "gross": net + tax}

    def money(self, i, order):
        """Pays the order, as a rule all of it, and gives some of it back. Returns both sums."""
        key, gross = order["order_id"], order["totals"]["gross"]
        at = order["placed_at"] + timedelta(minutes=5 + self.r.randrange(300))
        amount = gross
        if self.percent(6):
            amount = cents(gross / 2)
        elif self.percent(4):
            amount = gross + 5
        gateway = self.r.choice(GATEWAYS)
        payment = {**self.event(at), "kind": "CAPTURED", "payment_id": f"pay-{i:06d}", "order_id": key, "amount": amount, "currency": "USD",
                   "method": "card", "gateway": gateway, "gateway_reference": f"ch_{i:06d}", "received_at": at}
        fee = cents(amount * Decimal("0.029"))
        if self.percent(70) and fee > 0:
            payment["fee"] = {"amount": fee, "currency": "USD"}
        else:
            fee = Decimal(0)
        early = self.percent(12)
        place = i - 10 if early else i + 2 + self.r.randrange(20)
        self.send(place, "payments", key, payment, "POSTED")
        self.again(place + self.r.randrange(20), "payments", key, payment)
        self.books["payments"][payment["payment_id"]] = {"total": amount, "fee": fee, "gateway": gateway}
        self.accounts["fees"] += fee
        self.accounts[gateway] += amount - fee
        back = Decimal(0)
        if self.percent(20):
            for n in range(1 + self.r.randrange(2)):
                most = min(amount, gross) - back
                part = most if self.percent(40) else cents(most * self.r.randrange(10, 80) / 100)
                if part > 0:
                    back += part
                    self.refund(place, i, n, payment, part)
        return amount, back

    def refund(self, place, i, n, payment, amount):
        at = payment["received_at"] + timedelta(hours=1 + self.r.randrange(90))
        refund = {**self.event(at), "refund_id": f"ref-{i:06d}-{n}", "order_id": payment["order_id"], "payment_id": payment["payment_id"],
                  "amount": amount, "currency": "USD", "reason": "returned", "lines": [], "method": "card", "gateway": payment["gateway"],
                  "gateway_reference": f"re_{i:06d}_{n}", "refunded_at": at}
        place += -8 if self.percent(25) else 5 + n + self.r.randrange(20)
        self.send(place, "refunds", payment["order_id"], refund, "POSTED")
        self.again(place + self.r.randrange(10), "refunds", payment["order_id"], refund)
        self.books["refunds"][refund["refund_id"]] = {"total": amount, "gateway": payment["gateway"]}
        self.accounts[payment["gateway"]] -= amount

    def orphan(self, i):
        """A payment of an order that never comes."""
        at = placed(i)
        payment = {**self.event(at), "kind": "CAPTURED", "payment_id": f"pay-lost-{i}", "order_id": f"ord-lost-{i}", "amount": Decimal("12.34"),
                   "currency": "USD", "method": "card", "gateway": "stripe", "gateway_reference": f"ch_lost_{i}", "received_at": at}
        self.send(i, "payments", payment["order_id"], payment, "REJECTED", "dependency.missing")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--orders", type=int, required=True)
    p.add_argument("--customers", type=int, default=60)
    p.add_argument("--plain", action="store_true", help="new orders only, each once")
    p.add_argument("--chunks", type=int, required=True)
    for name in ["schemas", "out", "key-end", "value-end"]:
        p.add_argument("--" + name, required=True)
    o = p.parse_args()

    shop = Shop(o.seed, o.customers, o.plain, Encoder(o.schemas))
    for i in range(o.orders):
        shop.story(i)
    if not o.plain:
        shop.orphan(o.orders // 2)
    records = sorted(shop.records, key=lambda r: r[:2])
    key_end, value_end = o.key_end.encode(), o.value_end.encode()
    size = -(-len(records) // o.chunks)
    for n in range(0, len(records), size):
        chunk = records[n:n + size]
        # The hardest order within a chunk: refunds, then payments, then orders.
        for at, topic in enumerate(["refunds", "payments", "orders"]):
            mine = [key.encode() + key_end + value for _, _, t, key, value, _ in chunk if t == topic]
            if any(r.count(key_end) != 1 or value_end in r for r in mine):
                raise SystemExit("a record holds a delimiter: choose others")
            if mine:
                with open(os.path.join(o.out, f"{n // size:04d}{at}.{topic}"), "wb") as f:
                    f.write(value_end.join(mine))
    with open(os.path.join(o.out, "expected.json"), "w", encoding="utf-8") as f:
        json.dump({"records": [r[5] for r in records], "books": shop.books, "accounts": shop.accounts}, f, default=str)


if __name__ == "__main__":
    main()
