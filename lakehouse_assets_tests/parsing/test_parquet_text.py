"""Values of Parquet files read as the text that they stand for."""

import datetime as dt
import json
from decimal import Decimal

import polars as pl
import pytest

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets_tests.parsing.parsed import FEED, as_parquet, parsed, records_of
from lakehouse_assets_tests.retail import HEADERS, line


def test_a_parquet_larger_than_the_limit_is_rejected() -> None:
    data = as_parquet(pl.DataFrame({name: ["same"] * 100_000 for name in HEADERS}))
    with pytest.raises(Rejection, match="it holds 100,000 rows of 8 columns, more than memory is set aside for"):
        parse(data, FEED, 2**20)


def test_parquet_values_of_other_types_read_as_the_text_that_they_stand_for() -> None:
    frame = pl.DataFrame(
        {
            "InvoiceNo": [536365],
            "StockCode": pl.Series(["85123A"], dtype=pl.Categorical),
            "Description": ["é"],
            "Quantity": pl.Series([6], dtype=pl.UInt16),
            "InvoiceDate": [dt.datetime(2011, 3, 1, 8, 26)],  # noqa: DTZ001 - a file without time zone
            "UnitPrice": pl.Series([Decimal("2.5500")], dtype=pl.Decimal(10, 4)),
            "CustomerID": [17850.0],
            "Country": ["France"],
        }
    )
    [record] = records_of(as_parquet(frame))
    assert record == {
        "InvoiceNo": "536365", "StockCode": "85123A", "Description": "é", "Quantity": "6",
        "InvoiceDate": "2011-03-01 08:26:00", "UnitPrice": "2.5500", "CustomerID": "17850", "Country": "France",
    }  # fmt: skip


def test_parquet_times_keep_their_instant_and_nested_values_their_json() -> None:
    moment = dt.datetime(2011, 7, 1, 0, 30, 0, 250_000, tzinfo=dt.UTC)
    frame = pl.DataFrame([line()]).with_columns(
        InvoiceDate=pl.Series([moment]).dt.convert_time_zone("Europe/London"),
        tags=pl.Series([["a", "b"]]),
        till=pl.struct(pl.lit(7).alias("number")),
        day=pl.lit(dt.date(2011, 7, 1)),
        open=pl.lit(value=True),
    )
    found = parsed(as_parquet(frame))
    assert dt.datetime.fromisoformat(found["InvoiceDate"][0]) == moment
    extra = json.loads(found["_extra"][0])
    assert (json.loads(extra["tags"]), json.loads(extra["till"])) == (["a", "b"], {"number": 7})
    assert (extra["day"], extra["open"]) == ("2011-07-01", "true")
