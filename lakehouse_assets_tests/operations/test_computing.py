"""What a person asks to be computed again: whole tables or a range of dates, never what is not computed by itself."""

import datetime as dt

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.operations.computing import partitions_of, partitions_to_force
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, sales_csv

NEXT = "2011-03-02"
FIRST, SECOND = dt.date(2011, 3, 1), dt.date(2011, 3, 2)


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with two published dates; nothing of gold is built."""
    land(lake, "x.csv", sales_csv([*day(DAY), *day(NEXT)]))
    ingest(lake)
    publish(lake)
    return lake


def test_a_range_takes_the_dates_in_it(published: Lake) -> None:
    names = ["silver.sales"]
    assert partitions_to_force(published, names, None, None) == {"silver/sales": [DAY, NEXT]}
    assert partitions_to_force(published, names, SECOND, None) == {"silver/sales": [NEXT]}
    assert partitions_to_force(published, names, None, FIRST) == {"silver/sales": [DAY]}
    assert partitions_to_force(published, [], None, None) == {}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("name", "first", "last", "message"),
    [
        ("silver.sales", SECOND, FIRST, "--from 2011-03-02 is later than --to 2011-03-01. Nothing was done; exchange"),
        (
            "silver.sales",
            dt.date(2012, 1, 1),
            None,
            "silver.sales has no date from 2012-01-01; it has 2 dates, 2011-03-01 .. 2011-03-02. Nothing was done",
        ),
        (
            "silver.sales",
            dt.date(2010, 1, 1),
            dt.date(2010, 1, 2),
            "silver.sales has no date from 2010-01-01 to 2010-01-02; it has 2 dates",
        ),
        ("gold.daily_sales", None, dt.date(2010, 1, 1), "gold.daily_sales has no date to 2010-01-01; it has 2 dates"),
        ("gold.product_performance", FIRST, None, "gold.product_performance has no dates, so --from and --to cannot"),
    ],
)
def test_a_range_without_a_date_of_the_table_is_refused(
    published: Lake, cli: Cli, name: str, first: dt.date | None, last: dt.date | None, message: str
) -> None:
    options = [f"--{word}={date}" for word, date in (("from", first), ("to", last)) if date]
    refused = cli(published, "run", name, *options)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith(f"lakehouse: {message}")


@pytest.mark.slow(covered=True)
def test_records_without_a_date_are_in_no_range(published: Lake) -> None:
    land(published, "undated.csv", sales_csv([*day(DAY), line(InvoiceDate="?")]))
    ingest(published)
    assert partitions_to_force(published, ["silver.sales"], None, None) == {"silver/sales": [DAY, NEXT, "undated"]}
    assert partitions_to_force(published, ["silver.sales"], FIRST, None) == {"silver/sales": [DAY, NEXT]}


def test_a_table_of_which_nothing_landed_has_no_dates_yet(lake: Lake, cli: Cli) -> None:
    assert (
        "silver.sales has no date from 2011-03-01; it has no dates yet"
        in cli(lake, "run", "silver.sales", "--from", DAY).stderr
    )


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("name", ["ops.ledger", "quarantine.sales", "silver.sail"])
def test_a_table_that_is_not_computed_is_refused(published: Lake, name: str) -> None:
    with pytest.raises(
        ContractError, match=f"'{name}' is not a table that `run` can make anew; nothing was done. Name one of: b"
    ):
        partitions_to_force(published, [name], None, None)


def test_without_names_a_run_computes_what_is_pending_or_all_that_is_forced(published: Lake) -> None:
    feed, model = published.registry.feed("sales"), published.registry.models["daily_sales"]
    assert partitions_of(published, feed, None, force=False) == []
    assert partitions_of(published, feed, None, force=True) == [DAY, NEXT]
    assert partitions_of(published, model, None, force=False) == [DAY, NEXT]
    assert partitions_of(published, model, [NEXT], force=False) == [NEXT]


@pytest.mark.slow
def test_the_command_computes_the_dates_of_a_range_again(published: Lake, cli: Cli) -> None:
    assert cli(published, "run").returncode == 0
    asked = cli(published, "run", "silver.sales", "gold.daily_sales", "--from", NEXT, "--to", NEXT)
    assert asked.returncode == 0, asked.stderr
    sql = "SELECT part, count(DISTINCT run_id) AS n, max(run_id) AS run FROM ops.accounting GROUP BY part ORDER BY part"
    rows = cli(published, "query", sql, "--format", "csv").stdout.splitlines()[1:]
    assert rows[0] == f"{DAY},1,test"
    assert rows[1].startswith(f"{NEXT},1,")
    assert not rows[1].endswith("test")
    assert "Nothing is pending" in cli(published, "run").stdout
    wrong = cli(published, "run", "--from", NEXT)
    assert wrong.returncode == 2
    assert "name them. Nothing was done." in wrong.stderr
