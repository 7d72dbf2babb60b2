"""JSON that is broken, deep, doubled, or not made of records."""

import json

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.retail import Record


def _lines(*lines: str, rows: list[dict[str, str | None]] | None = None) -> bytes:
    return "\n".join([*(json.dumps(row) for row in rows or []), *lines]).encode() + b"\n"


def _json(row: Record, **others: object) -> str:
    return json.dumps({**row, **others}, ensure_ascii=False)


@bad("JSON lines with a broken line", suffix="jsonl", valid=records(2), quarantined=1)
def broken_line() -> bytes:
    return _lines(_json(records()[0]), '{"InvoiceNo": "550001", "Stock', _json(records()[1]))


@bad("JSON lines with two lines that are broken alike", suffix="jsonl", valid=records(1), quarantined=2)
def broken_alike() -> bytes:
    return _lines(_json(records()[0]), '{"InvoiceNo": "550001", "St', '{"InvoiceNo": "550002", "St')


@bad("JSON objects without line ends between them, one of them broken", suffix="json", valid=records(3), quarantined=1)
def a_broken_object_of_a_stream() -> bytes:
    first, second, third = map(json.dumps, records(3))
    return (first + second + '{"id": 3,}' + third).encode()


@bad("JSON lines cut short", suffix="jsonl", valid=records(2), quarantined=1)
def lines_cut() -> bytes:
    return _lines(rows=records())[:-30]


@bad("JSON lines with one array among the objects", suffix="jsonl", valid=records(2), quarantined=1)
def array_line() -> bytes:
    return _lines(_json(records()[0]), '["550001", "85123A"]', _json(records()[1]))


@bad("JSON array cut short", suffix="json")
def array_cut() -> bytes:
    return json.dumps(records()).encode()[:-30]


@bad("JSON array with something after it", suffix="json")
def array_and_more() -> bytes:
    return json.dumps(records()).encode() + b"[]"


@bad("JSON array of numbers", suffix="json")
def numbers() -> bytes:
    return b"[1, 2, 3]"


@bad("JSON array with non-objects among the objects", suffix="json", valid=records(), quarantined=3)
def mixed_array() -> bytes:
    return json.dumps([*records(), 7, "text", None]).encode()


@bad("empty JSON array", suffix="json")
def empty_array() -> bytes:
    return b"[]\n"


@bad("empty JSON object", suffix="json")
def empty_object() -> bytes:
    return b"{}"


@bad("JSON object with the records inside", suffix="json")
def wrapped() -> bytes:
    return json.dumps({"count": 3, "data": records()}).encode()


@bad("one JSON object over several lines", suffix="json", valid=records(1))
def pretty() -> bytes:
    return json.dumps(records(1)[0], indent=2).encode()


@bad("JSON with a key twice in an object", suffix="jsonl", valid=records(2), quarantined=1)
def doubled_key() -> bytes:
    return _lines(_json(records()[0]), _json(records()[1]), _json(records()[2])[:-1] + ', "Quantity": "300"}')


@bad("JSON nested 100,000 deep", suffix="json")
def nested_array() -> bytes:
    return b"[" * 100_000 + b"]" * 100_000


@bad("JSON lines with a value nested 100,000 deep", suffix="jsonl", valid=records(2), quarantined=1)
def nested_value() -> bytes:
    deep = "[" * 100_000 + "]" * 100_000
    return _lines(_json(records()[0]), _json(records()[2])[:-1] + f', "Note": {deep}}}', _json(records()[1]))


@bad("JSON lines with an unknown value nested 700 deep", suffix="jsonl", quarantined=3)
def nested_moderately() -> bytes:
    deep = "[" * 700 + "]" * 700
    return _lines(*(_json(row)[:-1] + f', "Note": {deep}}}' for row in records()))


@bad("JSON numbers beyond 64 bits", suffix="jsonl", valid=records(1), quarantined=2)
def large_numbers() -> bytes:
    huge = [_json(records()[0], Quantity=number) for number in (2**63, -(2**200))]
    return _lines(_json(records()[0], Quantity=1, UnitPrice=2.55), *huge)


@bad("a JSON number of 10,000 digits", suffix="jsonl", valid=records(1), quarantined=1)
def endless_number() -> bytes:
    return _lines(_json(records()[0]), _json(records()[1]).replace('"2"', "9" * 10_000))


@bad("JSON with NaN and Infinity", suffix="jsonl", valid=records(1), quarantined=2)
def not_numbers() -> bytes:
    odd = [_json(records()[1], Quantity=float("nan")), _json(records()[2], UnitPrice=float("inf"))]
    return _lines(_json(records()[0]), *odd)


@bad("JSON with objects and lists for values", suffix="jsonl", valid=records(1), quarantined=2)
def nested_values() -> bytes:
    return _lines(_json(records()[0]), _json(records()[1], Quantity=[2]), _json(records()[2], InvoiceDate={"day": 2}))


@bad("JSON with half a surrogate pair", suffix="jsonl", valid=records(2), quarantined=1)
def lone_surrogate() -> bytes:
    return _lines(_json(records()[0]), _json(records()[1]), _json(records()[2]).replace("HEART", "\\ud83d"))


@bad("JSON with half a surrogate pair in a key", suffix="jsonl", valid=records())
def lone_surrogate_key() -> bytes:
    return _lines(_json(records()[0]), _json(records()[1]), _json(records()[2])[:-1] + ', "no\\ud83dte": 1}')


@bad("JSON with an escaped NUL", suffix="jsonl", valid=records(2), quarantined=1)
def escaped_nul() -> bytes:
    return _lines(_json(records()[0]), _json(records()[1]), _json(records()[2]).replace("HEART", "\\u0000"))


@bad(
    "JSON lines with line separators of Unicode in a value",
    suffix="jsonl",
    valid=records(3, Description="ONE\u2028TWO\x85THREE"),
)
def unicode_line_ends() -> bytes:
    return _lines(*(_json(row) for row in records(3, Description="ONE\u2028TWO\x85THREE")))


@bad("JSON lines in which a field is missing here and there", suffix="jsonl", valid=records(2), quarantined=1)
def sparse() -> bytes:
    return _lines(rows=[*records(2), {k: v for k, v in records()[2].items() if k != "Quantity"}])


@bad("JSON with 10,000 keys", suffix="jsonl", valid=records())
def many_keys() -> bytes:
    more = {f"more_{at}": at for at in range(10_000)}
    return _lines(*(_json(row, **more) for row in records()))


@bad("JSON with keys that are called as the lake's own", suffix="jsonl", valid=records())
def internal_keys() -> bytes:
    return _lines(*(_json(row, _problem="a", _extra="b", _line="c", dt="d") for row in records()))


@bad("JSON lines in UTF-16", suffix="jsonl")
def utf16() -> bytes:
    return _lines(rows=records()).decode().encode("utf-16")
