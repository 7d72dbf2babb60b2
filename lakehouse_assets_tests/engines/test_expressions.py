"""Each construct that is translated gives the same values on DuckDB and on Spark, at the edges.

On Sail; `FAULTS=all`: on Spark in a JVM, too.
"""

# ruff: noqa: E501, S608 - one construct after the other, in queries of this test

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.dialects.spark_sql import spark_sql
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets_tests.engines.spark_engine import ENGINES, PYTHON, SparkEngine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Spark is not installed: make .venv/spark"),
]
AT = [
    dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    for text in ("2011-03-27 00:59:59.999999", "2011-03-27 01:00:00", "2011-10-30 01:30:00", "1969-12-31 23:59:59.5")
]
TABLE = pl.DataFrame(
    {
        "n": [1, 2, 3, 4, 5],
        "id": [0, -7, 2**53 + 1, None, 4611686018427387904],
        "small": pl.Series([3, -3, 0, None, 2147483647], dtype=pl.Int32),
        "text": ["Zä", "a😀b", "", None, "it's \\ 85123A"],
        "amount": pl.Series(
            [Decimal("2.55"), Decimal("-2.45"), Decimal("123456789012345.6789"), None, Decimal("-99999999999999.9999")],
            dtype=pl.Decimal(38, 4),
        ),
        "price": pl.Series(
            [Decimal("0.0001"), Decimal("-1.5"), Decimal(0), None, Decimal("2.5")], dtype=pl.Decimal(18, 4)
        ),
        "share": [0.1, -2.5, 0.0, None, 1e300],
        "day": [dt.date(2012, 2, 29), dt.date(2011, 12, 31), dt.date(1969, 12, 31), None, dt.date(2011, 1, 1)],
        "seen": [*AT[:3], None, AT[3]],
        "codes": [["b", "a"], [], ["Z"], None, ["ä", "z", "A"]],
        "ok": [True, False, True, None, False],
        "ratio": pl.Series([0.1, -2.5, 0.0, None, 1e30], dtype=pl.Float32),
        "place": [
            {"Town": "Ulm", "at": {"x": 1}},
            {"Town": None, "at": None},
            None,
            None,
            {"Town": "", "at": {"x": None}},
        ],
    }
)
OF_A_ROW = """
id + small; id - 1; -small; id // 3; id % 3; id / 3; id / small; amount / 3; share / small
amount + price; amount - 1; price * small; price * price; amount::DOUBLE; -amount; id::DOUBLE; id::DECIMAL(38, 4)
amount::DECIMAL(38, 2); amount::BIGINT; price::INTEGER; round(amount, 2); round(price); ceil(amount); floor(price)
abs(amount); abs(share); ok::INTEGER; small::VARCHAR; ok::VARCHAR; share * 2 + small
id > small; amount > 2; amount <= price; share >= amount; text < 'b'; day = '2012-02-29'; seen > day; ok AND id > 0
text IS DISTINCT FROM 'Zä'; id IS NOT DISTINCT FROM NULL; id BETWEEN 0 AND 5; small IN (3, 4, NULL); text NOT IN ('', 'Zä')
CASE WHEN id > 0 THEN amount ELSE 0 END; CASE small WHEN 3 THEN 'three' END; if(ok, 1, 2.5); coalesce(amount, small, 0)
greatest(id, small, 5); least(text, 'b'); nullif(small, 3); coalesce(text, 'none') || '!'; concat(text, 'x', text)
length(text); substring(text, 2); substring(text, 1, 2); left(text, 2); replace(text, 'ä', 'ae')
starts_with(text, 'Z'); ends_with(text, 'A'); text LIKE '%ä'; text LIKE '_ä'; regexp_full_match(text, '[A-Z].')
regexp_matches(text, '^\\w'); regexp_matches(text, '[0-9]{5}[A-Z]?$'); regexp_matches(text, 'a.b'); regexp_matches(text, 'a[^\\n]b|\\\\')
day + 1; 1 + day; day - 365; day - date '2011-01-01'; day::TIMESTAMP; seen::DATE; date_trunc('month', day)::DATE
date_trunc('week', day)::DATE; date_trunc('hour', seen); date_trunc('day', seen); date_diff('month', day, DATE '2011-03-01')
date_diff('year', day, seen::DATE); date_diff('quarter', day, seen::DATE); date_trunc('week', seen)
date_diff('hour', seen, TIMESTAMPTZ '2011-03-27 01:00:00+00'); date_diff('second', seen, TIMESTAMPTZ '2011-03-27 01:00:00+00')
date_diff('day', seen, TIMESTAMPTZ '2011-03-27 01:00:00+00'); year(day); quarter(day); month(day); day(day)
extract(dow FROM day); extract(isodow FROM day); extract(doy FROM day); extract(week FROM day); extract(hour FROM seen)
extract(minute FROM seen); strftime(day, '%Y-%m'); strftime(seen, '%d.%m.%Y %H:%M:%S'); seen AT TIME ZONE 'Europe/London'
place.town; t.place.at.x; place['Town']; struct_extract(place, 'at').x; upper(text); lower(text)
codes[1]; codes[3]; len(codes); [id, small]; range(small % 4); generate_series(1, 3); {'a': id}; MAP {'k': text}; (MAP {'k': id})['k']; if(ok, place, NULL)
id <> 0; text <> 'Zä' AND true; CASE WHEN ok THEN MAP {'k': text} ELSE MAP {} END; (small % 7)::TINYINT; (small % 7)::SMALLINT; ratio; if(ok, NULL, ratio)
date_diff('minute', seen, TIMESTAMPTZ '2011-03-27 01:00:00+00'); extract(dayofweek FROM day); extract(dayofyear FROM day)
date_trunc('month', seen::DATE)::DATE; regexp_matches(text, '\\s\\d+[\\dA]'); first_value(id) OVER (ORDER BY n); last_value(id) OVER (ORDER BY n)
EXISTS (SELECT 1 FROM silver.t AS o WHERE o.n > 4); (SELECT max(o.amount) FROM silver.t AS o)
row_number() OVER (ORDER BY n); rank() OVER (ORDER BY ok); lag(id) OVER (ORDER BY n DESC); sum(id) OVER (PARTITION BY ok ORDER BY n)
count(*) OVER (PARTITION BY ok); min(text) OVER (ORDER BY n); sum(id) OVER (ORDER BY n + 1); dense_rank() OVER (ORDER BY amount DESC)
"""
OF_ROWS = """
sum(id); sum(amount); sum(price) FILTER (n < 3); sum(DISTINCT small); count(*); count(id); count(DISTINCT text); min(text)
max(text); min(seen); max(amount); any_value(1); bool_and(ok); bool_or(ok) FILTER (n > 100); arg_max(text, id); arg_min(text, amount)
arg_max(n, (ok, text)); list_sort(list(text)); list_sort(list(DISTINCT ok)); list(text ORDER BY text); list_sort(list(id) FILTER (n > 9))
quantile_disc(id, 0.5); quantile_disc(amount, [0.2, 0.4, 1]); quantile_disc(text, 0.25); count(*) FILTER (ok); max(share)
median(id); median(price) FILTER (n < 3); median(n) FILTER (n > 9); quantile_cont(small, 0.5); quantile(id, 0.5); bool_or(ok); sum(id) / count(id)
"""


