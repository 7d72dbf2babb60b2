"""Damage of a stored file is repaired by the command that `verify` names, and by nothing else that has to be known."""

import datetime as dt
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.operations.computing import partitions_to_force
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.pipeline.ingest import ingest as ingest_objects
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.verify import verify
from lakehouse_assets.sources.landing import originals
from lakehouse_assets.storage import delta_files
from lakehouse_assets_tests import customers, retail
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.retail import DAY, day, land, line, publish, sales, sales_csv, zipped

NEXT = "2011-03-02"


@pytest.fixture
def filled(request: pytest.FixtureRequest) -> Lake:
    """A lake of two files, a zip with a member that is in one of them too, and a held date that was released."""
    lake: Lake = request.getfixturevalue("s3_lake" if request.param == "S3" else "lake")
    land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT, 2), line(InvoiceDate="?")]))
    land(lake, "drop.zip", zipped({"a.csv": sales_csv(4, NEXT), "b.csv": sales_csv(2, "2011-03-03")}))
    land(lake, "copy.csv", sales_csv(4, NEXT))
    retail.run(lake)
    return lake


def _bronze(lake: Lake, key: str) -> list[str]:
    """Return the paths of a live source object's bronze files."""
    live = lake.ledger_of(sales(lake)).live.filter(pl.col("source_key") == key)
    return [bronze_path(sales(lake), *row) for row in live.select("part", "file").iter_rows()]


def _commands(lake: Lake) -> list[str]:
    """Return the commands that the findings of `verify` name."""
    found = [str(finding) for finding in verify(lake)]
    return sorted({command for finding in found for command in re.findall(r"`lakehouse (run [^`]+)`", finding)})


