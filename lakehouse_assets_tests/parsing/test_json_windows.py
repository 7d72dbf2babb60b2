"""Large JSON that is read in windows becomes the same records as when it is read whole."""

import json
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Feed, Json, source
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.parsing.parse_windows import parse_in_windows
from lakehouse_assets.parsing.windows import NotInWindowsError
from lakehouse_assets_tests.pipeline.declared import feed_of

COLUMNS: dict[str, Any] = {
    "id": dy.Int64(nullable=True),
    "name": dy.String(nullable=True),
    "city": dy.String(nullable=True, metadata=source("address.city", "town")),
}
FEED = feed_of(COLUMNS)
LIMIT = 2**20
RECORDS = [
    '{"id": 1, "name": "x"}', '{"id": 2, "id": 3}', '{"address": {"city": "Oslo", "zip": 1.50}, "id": 4}', "7", "null",
    '{"town": "Bern", "late": 12345678901234567890.10, "0": "zero", "problem": "p"}',
    '{"address": "none", "id": 1e400}',
    '{"id": NaN, "name": "\\u2028 Crème"}', '{"name": "\\ud800"}', "[1, {}]", "{}", '{"id": 6.0, "extra": true}',
]  # fmt: skip
DAMAGED = ['{"id": 1', '{"id": 1,}', "x"]


def _windows(data: bytes, size: int, feed: Feed) -> tuple[pl.DataFrame, str]:
    found = list(parse_in_windows(data, feed, 1, size))
    return pl.concat([records for records, _ in found]), found[-1][1].words


def _said(read: Any) -> Any:
    try:
        return read()
    except Rejection as rejection:
        return str(rejection)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("kind", ["lines", "stream", "array", "path"])
@settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
@given(st.data())
def test_windows_read_the_same_or_leave_it(kind: str, data: st.DataObject) -> None:
    among = RECORDS + DAMAGED if data.draw(st.booleans()) else RECORDS
    records = data.draw(st.lists(st.sampled_from(among), min_size=1, max_size=9))
    text = {
        "lines": data.draw(st.sampled_from(["\n", "\r\n", "\n\n"])).join([*records, ""]),
        "stream": "".join(each + data.draw(st.sampled_from(["", "", " ", "\n"])) for each in records),
        "array": f" [{', '.join(records)}]\n",
        "path": f'{{"n": 1, "data": {{"rows": [{",".join(records)}]}}}}',
    }[kind]
    feed = feed_of(COLUMNS, format=Json(records="data.rows")) if kind == "path" else FEED
    encoded = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()
    try:
        found = _said(lambda: _windows(encoded, data.draw(st.integers(8, 90)), feed))
    except NotInWindowsError:
        return
    whole = _said(lambda: parse(encoded, feed, LIMIT))
    if isinstance(whole, str) or isinstance(found, str):
        assert found == whole
    else:
        assert found[0].equals(whole[0])
        assert found[1] == whole[1].words


def test_an_object_is_read_in_as_many_windows_as_it_takes() -> None:
    records = [{"id": at, "name": f"n{at}", **({"new": "12"} if at == 150 else {})} for at in range(200)]
    objects = [*map(json.dumps, records)]
    for text in ("\n".join(objects), "".join(objects), json.dumps(records)):
        parts = list(parse_in_windows(text.encode(), FEED, 400, 400))
        assert len(parts) >= 10
        assert max(part.height for part, _ in parts) < 30
        whole, drift = parse(text.encode(), FEED, LIMIT)
        assert pl.concat([part for part, _ in parts]).equals(whole)
        assert parts[-1][1].words == drift.words == "new: new (written like '99')"


def test_a_path_that_late_records_have_alone_is_found() -> None:
    records = [{"id": at, "name": "n", "address": {"zip": 1} if at < 90 else {"city": "Oslo"}} for at in range(100)]
    text = "\n".join(map(json.dumps, records)).encode()
    found, words = _windows(text, 300, FEED)
    whole, drift = parse(text, FEED, LIMIT)
    assert found.equals(whole)
    assert found["address.city"].drop_nulls().to_list() == ["Oslo"] * 10
    assert words == drift.words


WHOLE = {
    "one object": b'{\n"id": 1,\n"name": "x"\n}',
    "windows-1252": '{"id": 1}\n{"name": "Crème"}'.encode("cp1252"),
    "records of no fields": b"[1, 2, 3]",
    "blank": b" \n ",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_what_has_to_be_read_whole(text: bytes) -> None:
    with pytest.raises(NotInWindowsError):
        _windows(text, 10, FEED)
