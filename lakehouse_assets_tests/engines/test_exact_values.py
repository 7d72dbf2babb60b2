"""What Spark computes in another way than DuckDB, or has under another name, is translated to the last digit.

The middle of values, doubles made of long numbers, large and small letters: over numbers with the digits at
which floats break, and over texts of all alphabets. Not here: the edges of each construct, in `test_expressions.py`.
"""

# ruff: noqa: RUF001, S608 - letters that look like others, queries of this test

from collections.abc import Iterator
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lakehouse_assets.dialects.spark_sql import spark_sql
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets_tests.engines.spark_engine import ENGINES, PYTHON, SparkEngine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Spark is not installed: make .venv/spark"),
]
GROUPS = 500
DECIMALS = {"d1": (4, 1), "d9": (9, 2), "d18": (18, 4), "whole": (18, 0), "d38": (38, 4), "fine": (38, 20)}
TYPES = {"i16": pl.Int16(), "i32": pl.Int32(), "i64": pl.Int64(), **{n: pl.Decimal(*d) for n, d in DECIMALS.items()}}
LIMITS = {"i16": 2**15 - 1, "i32": 2**31 - 1, "i64": 2**63 - 1}
LIMITS |= {name: 9 * 10 ** (min(precision, 36) - 1) for name, (precision, _) in DECIMALS.items()}
MIDDLES = ("i16", "i32", "i64", "d1", "d9", "d18", "whole")
LETTERS = "aßẞİıiIΣσςſŉǅǆŸÿK\u0301\u0345ﬁԱև𐐨🄰aA"


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkEngine]:
    with SparkEngine(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def _number(limit: int) -> st.SearchStrategy[int]:
    """Return digits: some of all lengths, and those beside a power of two, where a double has to be rounded."""
    near = st.builds(lambda bits, more: 2**bits + more, st.integers(0, limit.bit_length()), st.integers(-2049, 2049))
    some = st.integers(-limit, limit) | st.integers(-1000, 1000)
    return some | st.builds(lambda size, sign: max(-limit, min(limit, size * sign)), near, st.sampled_from([1, -1]))


def _rows(seed: st.DataObject) -> pl.DataFrame:
    """Return groups of up to six rows, of the numbers that were drawn for each column."""
    drawn = {name: seed.draw(st.lists(_number(limit), min_size=10, max_size=10)) for name, limit in LIMITS.items()}
    sizes = seed.draw(st.randoms(use_true_random=True))
    groups = [group for group in range(GROUPS) for _ in range(sizes.randint(1, 6))]
    columns: dict[str, list[object]] = {}
    for name, numbers in drawn.items():
        scale = DECIMALS.get(name, (0, 0))[1]
        values = [Decimal(number).scaleb(-scale) if name in DECIMALS else number for number in numbers]
        columns[name] = [sizes.choice([None, *values]) for _ in groups]
    frame = pl.DataFrame(columns, schema=TYPES)
    return frame.with_columns(g=pl.Series(groups, dtype=pl.Int64))


def _same(query: str, table: pl.DataFrame, engine: SparkEngine) -> None:
    connection = session({"silver.t": table})
    expected = pl.DataFrame(connection.sql(query).to_arrow_table())
    connection.close()
    found = engine.answer(spark_sql(query, {"silver.t": table.schema}), {"silver.t": table})
    assert_frame_equal(found, expected, check_exact=True)


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.data())
def test_numbers_become_the_same_doubles(seed: st.DataObject, engine: SparkEngine) -> None:
    shown = [f"sum({name})::DOUBLE AS sum_{name}, sum({name}) / count({name}) AS avg_{name}" for name in TYPES]
    shown += [f"median({name}) AS median_{name}" for name in MIDDLES]
    shown += ["quantile_cont(i64, 0.5) AS half", "median(d18) FILTER (i64 > 0) AS some"]
    query = f"SELECT g, {', '.join(shown)} FROM silver.t GROUP BY g ORDER BY g"
    _same(query, _rows(seed), engine)


@settings(max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(st.sampled_from(LETTERS) | st.characters(codec="utf-8", exclude_characters="\0"))))
def test_letters_become_the_same_letters(engine: SparkEngine, texts: list[str]) -> None:
    table = pl.DataFrame({"x": [*texts, LETTERS, None], "n": range(len(texts) + 2)}, schema_overrides={"x": pl.String})
    _same("SELECT n, upper(x) AS u, lower(x) AS l FROM silver.t ORDER BY n", table, engine)
