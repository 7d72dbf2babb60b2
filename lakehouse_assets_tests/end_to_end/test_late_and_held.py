"""Late files cost their own date only; a date below the gate, or an object that cannot be read, stops nothing else."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.end_to_end.conftest import BAD, LATE
from lakehouse_assets_tests.orchestration.event_log import (
    GATE,
    KnownVersion,
    instance_of,
    run_ids,
    seen_since,
    told_by_failed_runs,
)
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow
REJECTED = re.compile(r"rejected: 1\s+sales: broken\.csv: .*the text is UTF-16")
GOLD_BY_DATE = ("gold/daily_metrics", "gold/daily_product_sales", "gold/daily_sales")


@pytest.fixture
def lake(some_lake: Lake, copy_of: Callable[[Lake], Lake]) -> Lake:
    """A lake of real days, to change."""
    return copy_of(some_lake)


@pytest.fixture
def good(real_days: list[Path]) -> bytes:
    """The real file of the date that the tests spoil."""
    return next(path for path in real_days if path.name == f"{BAD}.csv").read_bytes()


def spoilt(data: bytes) -> bytes:
    """Give every tenth record a quantity that is no integer: a quality score of 0.9."""
    header, *lines = data.decode().splitlines()
    for at in range(0, len(lines), 10):
        lines[at] = re.sub(r",(-?[0-9]+),(2011-)", r",\1.5,\2", lines[at])
    return "\n".join([header, *lines, ""]).encode()


def land(cli: Cli, lake: Lake, folder: Path, **files: bytes) -> None:
    """Land files of the sales feed by name (a dash for each underscore)."""
    for name, data in files.items():
        path = folder / (name.replace("_", "-") + ".csv")
        path.write_bytes(data)
        assert cli(lake, "land", "sales", path).returncode == 0


def run(cli: Cli, lake: Lake, code: int = 0) -> str:
    """Run what is pending, and return what it printed. With another exit code than expected, its events say why."""
    before = run_ids(lake)
    ran = cli(lake, "run")
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}\n{told_by_failed_runs(lake, before)}"
    return ran.stdout


def key(date: str) -> str:
    return date.replace("-", "_")


def ask(lake: Lake, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(answers.as_json(answers.run(lake, sql)), parse_float=str)
    return rows


def of(date: str, columns: str, table: str) -> str:
    return f"SELECT {columns} FROM {table} WHERE dt = '{date}'"  # noqa: S608 - names of this module


def published(lake: Lake, where: str = "true") -> list[dict[str, Any]]:
    """Return what readers see of some dates: a digest of silver and the sums of gold."""
    sql = f"""
        SELECT dt, lines, digest, sales, returns, net, metric FROM
            (SELECT dt, count(*) AS lines, bit_xor(hash(s)) AS digest FROM silver.sales s GROUP BY dt)
            JOIN (SELECT dt, sum(sales) AS sales, sum(returns) AS returns, sum(net) AS net
                  FROM gold.daily_sales GROUP BY dt) USING (dt)
            JOIN (SELECT date_key AS dt, sum(metric_value) AS metric
                  FROM gold.daily_metrics WHERE metric_name = 'net' GROUP BY 1) USING (dt)
        WHERE {where} ORDER BY dt"""  # noqa: S608 - the conditions are the tests' own
    return ask(lake, sql)


def only(events: KnownVersion, date: str) -> None:
    """Assert that one date, and no other, of every table by date was materialized, once."""
    for table in ("bronze/sales", "silver/sales", *GOLD_BY_DATE):
        assert events.materialized.get(table) == [date], table


def gate_in_the_ui(lake: Lake) -> AssetCheckExecutionRecordStatus:
    with instance_of(lake) as instance:
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([GATE])
    return latest[GATE].status


def test_a_late_file_of_three_rows_rematerializes_its_date_only(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    before, runs = published(lake), run_ids(lake)
    stored = files_by_date(lake)
    late = [line(InvoiceNo="999001", InvoiceDate=f"{LATE} 10:0{n}:00", Quantity="2", UnitPrice="1.25") for n in "123"]
    land(cli, lake, tmp_path, late=sales_csv(late))

    run(cli, lake)

    events = seen_since(lake, runs)
    only(events, LATE)
    assert events.gates == {LATE: [True]}
    assert "quarantine/sales" not in events.materialized
    after = published(lake)
    assert [row for row in after if row["dt"] != LATE] == [row for row in before if row["dt"] != LATE]
    old, new = (next(row for row in rows if row["dt"] == LATE) for rows in (before, after))
    assert (new["lines"] - old["lines"], new["sales"]) == (3, "9163.2700")  # 9155.77 + 3 x 2 x 1.25
    assert {date for date, files in files_by_date(lake).items() if files != stored[date]} == {LATE}


def files_by_date(lake: Lake) -> dict[str, set[str]]:
    """Return the files of bronze, silver and daily_sales by date."""
    root, found = Path(lake.settings.root), dict[str, set[str]]()
    for table in ("bronze/sales", "silver/sales", "gold/daily_sales"):
        for file in root.joinpath(table).glob("dt=*/*"):
            found.setdefault(file.parent.name.removeprefix("dt="), set()).add(f"{table}/{file.name}")
    return found


def test_a_date_below_the_gate_is_held_and_said_everywhere(lake: Lake, good: bytes, cli: Cli, tmp_path: Path) -> None:
    before, runs = published(lake), run_ids(lake)
    land(cli, lake, tmp_path, **{key(BAD): spoilt(good)}, late=sales_csv(day(LATE, InvoiceNo="999001")))

    printed = run(cli, lake, code=1)

    # The exit code and the summary say so.
    assert re.search(rf"held by the gate: 1\s+silver\.sales {BAD}: quality score 0\.\d+ is below the gate", printed)
    # Readers see the version before of that date, and the other date's new one.
    after = published(lake)
    assert [row for row in after if row["dt"] != LATE] == [row for row in before if row["dt"] != LATE]
    assert sum(row["lines"] for row in after) == sum(row["lines"] for row in before) + 3
    # Its failing rows are in quarantine, its valid rows are counted as held.
    [account] = ask(lake, of(BAD, "landed, valid, quarantined, duplicates, published, held", "ops.accounting"))
    [quarantined] = ask(lake, of(BAD, "count(*) AS n, min(rules[1]) AS rule", "quarantine.sales"))
    assert account["landed"] == account["valid"] + account["quarantined"] + account["duplicates"] == 1587
    assert (account["held"], account["published"]) == (account["valid"], 0)
    assert quarantined == {"n": account["quarantined"], "rule": "quantity_readable"}
    # The event log says so: a failed gate of that date, no materialization of it downstream of bronze.
    events = seen_since(lake, runs)
    assert events.gates == {BAD: [False], LATE: [True]}
    assert sorted(events.materialized["bronze/sales"], key=str) == [LATE, BAD]
    assert events.materialized["quarantine/sales"] == [BAD]
    for table in ("silver/sales", *GOLD_BY_DATE):
        assert events.materialized[table] == [LATE], table
    assert gate_in_the_ui(lake) == AssetCheckExecutionRecordStatus.FAILED
    with instance_of(lake) as instance:
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert [run.run_id in runs for run in failed] == [False]


def test_a_held_date_stays_listed_until_good_data_releases_it(
    lake: Lake, good: bytes, cli: Cli, tmp_path: Path
) -> None:
    before = published(lake)
    land(cli, lake, tmp_path, **{key(BAD): spoilt(good)})
    run(cli, lake, code=1)

    assert "Nothing is pending" in run(cli, lake)
    status = cli(lake, "status")
    assert status.returncode == 0
    assert f"silver.sales {BAD}: quality score 0.8997" in status.stdout
    assert "held: 1" in status.stdout

    # Other work goes on beside it, and is no failure; the check of the table stays red.
    land(cli, lake, tmp_path, late=sales_csv(day(LATE, InvoiceNo="999001")))
    run(cli, lake)
    assert gate_in_the_ui(lake) == AssetCheckExecutionRecordStatus.FAILED
    with_late = published(lake)
    assert sum(row["lines"] for row in with_late) == sum(row["lines"] for row in before) + 3

    land(cli, lake, tmp_path, **{key(BAD): good + sales_csv(day(BAD, 2, InvoiceNo="999001")).split(b"\n", 1)[1]})
    runs = run_ids(lake)
    run(cli, lake)
    events = seen_since(lake, runs)
    only(events, BAD)
    assert events.gates == {BAD: [True]}
    after = published(lake)
    assert [row for row in after if row["dt"] != BAD] == [row for row in with_late if row["dt"] != BAD]
    assert sum(row["lines"] for row in after) == sum(row["lines"] for row in with_late) + 2
    assert "held:" not in cli(lake, "status").stdout
    assert gate_in_the_ui(lake) == AssetCheckExecutionRecordStatus.SUCCEEDED


def test_the_same_good_bytes_again_release_a_held_date_and_rebuild_nothing_needless(
    lake: Lake, good: bytes, cli: Cli, tmp_path: Path
) -> None:
    before, sums = published(lake), "SELECT sum(held) AS held, sum(published) AS n FROM ops.accounting"
    accounts = ask(lake, sums)
    land(cli, lake, tmp_path, **{key(BAD): spoilt(good)})
    run(cli, lake, code=1)
    land(cli, lake, tmp_path, **{key(BAD): good})

    run(cli, lake)

    assert published(lake) == before
    assert "held:" not in cli(lake, "status").stdout
    assert ask(lake, of(BAD, "count(*) AS n", "quarantine.sales")) == [{"n": 0}]
    assert ask(lake, sums) == accounts
    assert accounts[0]["held"] == 0
    assert gate_in_the_ui(lake) == AssetCheckExecutionRecordStatus.SUCCEEDED


def test_a_new_date_below_the_gate_shows_nowhere_but_in_quarantine(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    date = "2012-01-09"
    bad = [*day(date, 8), *(line(InvoiceDate=f"{date} 09:00:00", Quantity=q) for q in ("1.5", "many"))]
    land(cli, lake, tmp_path, new=sales_csv(bad))

    run(cli, lake, code=1)

    assert published(lake, f"dt = '{date}'") == []
    assert ask(lake, of(date, "count(*) AS n", "quarantine.sales")) == [{"n": 2}]
    assert ask(lake, of(date, "held, published", "ops.accounting")) == [{"held": 8, "published": 0}]
    assert f"silver.sales {date}: quality score 0.8000" in cli(lake, "status").stdout


def test_a_rejected_object_is_listed_and_the_other_files_are_processed(lake: Lake, cli: Cli, tmp_path: Path) -> None:
    before, runs = published(lake), run_ids(lake)
    unreadable = sales_csv(day(BAD, InvoiceNo="999002"), encoding="utf-16")
    land(cli, lake, tmp_path, broken=unreadable, late=sales_csv(day(LATE, InvoiceNo="999001")))

    printed = run(cli, lake, code=1)

    assert REJECTED.search(printed)
    only(seen_since(lake, runs), LATE)
    assert sum(row["lines"] for row in published(lake)) == sum(row["lines"] for row in before) + 3
    assert ask(lake, "SELECT source_key FROM ops.ledger WHERE state = 'rejected'") == [{"source_key": "broken.csv"}]

    assert "Nothing is pending" in run(cli, lake)
    assert REJECTED.search(cli(lake, "status").stdout)

    land(cli, lake, tmp_path, broken=sales_csv(day(BAD, InvoiceNo="999002")))
    runs = run_ids(lake)
    run(cli, lake)
    only(seen_since(lake, runs), BAD)
    assert "rejected:" not in cli(lake, "status").stdout
