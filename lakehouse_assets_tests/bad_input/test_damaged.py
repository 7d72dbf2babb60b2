"""Objects damaged at random, in every format: each is read, quarantined or rejected, and none stops the others.

`DAMAGED_OBJECTS=5000 pytest -k damaged` tries more of them.
"""

import json
import os
import random
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets_tests.bad_input import confined
from lakehouse_assets_tests.bad_input.corpus import DAY, records
from lakehouse_assets_tests.bad_input.outcome import GOOD, GOOD_KEY, expected, read, rows_of
from lakehouse_assets_tests.bad_input.parquet_objects import parquet
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import day, gzipped, ingest, land, publish, sales, sales_csv, zipped

_COUNT = int(os.environ.get("DAMAGED_OBJECTS", "400"))
_BATCH = 50
_CSV = sales_csv(records(30))
_WHOLE = {
    "CSV": _CSV,
    "CSV with quotes": sales_csv(records(30, Description='ONE, "TWO"\nTHREE')),
    "gzip": gzipped(_CSV),
    "zip": zipped({"a.csv": _CSV, "b.csv": sales_csv(records(5))}),
    "JSON array": json.dumps(records(10)).encode(),
    "JSON lines": "\n".join(json.dumps(row) for row in records(10)).encode(),
    "Parquet": parquet(records(30)),
}
_PIECES = (b'"', b",", b"\n", b"\r", b"\0", b"\xff" * 4, b"\xc3", b"-", b'"\n', b"\\ud800", b"[", b"{", b"9" * 12)


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """Return the data with some bytes changed, removed, added, moved, or all cut off from somewhere."""
    out = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(6):
            case 0:
                out[at : at + 1] = chance.randbytes(1)
            case 1:
                del out[at : at + chance.randrange(1, 20)]
            case 2:
                out[at:at] = chance.randbytes(chance.randrange(1, 8))
            case 3:
                out[at:at] = chance.choice(_PIECES)
            case 4:
                out[at:at] = out[at // 2 : at // 2 + chance.randrange(60)]
            case _:
                del out[at:]
    return bytes(out)


def _trouble(lake: Lake) -> str:
    """Process a lake in a process of its own, which damage may kill; return the last that it said, if it failed."""
    done = confined.run(lake, timeout_s=120)
    return f"exit code {done.returncode}: {done.stderr.strip()[-300:]}" if done.returncode else ""


def _culprits(folder: Path, objects: dict[str, bytes]) -> str:
    """Return the objects that stop a lake on their own, with what it says then."""
    found = []
    for key, data in objects.items():
        alone = lake_at(str(folder / key))
        land(alone, "x", data)
        if trouble := _trouble(alone):
            found.append(f"{key} ({len(data)} bytes, {data[:60]!r}...): {trouble}")
    return "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", _WHOLE)
def test_damaged_objects_stop_nobody_and_every_record_is_accounted_for(kind: str, tmp_path: Path) -> None:
    chance = random.Random(f"damage to {kind}")  # noqa: S311 - no secret, and the same damage every time
    for batch in range(max(1, _COUNT // len(_WHOLE) // _BATCH)):
        objects = {f"{batch}-{at}": _damaged(_WHOLE[kind], chance) for at in range(_BATCH)}
        lake = lake_at(str(tmp_path / f"lake-{batch}"))
        for key, data in objects.items():
            land(lake, key, data)
        land(lake, GOOD_KEY, sales_csv(GOOD))
        # Enough good records that the damaged ones do not hold the date.
        land(lake, "more.csv", sales_csv(day(DAY, 20 * _BATCH * 30, InvoiceNo="536398")))
        if trouble := _trouble(lake):
            pytest.fail(f"{trouble}\n{_culprits(tmp_path / f'alone-{batch}', objects)}")
        _check(lake, objects)


def _check(lake: Lake, objects: dict[str, bytes]) -> None:
    feed = sales(lake)
    ledger = lake.ledger_of(feed)
    assert set(ledger.rows["object_key"]) == {*objects, GOOD_KEY, "more.csv"}
    assert all(reason.isprintable() for reason in ledger.rows["reason"].drop_nulls())
    assert all(lake.store.read(f"{feed.landing}/{key}") == data for key, data in objects.items())
    counts = ["landed", "valid", "quarantined", "duplicates"]
    accounts = scan_accounting(lake.store).select(counts).sum().collect().row(0)
    stored = [rows_of(lake, declared).height for declared in (feed.silver, feed.quarantine)]
    assert accounts[:3] == (ledger.live["rows"].sum(), *stored)
    assert accounts[0] == sum(accounts[1:])
    assert read(lake, GOOD_KEY).good == expected(GOOD)
    assert (ingest(lake), publish(lake)) == ([], {})


def test_damage_is_the_same_every_time() -> None:
    one, two = (_damaged(_CSV, random.Random(7)) for _ in range(2))  # noqa: S311 - as above
    assert one == two != _CSV
