"""Bytes parsed as sales records: what comes out of them, and the reason where nothing does. Not here: the tests."""

import io
import json
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets_tests.retail import HEADERS, line

LIMIT = 2**24
FEED = registry().feed("sales")
RECORDS = [
    line(Description='ASSORTED, "COLOUR" BIRD\nORNAMENT £1', CustomerID=None),
    line(Quantity="-7", StockCode="post", InvoiceNo="C536365"),
    line(InvoiceNo="A563185", UnitPrice="-11062.06", Description=None),
]


def parsed(data: bytes) -> pl.DataFrame:
    return parse(data, FEED, LIMIT)[0]


def records_of(data: bytes) -> list[dict[str, str | None]]:
    """What bronze says, blank as null, which is what publishing makes of it."""
    rows = parsed(data).select(HEADERS).rows(named=True)
    return [{name: value or None for name, value in row.items()} for row in rows]


def problems_of(data: bytes) -> list[str | None]:
    return parsed(data)["_problem"].to_list()


def reason_of(data: bytes) -> str:
    with pytest.raises(Rejection) as error:
        parsed(data)
    assert "\n" not in str(error.value)
    return str(error.value)


def as_json(records: list[dict[str, Any]], *, lines: bool) -> bytes:
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    return ("\n".join(texts) + "\n" if lines else "[" + ", ".join(texts) + "]").encode()


def as_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
