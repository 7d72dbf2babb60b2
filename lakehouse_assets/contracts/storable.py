"""Which columns a stored table can have. Not here: how the Delta protocol spells their types."""

from collections.abc import Iterable, Mapping
from typing import cast

import polars as pl

from lakehouse_assets.contracts.source import ContractError

_PLAIN = (pl.String, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.Float64, pl.Float32, pl.Boolean, pl.Date, pl.Decimal)


def check_storable(schema: str, types: Mapping[str, pl.DataType]) -> None:
    """Check that a table with columns of these names and types can be stored.

    Args:
        schema: Name of the class that declares the columns, for the message.

    Raises:
        ContractError: One has a type that a Delta table, or a reader of it, does not have, or two have one name.
    """
    if twins := alike(types):
        msg = f"{schema}.{twins[1]}: only case tells it from {twins[0]}, and no table holds both; rename one."
        raise ContractError(msg)
    for name, dtype in types.items():
        if not is_storable(dtype):
            fix = 'dy.Datetime(time_zone="UTC")' if isinstance(dtype, pl.Datetime) else "a type that it has"
            msg = f"{schema}.{name}: a Delta table has no place for the type {dtype}; declare {fix}."
            raise ContractError(msg)


def alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two names that only case tells apart: Delta tables, and most readers of them, take them for one."""
    known = dict[str, str]()
    return next(((other, name) for name in names if (other := known.setdefault(name.lower(), name)) != name), None)


def is_storable(dtype: pl.DataType) -> bool:
    """Return whether a Delta table that all engines read has a place for a type."""
    match dtype:
        case pl.Datetime():
            return dtype.time_zone == "UTC"
        case pl.List():
            return is_storable(cast("pl.DataType", dtype.inner))
        case pl.Map():
            return all(is_storable(cast("pl.DataType", part)) for part in (dtype.key, dtype.value))
        case pl.Struct():
            return all(is_storable(cast("pl.DataType", field.dtype)) for field in dtype.fields)
        case _:
            return isinstance(dtype, _PLAIN)
