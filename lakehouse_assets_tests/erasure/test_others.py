"""Forgetting one person leaves all others alone, whatever their number is, and whoever was forgotten before."""

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.erasure.everywhere import forget
from lakehouse_assets_tests.retail import DAY, day, land, line, run, sales_csv

pytestmark = pytest.mark.slow


def customers(lake: Lake) -> dict[str, int]:
    """Return published lines by customer."""
    counted = frames(lake)["silver.sales"].group_by("customer_id").len().collect()
    return dict(counted.sort("customer_id").iter_rows())


def of(customer: str, count: int, first: int = 1) -> list[dict[str, str | None]]:
    records = day(DAY, count, CustomerID=customer)
    return [record | {"Quantity": str(first + at)} for at, record in enumerate(records)]


def test_a_number_that_dagster_uses_too_breaks_nothing(lake: Lake, cli: Cli) -> None:
    land(lake, "a.csv", sales_csv([*of("1", 2), *of("17850.0", 5)]))
    assert cli(lake, "run").returncode == 0
    assert cli(lake, "forget", "sales", "customer_id=1").returncode == 0
    assert customers(lake) == {"17850": 5}

    land(lake, "b.csv", sales_csv(of("30", 3)))
    ran = cli(lake, "run")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert customers(lake) == {"17850": 5, "30": 3}
    assert list(verify(lake)) == []


def test_after_one_erasure_is_taken_back_others_are_as_good(lake: Lake, cli: Cli) -> None:
    a, b = sales_csv([*of("11111", 2), *of("22222", 3), *of("17850.0", 4)]), sales_csv(of("33333", 3, 50))
    land(lake, "a.csv", a)
    land(lake, "b.csv", b)
    forget(lake, "11111")
    assert customers(lake) == {"17850": 4, "22222": 3, "33333": 3}
    [(erasure,)] = answers.run(lake, "SELECT id FROM ops.decisions WHERE kind = 'erase'").rows
    assert cli(lake, "revoke", "sales", erasure, "--why", "somebody else").returncode == 0
    land(lake, "a.csv", a)
    run(lake)
    assert customers(lake) == {"11111": 2, "17850": 4, "22222": 3, "33333": 3}

    for person, left in (("33333", {"11111": 2, "17850": 4, "22222": 3}), ("22222", {"11111": 2, "17850": 4})):
        forget(lake, person)
        assert customers(lake) == left
        assert list(verify(lake)) == []
    forget(lake, "11111")
    assert customers(lake) == {"17850": 4}
    assert list(verify(lake)) == []


def test_what_was_corrected_of_others_holds_whatever_it_says(lake: Lake, cli: Cli) -> None:
    bad = line(Quantity="1x", CustomerID="8")
    land(lake, "a.csv", sales_csv([*of("7", 2), *of("17850.0", 40), bad]))
    run(lake)
    why = ("--why", "the till says 7")
    assert cli(lake, "quarantine", "correct", "sales", "a.csv", "43", "--set", "Quantity=7", *why).returncode == 0

    forget(lake, "7")

    assert customers(lake) == {"17850": 40, "8": 1}
    kept = frames(lake)["silver.sales"].filter(pl.col("customer_id") == "8").select("quantity").collect()
    assert kept.rows() == [(7,)]
    assert list(verify(lake)) == []


def test_a_name_that_holds_the_value_is_told_unless_it_may_be_a_date(lake: Lake, cli: Cli) -> None:
    land(lake, "2011/03/a.csv", sales_csv([*of("2011", 2), *of("17850.0", 3)]))
    land(lake, "customer 98765/a.csv", sales_csv(of("98765", 2)))
    land(lake, "b.csv.manifest.json", b'{"rows": 98765, "note": "of customer 98765"}')
    assert cli(lake, "forget", "sales", "customer_id=2011").returncode == 0

    named = cli(lake, "forget", "sales", "customer_id=98765", "--why", "98765 asked")

    assert named.returncode == 1
    assert "not searched: customer (erased)/a.csv: its name holds the value" in named.stdout
    assert "not searched: b.csv.manifest.json: the manifest holds the value in a text" in named.stdout
    assert customers(lake) == {"17850": 3}
    assert answers.run(lake, "SELECT why FROM ops.decisions ORDER BY id DESC LIMIT 1").rows == [("(erased) asked",)]
