"""What is refused, and why: each reason stands for one thing that would mean something else in Spark, or nothing."""

# ruff: noqa: S608 - one refusal a line, in queries of this test

import pytest

from lakehouse_assets.dialects.spark_sql import spark_sql
from lakehouse_assets.dialects.spark_types import NotInSparkError
from lakehouse_assets_tests.dialects.test_spark_sql import ONE

OF_AN_EXPRESSION = """
avg(id) -> write sum(x) / count(x)
sum(share) -> the order in which floats are added up
min(id, 2) -> its count is
arg_max(text, id, 2) -> its count is
count(DISTINCT id, text) -> only DISTINCT of one value
stddev(id) -> it is not translated
stddev(id) OVER () -> with this window
sum(id) FILTER (id > 1) OVER () -> write a CASE
MAP {'k': id}['k'] -> only MAP
max(id, 2) OVER () -> its count is
row_number() OVER () -> with this window
lag(id, 2) OVER (ORDER BY id) -> without an offset
sum(id) OVER (ORDER BY id ROWS 1 PRECEDING) -> a frame
min(id) OVER (ORDER BY codes[1:2]) -> compared in another way
list_sort(codes) -> ascending, is translated
list_sort(list(text), 'DESC') -> its asc is
list_sort(list(text), 'ASC', 'NULLS FIRST') -> ascending, is translated
list_sort(list(text ORDER BY id)) -> sorted twice
list(text) -> its own order of a list
list(text ORDER BY id) -> of its own values only
list(text ORDER BY text DESC) -> of its own values only
quantile_disc(id, -0.5) -> each from 0 to 1
quantile_disc(id, 0.0000000001) -> each from 0 to 1
quantile_cont(id, 0.25) -> the share 0.5
quantile_cont(id, [0.5]) -> the share 0.5
median(share) -> no exact middle
median(amount) -> decimals of 18 digits
median(day) -> decimals of 18 digits
max(place) -> compared in another way
place = place -> compared in another way
at > '2011-03-27 01:00' -> that both engines read
day = '27 March 2011' -> that both engines read
share::BIGINT -> as DuckDB does
text::DATE -> as DuckDB does
try_cast(text AS INTEGER) -> cast in the contract
at - at -> is not translated
day - at -> not added up in the same way
fine * fine -> decimals only
fine + fine -> decimals only
(at - at) / 2 -> cast both to DOUBLE
share % 2 -> for integers only
id IN (SELECT o.amount FROM silver.t AS o) -> of different types
text IN codes -> only a list of values or a query
CASE WHEN id THEN 1 END -> true or false
count(*) FILTER (id) -> true or false
codes || codes -> it is no text
upper(day) -> it is no text
regexp_matches(text, 'a', 'i') -> its options
regexp_matches(text, text) -> written in the query
regexp_matches(text, '[ä]') -> may mean something else
regexp_matches(text, '[^^]') -> may mean something else
regexp_matches(text, '\\bx') -> may mean something else
regexp_matches(text, 'a\\z') -> may mean something else
text LIKE '\\%' -> a backslash
text LIKE text -> written in the query
replace(text, '', 'a') -> nothing cannot be replaced
substring(text, 0, 2) -> be 1 or more
substring(text, 1, id) -> be 0 or more
left(text, -1) -> be 0 or more
round(share) -> is not rounded in the same way
ceil(share) -> is not rounded in the same way
year(text::TIMESTAMP) -> as DuckDB does
date_trunc('decade', day) -> the unit DECADE
date_diff('week', day, day) -> the unit WEEK
extract(epoch FROM at) -> the part EPOCH
extract(week FROM time) -> it is no date
strftime(day, '%j') -> between them are translated
strftime(day, '%Y\\%m') -> between them are translated
local AT TIME ZONE 'Europe/London' -> has another instant
at AT TIME ZONE text -> written in the query
(text)[1] -> parts of a VARCHAR
codes[-1] -> be 0 or more
place['to' || 'wn'] -> written in the query
places[1].town -> does not say its type
MAP([text], [id]) -> its keys is
range(day::TIMESTAMP, day::TIMESTAMP, INTERVAL 1 DAY) -> one after the other
range(1, id, 2) -> one after the other
nowhere(text) -> nowhere
coalesce(time, NULL) = time -> compared in another way
(SELECT max(o.id) FROM silver.t AS o WHERE o.id < t.id) -> write a join
"""
QUERIES = """
SELECT id, id FROM silver.t -> two columns have the name
SELECT nothing FROM silver.t -> no column of the tables
WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3) SELECT n FROM a -> recursive
VALUES (1) -> it is no query
SELECT id, count(*) AS n FROM silver.t GROUP BY ROLLUP (id) -> it is not translated
SELECT unnest(id) AS a FROM silver.t -> only a list
SELECT unnest(place) AS a FROM silver.t -> only a list
SELECT unnest(codes) AS a, id FROM silver.t ORDER BY id -> one unnest of a SELECT
SELECT DISTINCT ON (id) id, text FROM silver.t -> row_number()
SELECT t.id FROM silver.t NATURAL JOIN silver.t AS o -> USING
SELECT id FROM range(3) AS r(id) -> neither a table
SELECT id FROM silver.t UNION ALL BY NAME SELECT id FROM silver.t -> BY NAME
SELECT id FROM silver.t LIMIT 1 + 1 -> only a number
SELECT id FROM silver.t LIMIT 10% -> its limit_options
SELECT * FROM silver.t USING SAMPLE 10 -> sample is not translated
SELECT t.id FROM silver.t POSITIONAL JOIN silver.t AS o -> write ON
SELECT t.id FROM silver.t ASOF JOIN silver.t AS o ON t.id = o.id AND t.day + 1 >= o.day -> more than columns
SELECT t.id FROM silver.t ASOF JOIN silver.t AS o ON t.id = o.id -> one `time >= column`
"""


def _cases(text: str) -> list[tuple[str, str]]:
    found = [line.partition(" -> ")[::2] for line in text.strip().splitlines()]
    return [(query, why) for query, why in found]


CASES = [*((f"SELECT {one} AS x FROM silver.t", why) for one, why in _cases(OF_AN_EXPRESSION)), *_cases(QUERIES)]


@pytest.mark.parametrize(("query", "why"), CASES, ids=[query for query, _ in CASES])
def test_it_is_refused_for_its_own_reason(query: str, why: str) -> None:
    with pytest.raises(NotInSparkError) as refusal:
        spark_sql(query, ONE)
    assert why in str(refusal.value)
