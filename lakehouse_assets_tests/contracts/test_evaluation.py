"""What looks at other rows is told from what does not, and is evaluated partition by partition."""

import polars as pl
import pytest

from lakehouse_assets.contracts.evaluation import evaluated, group_of, is_row_wise

a, b = pl.col("a"), pl.col("b")
ROW_WISE = [
    a > 1, a.is_null() | (b == 2), a.fill_null(0), a.is_in([1, 2]), a.is_between(1, 2), pl.lit(value=True),
    pl.col("s").str.contains("^x") & ~pl.col("s").str.ends_with("y"), a.cast(pl.Int8, strict=False).is_not_null(),
    pl.when(a > 1).then(b).otherwise(pl.lit(None)), pl.coalesce("a", "b"), pl.any_horizontal("a", "b"),
    pl.col("d").dt.year() > 2000, pl.concat_str("s", "s"), pl.struct("a", "b").struct.field("a"),
    a.clip(0, 1).alias("x"),
    pl.col("s").str.split(",").list.get(0) == "x", a * b, (a / 2).round(2).abs() ** 2,
]  # fmt: skip
OTHERS = [
    a.sum() > 0, pl.len() > 1, pl.len().over("a") <= 1, a.is_unique(), pl.struct("a", "b").is_unique(), a.shift(1) > 0,
    a.cum_sum() > 0, a.diff() > 0, a.rank() > 1, a.is_first_distinct(), a.fill_null(strategy="forward"),
    a > a.first(), a.is_in(b.implode()), a.is_in(pl.Series([1, 2])), pl.when(a > 1).then(b.max()).otherwise(b),
    a.rolling_mean(2) > 0, a.sort(), a.reverse(), a.filter(b > 0).sum() > 0, pl.col("s").str.join() == "x",
    a.null_count() == 0, ~a.is_duplicated(), a.cast(pl.Float64).interpolate().is_null(), pl.int_range(3) > a.max(),
]  # fmt: skip


@pytest.mark.parametrize("expression", ROW_WISE, ids=str)
def test_row_wise(expression: pl.Expr) -> None:
    assert is_row_wise(expression)


@pytest.mark.parametrize("expression", OTHERS, ids=str)
def test_not_row_wise(expression: pl.Expr) -> None:
    assert not is_row_wise(expression)


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        (a > 1, None),
        (pl.len().over("a") <= 1, {"a"}),
        ((pl.len().over("a", "b") <= 1) & (b > 0), {"a", "b"}),
        ((pl.len().over("a", "b") <= 1) | a.is_unique(), {"a"}),
        (a.sum().over("b", pl.col("s").str.to_lowercase()) > b, {"b"}),
        (a.shift(1).over("b", order_by="s") > 0, {"b"}),
        (a.sum().over("b").over("a") > 0, {"a"}),
        (~pl.struct("a", "b").is_duplicated(), {"a", "b"}),
        (pl.when(b > 1).then(a.is_first_distinct()).otherwise(pl.lit(value=True)), {"a"}),
        (pl.len().over(a % 2) <= 1, set()),
        (a.sum().over("b") > a.mean(), set()),
        ((a + b).is_unique(), set()),
        (a.over("b", mapping_strategy="explode"), set()),
        (a.is_in(pl.Series([1, 2])), set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # a set has no order
)
def test_the_rows_that_matter_for_a_row(expression: pl.Expr, columns: set[str] | None) -> None:
    assert group_of(expression) == columns


def test_each_partition_is_evaluated_alone_and_the_order_of_the_rows_stays() -> None:
    rows = pl.DataFrame({"p": ["x", "y", "x", None, "y"], "a": [1, 2, 3, 4, 2]})
    wanted = {"total": a.sum(), "twice": a * 2, "one": a.is_unique(), "first": a.first().over("a")}
    assert evaluated(rows, wanted, "p").to_dict(as_series=False) == {
        "total": [4, 4, 4, 4, 4], "twice": [2, 4, 6, 8, 4], "one": [True, False, True, True, False],
        "first": [1, 2, 3, 4, 2],
    }  # fmt: skip
    assert evaluated(rows, wanted, None)["total"].to_list() == [12] * 5


@pytest.mark.parametrize("expression", OTHERS[:-1], ids=str)
def test_a_partition_among_others_has_the_values_that_it_has_alone(expression: pl.Expr) -> None:
    lots = {"a": [1, 2, 3, 2, 1, 3, 2, 2], "b": [2, None, 0, 2, 1, None, 3, 2], "s": list("xyxxzyxx")}
    rows = pl.DataFrame({"p": ["x", "y", "x", None, "y", "x", None, "y"], **lots})
    together = evaluated(rows, {"v": expression}, "p").with_columns(rows["p"])
    for part in rows.partition_by("p"):
        apart = evaluated(part, {"v": expression}, None)["v"]
        assert together.filter(pl.col("p").eq_missing(part["p"][0]))["v"].equals(apart, null_equal=True)


@pytest.mark.parametrize("name", ["self", "exprs", "named_exprs"])
def test_a_column_may_have_any_name(name: str) -> None:
    assert evaluated(pl.DataFrame({name: [1, 2]}), {name: pl.col(name) * 2}, None)[name].to_list() == [2, 4]


def test_no_rows_give_no_values() -> None:
    rows = pl.DataFrame(schema={"p": pl.String, "a": pl.Int64})
    for partition in ("p", None):
        assert evaluated(rows, {"total": a.sum(), "known": pl.lit(value=True)}, partition).shape == (0, 2)
