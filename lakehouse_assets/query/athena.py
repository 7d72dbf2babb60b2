"""Running a person's SQL in Athena, with the same answer as DuckDB's for the same rows. Not here: writing it."""

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

from lakehouse_assets.catalog import query_costs
from lakehouse_assets.catalog.athena import calls_of
from lakehouse_assets.catalog.athena_calls import QueryFailedError
from lakehouse_assets.catalog.athena_sql import in_glue
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.query.sql import Answer, QueryError


def run(lake: Lake, sql: str) -> Answer:
    """Run one query in Athena's dialect over the tables in Glue, by their names in the lake.

    Raises:
        QueryError: Athena is not configured, the SQL is not one query, or Athena could not run it.
    """
    if not lake.settings.athena_workgroup:
        msg = "Athena is not configured. Nothing was run; set LAKEHOUSE_ATHENA_WORKGROUP (see docs/aws.md)."
        raise QueryError(msg)
    calls = calls_of(lake)
    try:
        ran = calls.run(in_glue(sql, lake.settings.glue_prefix))
    except (ContractError, QueryFailedError) as error:
        raise QueryError(str(error)) from error
    query_costs.record(lake, "athena", ran.id, ran.scanned, ran.usd(lake.settings.athena_usd_per_tb))
    columns, rows = calls.results(ran.id)
    read = [_READ.get(column["Type"], str) for column in columns]
    values = [tuple(None if text is None else cast(text) for cast, text in zip(read, row, strict=True)) for row in rows]
    return Answer([column["Name"] for column in columns], values)


def _moment(text: str) -> dt.datetime:
    """Return a time; Athena writes the zone after it, which is UTC for every time of the lake."""
    plain = text.removesuffix(" UTC")
    found = dt.datetime.fromisoformat(plain)
    return found.replace(tzinfo=dt.UTC) if plain != text else found


_READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    **dict.fromkeys(("timestamp", "timestamp with time zone"), _moment),
    "decimal": decimal.Decimal,
    "boolean": lambda text: text == "true",
    "date": dt.date.fromisoformat,
}
