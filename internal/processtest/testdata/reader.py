"""Reads booksync's topics as anyone would: librdkafka's consumer with isolation.level read_committed, and fastavro.

    reader.py watch --brokers B --schema outcome.avsc --outcomes TOPIC
        prints a line of JSON for every outcome as it becomes visible, until standard input ends

    reader.py read --brokers B --schema outcome.avsc --outcomes TOPIC --sources T,T,T --dead-letter-suffix .dlq --group G
        prints one object: all outcomes and dead letters from the first to the last, the source records, and how much of
        the sources the group has not committed
"""

import argparse
import hashlib
import io
import json
import sys
import threading

import fastavro
import fastavro.schema
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition


def consumer(brokers, group):
    return Consumer({
        "bootstrap.servers": brokers, "group.id": group, "isolation.level": "read_committed", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "enable.partition.eof": True, "fetch.wait.max.ms": 100,
    })


def partitions(c, topic):
    meta = c.list_topics(topic, timeout=30).topics[topic]
    if meta.error is not None:
        raise SystemExit(f"{topic}: {meta.error}")
    return [TopicPartition(topic, p, OFFSET_BEGINNING) for p in meta.partitions]


class Decoder:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            raw = json.load(f)
        self.mark = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(raw), "CRC-64-AVRO"))
        self.schema = fastavro.parse_schema(raw)

    def decode(self, value):
        if value[:10] != self.mark:
            raise SystemExit(f"an outcome begins with {value[:10].hex()}, want {self.mark.hex()}")
        body = io.BytesIO(value[10:])
        out = fastavro.schemaless_reader(body, self.schema)
        if body.read():
            raise SystemExit("an outcome has bytes behind its end")
        return {
            "outcome_id": out["outcome_id"], "status": out["status"], "business_id": out["business_id"] or "",
            "topic": out["source"]["topic"], "partition": out["source"]["partition"], "offset": out["source"]["offset"],
            "class": (out["error"] or {}).get("class", ""), "message": (out["error"] or {}).get("message", ""),
            "settled_at": int(out["settled_at"].timestamp() * 1000), "calls": out["calls"],
            "documents": [f"{d['type']} {d['id']}" for d in out["documents"]],
        }


def watch(o):
    decoder, c = Decoder(o.schema), consumer(o.brokers, o.group)
    c.assign(partitions(c, o.outcomes))
    done = threading.Event()

    def ended():
        sys.stdin.read()
        done.set()

    threading.Thread(target=ended, daemon=True).start()
    while not done.is_set():
        m = c.poll(0.1)
        if m is None:
            continue
        if m.error() is not None:
            if m.error().fatal():
                raise SystemExit(str(m.error()))
            continue  # the end of a partition, or a broker that is away and comes back
        print(json.dumps(decoder.decode(m.value())), flush=True)
    c.close()


def everything(c, topic):
    """All records that a read_committed reader sees, up to the stable end."""
    assigned = partitions(c, topic)
    c.assign(assigned)
    left = {p.partition for p in assigned}
    while left:
        m = c.poll(30)
        if m is None:
            raise SystemExit(f"{topic}: no answer for 30 s")
        if m.error() is None:
            yield m
        elif m.error().code() == KafkaError._PARTITION_EOF:
            left.discard(m.partition())
        else:
            raise SystemExit(f"{topic}: {m.error()}")


def digest(value):
    return hashlib.sha256(value or b"").hexdigest()


def read(o):
    decoder, c = Decoder(o.schema), consumer(o.brokers, o.group)
    found = {"outcomes": [], "dead_letters": [], "sources": [], "lag": 0}
    for m in everything(c, o.outcomes):
        found["outcomes"].append(decoder.decode(m.value()))
    for topic in o.sources.split(","):
        for m in everything(c, topic):
            found["sources"].append({"topic": topic, "partition": m.partition(), "offset": m.offset(), "key": m.key().decode(), "sha256": digest(m.value())})
        for m in everything(c, topic + o.dead_letter_suffix):
            headers = {k: v.decode() for k, v in m.headers() or []}
            found["dead_letters"].append({
                "topic": headers["dlq.source.topic"], "partition": int(headers["dlq.source.partition"]), "offset": int(headers["dlq.source.offset"]),
                "key": m.key().decode(), "sha256": digest(m.value()), "class": headers["dlq.class"], "stored_in": m.topic(),
            })
        for p in c.committed([TopicPartition(topic, p.partition) for p in partitions(c, topic)], timeout=30):
            low, high = c.get_watermark_offsets(p, timeout=30)
            found["lag"] += high - (p.offset if p.offset >= 0 else low)
    c.close()
    json.dump(found, sys.stdout)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mode", choices=["watch", "read"])
    for name in ["brokers", "schema", "outcomes", "group"]:
        p.add_argument("--" + name, required=True)
    p.add_argument("--sources", default="")
    p.add_argument("--dead-letter-suffix", default=".dlq")
    o = p.parse_args()
    (watch if o.mode == "watch" else read)(o)


if __name__ == "__main__":
    main()