def _split(text: str) -> list[str]:
    return [one.strip() for line in text.strip().splitlines() for one in line.split(";")]


QUERIES = {
    **{one: f"SELECT n, {one} AS x FROM silver.t ORDER BY n" for one in _split(OF_A_ROW)},
    **{one: f"SELECT {one} AS x FROM silver.t" for one in _split(OF_ROWS)},
    "qualify": "SELECT n, ok FROM silver.t QUALIFY row_number() OVER (PARTITION BY ok ORDER BY n) = 1 ORDER BY n",
    "aliases": "SELECT n + 1 AS m, m * 2 AS x FROM silver.t WHERE m > 2 ORDER BY ALL",
    "all": "SELECT ok, n > 2 AS late, sum(amount) AS x FROM silver.t GROUP BY ALL ORDER BY ALL",
    "unnest": "SELECT n, unnest(codes) AS code FROM silver.t",
    "using": "SELECT n, a.text, b.id FROM silver.t AS a LEFT JOIN (SELECT n, id FROM silver.t WHERE ok) AS b USING (n)",
    "anti": "SELECT a.n FROM silver.t AS a ANTI JOIN silver.t AS b ON a.id = b.id ORDER BY n",
    "asof": "SELECT a.n, b.n AS m FROM silver.t AS a ASOF LEFT JOIN silver.t AS b ON a.ok = b.ok AND a.day >= b.day ORDER BY a.n",
    "asof the other way": "SELECT a.n, b.n AS m FROM silver.t AS a ASOF JOIN silver.t AS b ON a.ok = b.ok AND b.day <= a.day ORDER BY a.n",
    "union of a query": "SELECT share AS x FROM silver.t UNION ALL (SELECT DISTINCT small FROM silver.t)",
    "no table": "SELECT 1 AS x",
    "union": "SELECT n, amount AS x FROM silver.t UNION ALL SELECT id, small FROM silver.t UNION ALL SELECT n, share FROM silver.t",
    "except": "SELECT id FROM silver.t EXCEPT SELECT id FROM silver.t WHERE ok",
    "intersect": "SELECT id FROM silver.t INTERSECT SELECT id FROM silver.t WHERE ok",
    **{
        f"{kind} join": f"SELECT a.n, b.n AS m FROM silver.t AS a {kind} JOIN (SELECT n, id FROM silver.t WHERE ok) AS b ON a.n = b.n + 1"
        for kind in ("INNER", "LEFT OUTER", "RIGHT", "RIGHT OUTER", "FULL", "FULL OUTER")
    },
    "SEMI join": "SELECT a.n FROM silver.t AS a SEMI JOIN silver.t AS b ON a.id = b.small ORDER BY n",
    "in": "SELECT n FROM silver.t WHERE id IN (SELECT o.id FROM silver.t AS o WHERE o.ok) ORDER BY n",
    "top": "SELECT n FROM silver.t ORDER BY amount DESC, n LIMIT 3 OFFSET 1",
}  # fmt: skip


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkEngine]:
    with SparkEngine(request.param, tmp_path_factory.mktemp(request.param)) as found:
        found.answer("SELECT 1 AS x", {"silver.t": TABLE})
        yield found


@pytest.mark.parametrize("name", QUERIES)
def test_a_construct_gives_the_same_values(name: str, engine: SparkEngine) -> None:
    connection = session({"silver.t": TABLE})
    expected = pl.DataFrame(connection.sql(QUERIES[name]).to_arrow_table())
    connection.close()
    found = engine.answer(spark_sql(QUERIES[name], {"silver.t": TABLE.schema}))
    is_ordered = "ORDER BY" in QUERIES[name] or expected.height == 1
    assert_frame_equal(found, expected.cast(dict(found.schema)), check_exact=True, check_row_order=is_ordered)  # type: ignore[arg-type]
