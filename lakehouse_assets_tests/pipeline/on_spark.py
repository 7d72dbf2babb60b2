"""Functions of models that run on Spark, as somebody writes them in a file of their own. Not here: the tests."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame


def _twice(quantity: int) -> int:
    return quantity + quantity


def summed(rows: "DataFrame") -> "DataFrame":
    """Sum up twice the units, each in a Python process of Spark, and halve it."""
    from pyspark.sql import functions

    twice = functions.udf(_twice, "bigint")
    units = (functions.sum(twice("quantity")) / 2).cast("bigint")
    return rows.groupBy("dt").agg(
        units.alias("units"), functions.sum("line_amount").cast("decimal(38,4)").alias("sales")
    )


def more(rows: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions

    return summed(rows).withColumn("more", functions.lit(1))


def misspelt(rows: "DataFrame") -> "DataFrame":
    return rows.groupBy("dt").agg({"quantitee": "sum"})


def quoting(rows: "DataFrame") -> "DataFrame":
    raise LookupError(rows.select("invoice_no").first())


def number(rows: "DataFrame") -> int:
    return len(rows.columns)


def dividing(rows: "DataFrame") -> "DataFrame":
    return rows.selectExpr("dt", "quantity / (quantity - quantity) AS units", "line_amount AS sales")


def mixed(rows: "DataFrame", others: "pl.LazyFrame") -> "DataFrame":
    return rows.unionByName(others)
