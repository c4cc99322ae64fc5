"""Writes <kind>.fastavro.hex: the record given as JSON (schemas' own JSON form), in single-object encoding, by fastavro.

Usage: fastavro_golden.py KIND AVSC JSON > KIND.fastavro.hex
"""
import datetime, decimal, io, json, sys
import fastavro

kind, avsc, text = sys.argv[1:]
raw = json.load(open(avsc))
schema = fastavro.parse_schema(raw)


def convert(typ, v):
    if isinstance(typ, list):
        if v is None:
            return None
        return convert(next(t for t in typ if t != "null"), v)
    if isinstance(typ, str) and typ in named:
        typ = named[typ]
    if isinstance(typ, dict):
        if typ["type"] == "record":
            named[typ["name"]] = typ
            return {f["name"]: convert(f["type"], v[f["name"]]) for f in typ["fields"]}
        if typ["type"] == "array":
            return [convert(typ["items"], i) for i in v]
        if typ.get("logicalType") == "decimal":
            return decimal.Decimal(v)
        if typ.get("logicalType") == "timestamp-millis":
            return datetime.datetime.fromisoformat(v.replace("Z", "+00:00"))
    return v


named = {}
buf = io.BytesIO()
fastavro.schemaless_writer(buf, schema, convert(raw, json.load(open(text))))
# fastavro prints the fingerprint's bytes in the order single-object encoding wants them
mark = fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(raw), "CRC-64-AVRO")
h = "c301" + mark + buf.getvalue().hex()
print("\n".join(h[i:i + 100] for i in range(0, len(h), 100)))
