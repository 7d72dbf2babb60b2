"""Small objects that are read together give what each of them gives alone."""

import gzip
import json
import random
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.parsing.archives import SourceObject
from lakehouse_assets.pipeline import ingest as ingest_module
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.bronze import read_file
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.pipeline.source_records import records_together
from lakehouse_assets.sources.landing import pending
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import sales_csv

pytestmark = pytest.mark.usefixtures("every_table")

_EVENT = {
    "event_id": "e1", "event_time": "2026-03-01T10:00:00Z", "session_id": "s", "customer_id": "12345",
    "stock_code": "10001A", "type": "view",
}  # fmt: skip


def _event(**other: object) -> str:
    return json.dumps({**_EVENT, **other})


def _without(name: str) -> str:
    return json.dumps({key: value for key, value in _EVENT.items() if key != name})


EVENTS: dict[str, bytes] = {
    "plain": (_event() + "\n" + _event(event_id="e2", event_time="2026-03-02 23:59:59")).encode(),
    "glued": (_event(event_id="e3") + _event(event_id="e4")).encode(),
    "zipped": gzip.compress(_event(event_id="e5").encode(), mtime=0),
    "array": f"[{_event(event_id='e6')}]".encode(),
    "another order": json.dumps(dict(reversed(_EVENT.items()))).encode(),
    "another order again": json.dumps(dict(reversed({**_EVENT, "event_id": "e7"}.items()))).encode(),
    "a new field": _event(colour="red").encode(),
    "no customer": _without("customer_id").encode(),
    "no customer again": (_without("customer_id") + _without("customer_id")).encode(),
    "no id": _without("event_id").encode(),
    "no time": (_event(event_time=None) + _event(event_time="2026-03-04T00:00:00Z")).encode(),
    "no times": _event(event_time=None).encode(),
    "no readable time": (_event(event_time="soon") + _event(event_time="later")).encode(),
    "one readable time": (_event(event_time="soon") + _event()).encode(),
    "wrongly decoded": _event(session_id="dŽcor").encode(),
    "rightly decoded": _event(session_id="décor " * 50).encode(),
    "a NUL": _event(session_id="a\0b").encode(),
    "a number": (_event() + "\n7\n" + _event()).encode(),
    "a broken line": (_event() + '\n{"event_id": \n' + _event(event_id="e8")).encode(),
    "a field twice": ('{"event_id": "x", ' + _event()[1:]).encode(),
    "nested": _event(session_id={"a": 1}).encode(),
    "empty": b"",
    "an empty array": b"[]",
    "no JSON": b"{",
}  # fmt: skip
SALES = {
    "plain": sales_csv(3),
    "another day": sales_csv(2, "2011-03-05"),
    "zipped": gzip.compress(sales_csv(4), mtime=0),
    "short": sales_csv(1) + b"1,2\n",
    "long": sales_csv(1) + b"1,2,3,4,5,6,7,8,9,10,11\n",
    "a header only": sales_csv(0),
    "retyped": sales_csv(2).replace(b"2.", b"x"),
    "empty": b"",
}


def _ingested(
    lake: Lake, name: str, objects: dict[str, bytes]
) -> tuple[pl.DataFrame, dict[tuple[str, str], pl.DataFrame]]:
    """Return the ledger and bronze once some objects are ingested, without the names of packs."""
    feed = lake.registry.feed(name)
    for key, content in objects.items():
        lake.store.create(f"{feed.landing}/{key}", content)
    for _ in ingest(lake, feed, list(pending(lake, feed, lake.ledger_of(feed))), "run"):
        pass
    ledger = lake.ledger_of(feed).rows.drop("ingested_at", "object_token", "version").sort("object_key", "part")
    places = ledger.drop_nulls("part").select("part", "file", packs.without_pack("file").alias("_alone")).iter_rows()
    files = {(part, alone): read_file(lake, feed, part, file).drop("_ingested_at") for part, file, alone in places}
    return ledger.with_columns(packs.without_pack("file")), files


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(("feed", "objects"), [("web_events", EVENTS), ("sales", SALES)])
@pytest.mark.parametrize("seed", range(2))
def test_objects_read_together_give_what_they_give_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feed: str, objects: dict[str, bytes], seed: int
) -> None:
    names = random.Random(seed).sample(sorted(objects), len(objects))  # noqa: S311
    # By another key a content comes again, so that what is read first is not always the same.
    landed = {f"{number:02} {name}.json": objects[name] for number, name in enumerate([*names, *names[:3]])}
    together = _ingested(lake_at(str(tmp_path / "together"), threads=1), feed, landed)
    monkeypatch.setattr(ingest_module, "_TOGETHER_BYTES", 0)
    alone = _ingested(lake_at(str(tmp_path / "alone"), threads=1), feed, landed)
    assert together[0].equals(alone[0])
    assert together[1].keys() == alone[1].keys()
    for place, records in together[1].items():
        assert records.equals(alone[1][place]), place


def test_what_is_in_order_is_read_together_and_nothing_else(tmp_path: Path) -> None:
    lake = lake_at(str(tmp_path))
    found = records_together(
        lake, lake.registry.feed("web_events"), [SourceObject(key, content) for key, content in EVENTS.items()]
    )
    names = {SourceObject(key, content).hash: key for key, content in EVENTS.items()}
    assert {names[each] for each in found} == {
        "plain", "glued", "zipped", "array", "another order", "another order again", "no customer",
        "no customer again", "no time", "no times", "rightly decoded", "a NUL", "a number",
        "a broken line", "a field twice", "nested",
    }  # fmt: skip