def _read_again(lake: Lake, first: str, last: str) -> None:
    """Do in the pipeline what `lakehouse run bronze.sales --from --to` does through Dagster."""
    asked = partitions_to_force(lake, ["bronze.sales"], dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    feed, ledger = sales(lake), lake.ledger_of(sales(lake))
    list(ingest_objects(lake, feed, originals(lake, feed, ledger, asked["landing/sales"]), "again", force=True))


DAMAGES: dict[str, Callable[[Lake, str], object]] = {
    "deleted": lambda lake, path: lake.store.delete(path),
    "cut": lambda lake, path: lake.store.replace(path, lake.store.read(path)[:100]),
    "of another object": lambda lake, path: lake.store.replace(path, lake.store.read(_bronze(lake, "x.csv")[0])),
}


PLACES = [("folder", damage) for damage in DAMAGES]
# What can be read is read alike from both.
PLACES += [("S3", damage) for damage in DAMAGES if EVERYTHING or damage == "deleted"]


@pytest.mark.slow
@pytest.mark.parametrize(("filled", "damage"), PLACES, indirect=["filled"])
def test_damaged_bronze_is_read_again_into_its_place(filled: Lake, damage: str) -> None:
    inputs = lake_inputs(filled)
    [path] = _bronze(filled, "copy.csv")
    DAMAGES[damage](filled, path)
    assert _commands(filled) == [f"run bronze.sales --from {NEXT} --to {NEXT}"]
    _read_again(filled, NEXT, NEXT)
    assert [str(finding) for finding in verify(filled, deep=True)] == []
    assert _bronze(filled, "copy.csv") == [path]
    assert lake_inputs(filled) == inputs  # nothing follows anew, and a release of these inputs stands


def lake_inputs(lake: Lake) -> dict[str, int]:
    """Return the fingerprints of what silver is made from, none of it pending."""
    state = FeedState.of(lake, sales(lake))
    assert state.pending == []
    return state.inputs


@pytest.mark.slow
def test_another_key_with_the_same_bytes_is_as_good_as_the_original(lake: Lake) -> None:
    for key in ("a.csv", "b.csv"):
        land(lake, key, sales_csv())
    retail.run(lake)
    for path in ("landing/sales/a.csv", *_bronze(lake, "a.csv")):
        lake.store.delete(path)
    _read_again(lake, DAY, DAY)
    assert [str(finding) for finding in verify(lake)] == []


def test_a_run_that_meets_damaged_bronze_names_the_command(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv())
    retail.ingest(lake)
    lake.store.delete(_bronze(lake, "x.csv")[0])
    message = publish(lake)[DAY].message
    assert f"`lakehouse run bronze.sales --from {DAY} --to {DAY}` reads its landed original again." in message


def _data_file(lake: Lake, table: str, partition: str = "") -> str:
    return next(f"{table}/{path}" for path in delta_files.file_sizes(lake.store, table) if partition in path)


@pytest.mark.slow
def test_the_command_of_verify_repairs_each_layer(lake: Lake, cli: Cli) -> None:
    land(lake, "x.csv", sales_csv([*day(DAY, 60), *day(NEXT, 60), line(Quantity="?")]))
    assert cli(lake, "run").returncode == 0
    before = {table: cli(lake, "query", f"FROM {table} ORDER BY ALL").stdout for table in TABLES}
    lost = [
        *_bronze(lake, "x.csv"),
        _data_file(lake, "silver/sales", NEXT),
        _data_file(lake, "quarantine/sales", DAY),
        _data_file(lake, "gold/daily_sales", NEXT),
        _data_file(lake, "gold/daily_metrics"),
        _data_file(lake, "gold/product_performance"),
    ]
    for path in lost:
        assert lake.store.delete(path)
    assert "Nothing is pending" in cli(lake, "run").stdout
    for _ in range(3):  # what is checked after something else can be read
        for command in sorted(_commands(lake), key=lambda text: LAYERS.index(text.split()[1].split(".")[0])):
            cli(lake, *shlex.split(command))
    assert cli(lake, "run").returncode == 0
    assert [str(finding) for finding in verify(lake, deep=True)] == []
    assert {table: cli(lake, "query", f"FROM {table} ORDER BY ALL").stdout for table in TABLES} == before


LAYERS = ("bronze", "silver", "gold")
TABLES = ("silver.sales", "quarantine.sales", "gold.daily_sales", "gold.product_performance")


@pytest.mark.slow
def test_bronze_without_an_original_is_told_until_it_is_landed_again(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    original = tmp_path / "x.csv"
    original.write_bytes(sales_csv())
    cli(lake, "land", "sales", original)
    assert cli(lake, "run").returncode == 0
    for path in ("landing/sales/x.csv", *_bronze(lake, "x.csv")):
        lake.store.delete(path)
    asked = ("run", "bronze.sales", "--from", DAY, "--to", DAY)
    told = cli(lake, *asked)
    assert told.returncode == 1
    assert f"bronze.sales of {DAY} still cannot be read: landing does not hold an original of it." in told.stdout
    assert "Land what is missing of x.csv again, then run the same command again." in told.stdout
    cli(lake, "land", "sales", original)
    assert cli(lake, *asked).returncode == 0
    assert [str(finding) for finding in verify(lake)] == []


@pytest.mark.slow
def test_a_keyed_feed_is_repaired_by_bucket_and_its_history_with_its_state(tmp_path: Path) -> None:
    lake = customers.lake_of(str(tmp_path / "lake"))
    customers.land(lake, "x.csv", [customers.Change(at, "A", "Anna", "Bern", at) for at in range(1, 9)])
    customers.run(lake)
    feed = lake.registry.feed("customers")
    paths = [bronze_path(feed, *row) for row in lake.ledger_of(feed).live.select("part", "file").iter_rows()]
    for path in (*paths[:2], _data_file(lake, "silver/customers_history")):
        lake.store.delete(path)
    assert _commands(lake) == ["run bronze.customers", "run silver.customers"]
    for name in ("bronze.customers", "silver.customers"):
        [(key, partitions)] = partitions_to_force(lake, [name], None, None).items()
        if key == feed.landing:
            found = originals(lake, feed, lake.ledger_of(feed), partitions)
            list(ingest_objects(lake, feed, found, "again", force=True))
        else:
            publish(lake, feed="customers", force=True)
    assert [str(finding) for finding in verify(lake, deep=True)] == []


@pytest.mark.slow
def test_lost_accounting_is_written_anew_as_verify_says(lake: Lake) -> None:
    land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT, 2)]))
    retail.run(lake)
    lake.store.delete(_data_file(lake, "ops/accounting"))
    fix = "remove the folder ops/accounting; then `lakehouse run silver.sales` writes the table anew"
    assert any(str(finding).endswith(fix) for finding in verify(lake))
    for stored in list(lake.store.list("ops/accounting")):
        lake.store.delete(stored.path)
    publish(lake, force=True)
    assert [str(finding) for finding in verify(lake)] == []
