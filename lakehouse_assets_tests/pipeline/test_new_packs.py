"""Small objects that come into packs straight away are, to everybody, objects with bronze files of their own."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.maintenance import bronze_leftovers, packing
from lakehouse_assets.maintenance import maintain as maintain_module
from lakehouse_assets.operations.decision_commands import retract
from lakehouse_assets.pipeline import ingest as ingest_module
from lakehouse_assets.pipeline import new_packs, packs
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage.local import LocalStore
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.erasure.everywhere import PERSON
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.faults.conftest import ORDER
from lakehouse_assets_tests.faults.reading import Tables, differences, tables_of
from lakehouse_assets_tests.maintenance import aging
from lakehouse_assets_tests.maintenance.aging import assert_sound, done
from lakehouse_assets_tests.maintenance.packed import (
    AT_ONCE,
    NEXT,
    NOW,
    bronze,
    land_minutes,
    minute,
    packs_of,
    read_again,
)
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, run, sales, sales_csv, silver_rows

_FEW = 3


@pytest.fixture
def packing_lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake in which few objects are many."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (new_packs, ingest_module):
            patch.setattr(module, "FEWEST", _FEW)
        yield lake_at(str(tmp_path / "packs"), threads=1)


def _tables(lake: Lake) -> Tables:
    found = tables_of(lake, without=ORDER | {"file"})
    return {name: rows for name, rows in found.items() if name != "ops.decisions"}


def _land(lake: Lake) -> None:
    land_minutes(lake, 4)
    land_minutes(lake, 4, date=NEXT)
    land(lake, "both.csv", sales_csv([*day(DAY, 2, StockCode="POST"), *day(NEXT, 3, StockCode="POST")]))
    land(lake, "both-again.csv", lake.store.read("landing/sales/both.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("shares", [1, 2])
def test_a_pack_for_each_date_holds_what_lay_in_many_files(packing_lake: Lake, tmp_path: Path, shares: int) -> None:
    lakes = lake_at(packing_lake.settings.root, threads=shares), lake_at(str(tmp_path / "plain"), ingest_batch_bytes=1)
    for lake in lakes:
        _land(lake)
        land(lake, "0.csv", lake.store.read("landing/sales/both.csv"))
        ingest(lake)
        publish(lake)
    packed, plain = lakes
    # What is left over of two shares is one object, read alone.
    assert sum(map(packs.is_pack, bronze(packed))) == 2 * shares
    assert len(bronze(packed)) == (2 if shares == 1 else 4 + 2)
    assert [packs.is_pack(path) for path in bronze(plain)] == [False] * 10
    assert differences(_tables(packed), _tables(plain)) == []
    assert aging.fingerprints(packed)["silver/sales"] == aging.fingerprints(plain)["silver/sales"]
    # A content that landed three times is read once in each share.
    assert packs.known(packed.store, "sales").height == 8 + 2 * shares


def test_few_objects_and_too_many_records_have_files_of_their_own(packing_lake: Lake, tmp_path: Path) -> None:
    land_minutes(packing_lake, _FEW - 1)
    small = lake_at(str(tmp_path / "small"), threads=1, publish_batch_rows=10)
    land_minutes(small, 4)
    for lake, files in ((packing_lake, _FEW - 1), (small, 4)):
        ingest(lake)
        assert (len(bronze(lake)), packs_of(lake)) == (files, set())


def test_where_a_pack_cannot_be_written_the_files_are(packing_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    create = LocalStore.create

    def refused(store: LocalStore, path: str, data: bytes | Path) -> bool:
        if packs.is_pack(path):
            raise StorageError(path)
        return create(store, path, data)

    monkeypatch.setattr(LocalStore, "create", refused)
    land_minutes(packing_lake, 5)
    ingest(packing_lake)
    assert (len(bronze(packing_lake)), packs_of(packing_lake)) == (5, set())
    assert publish(packing_lake)[DAY].rows == 15


@pytest.mark.slow
def test_what_is_resent_retracted_read_again_and_maintained_is_as_without_packs(
    packing_lake: Lake, tmp_path: Path
) -> None:
    plain = lake_at(str(tmp_path / "plain"), threads=1, ingest_batch_bytes=1)
    for lake in (packing_lake, plain):
        _land(lake)
        run(lake)
        land(lake, f"{DAY}-0001.csv", minute(100, NEXT))
        land(lake, "alias.csv", minute(2))
        run(lake)
        for key in (f"{DAY}-0000.csv", "both.csv"):
            record(lake.store, retract(lake, sales(lake), key, "wrong"))
        read_again(lake)
        run(lake)
    assert differences(_tables(packing_lake), _tables(plain)) == []
    before = _tables(packing_lake)
    land_minutes(packing_lake, 5, first=20)
    land_minutes(plain, 5, first=20)
    for lake in (packing_lake, plain):
        run(lake)
    done(packing_lake, AT_ONCE)
    assert differences(_tables(packing_lake), _tables(plain)) == [] != differences(_tables(plain), before)
    assert_sound(packing_lake)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_pack_is_named_and_made_anew_from_the_originals(packing_lake: Lake, damage: str) -> None:
    land_minutes(packing_lake, 5)
    run(packing_lake)
    before, [path] = silver_rows(packing_lake), bronze(packing_lake)
    if damage == "cut":
        packing_lake.store.replace(path, packing_lake.store.read(path)[:100])
    else:
        packing_lake.store.delete(path)
    assert any(path in str(one) and "lakehouse run bronze.sales" in str(one) for one in verify(packing_lake))
    read_again(packing_lake)
    assert_sound(packing_lake)
    publish(packing_lake, force=True)
    columns = [name for name in before.columns if name != "_ingested_at"]
    assert silver_rows(packing_lake).select(columns).equals(before.select(columns))


class Killed(BaseException):
    """What nothing of the package catches, as a kill."""


_WRITES: list[tuple[object, str]] = [
    (packs, "opened"),
    (LocalStore, "create"),
    (packs, "add"),
    (Ledger, "append"),
]


def _killed(lake: Lake, owner: object, name: str, *, after: bool) -> None:
    """Ingest, killed at the first call of a function that writes."""
    original = getattr(owner, name)

    def deadly(*arguments: object, **named: object) -> None:
        if after:
            original(*arguments, **named)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, deadly)
        with contextlib.suppress(Killed):
            ingest(lake)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_write_it_loses_and_doubles_nothing(
    packing_lake: Lake, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    for number, (owner, name) in enumerate(_WRITES):
        land_minutes(packing_lake, 4, first=10 * number, date=NEXT)
        land_minutes(packing_lake, 4, first=10 * number)
        before = silver_rows(packing_lake).height
        _killed(packing_lake, owner, name, after=after)
        run(packing_lake)
        assert_sound(packing_lake)
        assert silver_rows(packing_lake).height == before + 24, name
    # Of each kill that came after, as many as it had written; a commit of the ledger makes its packs live.
    assert len(bronze(packing_lake)) - len(_read(packing_lake)) == (1 + 2 + 0 if after else 0 + 2 + 2)

    aging.age(packing_lake, 8, "bronze")
    monkeypatch.setattr(maintain_module, "WEEK", dt.timedelta())
    answers = _tables(packing_lake)
    done(packing_lake, NOW)
    assert bronze_leftovers.unrecorded(packing_lake, sales(packing_lake)).is_empty()
    assert set(bronze(packing_lake)) == _read(packing_lake)
    assert differences(_tables(packing_lake), answers) == []
    assert_sound(packing_lake)


def test_what_the_ledger_knows_in_one_partition_is_kept_in_all(packing_lake: Lake) -> None:
    feed = sales(packing_lake)
    land_minutes(packing_lake, 4)
    ingest(packing_lake)
    known = packs.known(packing_lake.store, feed.name)
    elsewhere = known.with_columns(part=pl.lit("2011-04-01"))
    packs.add(packing_lake.store, packs.opened(packing_lake.store), feed.name, elsewhere)
    bronze_leftovers.drop_unrecorded(packing_lake, feed, dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    assert packs.known(packing_lake.store, feed.name).height == 2 * known.height > 0


def _read(lake: Lake) -> set[str]:
    """Return the packs in which something lies that the ledger knows."""
    feed = sales(lake)
    lost = bronze_leftovers.unrecorded(lake, feed)
    found = packs.known(lake.store, feed.name).join(lost, on=["part", "file"], how="anti")
    return {f"bronze/sales/dt={part}/{pack}.parquet" for part, pack in found.select("part", "pack").iter_rows()}


@pytest.mark.slow
def test_a_person_is_forgotten_in_a_pack_that_was_never_recorded(packing_lake: Lake) -> None:
    land_minutes(packing_lake, 4)
    land(packing_lake, "theirs.csv", sales_csv([line(CustomerID=PERSON), *day(DAY, 2, StockCode="POST")]))
    _killed(packing_lake, packs, "add", after=True)
    land(packing_lake, "theirs.csv", minute(60))  # their records are in no landed object any more
    run(packing_lake)
    land(packing_lake, "theirs too.csv", sales_csv([line(CustomerID=PERSON, StockCode="POST")]))
    run(packing_lake)
    assert any(path.startswith("bronze") for path in traces(packing_lake, PERSON))

    request = ask(packing_lake, sales(packing_lake), f"customer_id={PERSON}", "a request", "ann")
    found = service.forget(request, lambda: run(packing_lake), lambda _: None)

    assert (found.problems, found.unsearched) == ([], [])
    assert traces(packing_lake, PERSON) == []
    assert_sound(packing_lake)


@pytest.mark.slow
@pytest.mark.parametrize("write", [(packs, "add"), (Ledger, "append")])
def test_a_person_who_is_forgotten_meanwhile_takes_nobody_along(
    packing_lake: Lake, monkeypatch: pytest.MonkeyPatch, write: tuple[object, str]
) -> None:
    land_minutes(packing_lake, 4)
    land(packing_lake, "theirs.csv", sales_csv([line(CustomerID=PERSON), *day(DAY, 2, StockCode="POST")]))
    owner, name = write
    original, turns = getattr(owner, name), iter([True])

    def beaten(*arguments: object) -> None:
        if next(turns, False):
            request = ask(packing_lake, sales(packing_lake), f"customer_id={PERSON}", "a request", "ann")
            service.forget(request, lambda: None, lambda _: None)
        original(*arguments)

    monkeypatch.setattr(owner, name, beaten)
    ingest(packing_lake)
    run(packing_lake)
    assert silver_rows(packing_lake).height == 4 * 3 + 2
    assert_sound(packing_lake)
    assert not any(path.startswith(("landing", "silver")) for path in traces(packing_lake, PERSON))
    packing.take_out(packing_lake, sales(packing_lake), lambda _: False)
    assert_sound(packing_lake)
