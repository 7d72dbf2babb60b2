"""`lakehouse query --engine athena` by the real client and a real HTTP answer, from an emulator that runs the query.

It reads no Delta tables and knows no Trino functions, so the queries here read values. What the lake's own SQL gives
is in catalog/test_athena.py.
"""

import datetime as dt
import decimal
import uuid

import pytest

from lakehouse_assets.catalog.athena import calls_of
from lakehouse_assets.context import Lake
from lakehouse_assets.query import athena
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.sql import QueryError
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.conftest import lake_at

pytestmark = pytest.mark.slow


@pytest.fixture
def asked(aws_emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake on the emulator, with a workgroup for its queries."""
    for name, value in aws_emulator.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"athena-{uuid.uuid4().hex}"
    aws_emulator.client("s3").create_bucket(Bucket=bucket)
    lake = lake_at(f"s3://{bucket}/lake", glue_prefix="lake", athena_workgroup=bucket)
    place = {"OutputLocation": f"s3://{bucket}/lake/athena-results/"}
    calls_of(lake).create_workgroup({"ResultConfiguration": place}, "for this test")
    return lake


def test_an_answer_has_the_types_of_its_columns_and_costs_are_recorded(asked: Lake) -> None:
    sql = """
        SELECT n, 'a' AS t, DATE '2011-03-01' AS d, CAST(NULL AS VARCHAR) AS z, CAST(1.5 AS DECIMAL(10, 2)) AS m,
            n > 1 AS b, CAST(0.5 AS DOUBLE) AS f
        FROM (VALUES (1), (2)) AS v (n) ORDER BY n
    """
    found = athena.run(asked, sql)
    assert found.columns == ["n", "t", "d", "z", "m", "b", "f"]
    assert found.rows == [(n, "a", dt.date(2011, 3, 1), None, decimal.Decimal("1.50"), n > 1, 0.5) for n in (1, 2)]
    [(_, engine, queries, scanned, usd)] = answers.run(asked, "FROM ops.query_costs").rows
    assert (engine, queries) == ("athena", 1)
    assert scanned > 0
    assert usd == pytest.approx(5e-5)  # ten megabytes at least are charged


def test_an_answer_of_several_pages_is_whole(asked: Lake) -> None:
    digits = "(VALUES " + ", ".join(f"({n})" for n in range(50)) + ")"
    sql = f"SELECT a.n * 50 + b.n AS n FROM {digits} AS a (n) CROSS JOIN {digits} AS b (n) ORDER BY 1"  # noqa: S608
    assert [n for (n,) in athena.run(asked, sql).rows] == list(range(2_500))


def test_what_athena_cannot_run_is_told_in_its_words(asked: Lake) -> None:
    with pytest.raises(QueryError, match=r"^failed: .*nowhere"):
        athena.run(asked, "SELECT one FROM nowhere")
    assert answers.run(asked, "FROM ops.query_costs").rows == []
