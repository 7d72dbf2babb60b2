"""Tables at the edges of what their contracts allow: NULLs, large decimals, clock changes, the order of texts.

The primary key of a table is unique in them, as a published table has it. Not here: what is compared over them.
"""

import datetime as dt
from decimal import Decimal

import polars as pl
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Table

_TEXTS = ("A", "Z", "a", "z", "Ä", "é", "ÿ", "😀", "ab", "a b", "10002", "85123A", "POST", 'it\'s \\ "x"', "\ufffd")
_OF_COLUMN: dict[str, tuple[str, ...]] = {
    "line_type": ("sale", "return", "adjustment"),
    "type": ("view", "cart", "purchase", "other"),
    "country": ("United Kingdom", "France", "Österreich", "Eire"),
}
# Both changes of London's clock, the last moment of a day, a leap day, the end of a year.
_INSTANTS = tuple(
    dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    for text in (
        "2011-03-27 00:59:59.999999",
        "2011-03-27 01:00:00",
        "2011-10-30 00:30:00",
        "2011-10-30 01:30:00",
        "2012-02-29 23:59:59.999999",
        "2011-12-31 23:00:00",
        "1969-12-31 23:59:59.5",
    )
)
_DATES = tuple(
    dt.date.fromisoformat(day) for day in ("2011-03-27", "2011-10-30", "2012-02-29", "2011-12-31", "1969-12-31")
)
_INTEGERS = (0, 1, 2, 3, -1, -7, 2**31, -(2**53) - 1, 2**62)
_COUNTS = (0, 1, 2, 5)
_DIGITS = ("0", "0.0001", "2.55", "-2.55", "99999999999999.9999", "-99999999999999.9999", "123456789012345.6789", "0.5")
_UNIQUE = {"customers_history": ("customer_id", "valid_from"), "products_history": ("stock_code", "valid_from")}


def _value(name: str, dtype: pl.DataType) -> st.SearchStrategy[object]:
    match dtype:
        case pl.String():
            return st.sampled_from(_OF_COLUMN.get(name, _TEXTS))
        case pl.Decimal() if dtype.scale == 0:
            return st.sampled_from(_COUNTS).map(Decimal)
        case pl.Decimal():
            limit = Decimal(10) ** ((dtype.precision or 38) - (dtype.scale or 0))
            fit = [Decimal(digits) for digits in _DIGITS if abs(Decimal(digits)) < limit]
            return st.sampled_from([round(digits, dtype.scale or 0) for digits in fit])
        case pl.Date():
            return st.sampled_from(_DATES)
        case pl.Datetime():
            return st.sampled_from(_INSTANTS)
        case pl.List():
            return st.lists(st.sampled_from(_TEXTS), unique=True, max_size=4).map(sorted)
        case pl.Boolean():
            return st.booleans()
        case pl.Float64():
            return st.sampled_from([0.0, 0.1, -2.5, 1e300])
    return st.sampled_from(_COUNTS if name in {"lines", "records", "bucket"} else _INTEGERS)


def frames(table: Table) -> st.SearchStrategy[pl.DataFrame]:
    """Return tables with the columns of a declared one, of no row up to sixteen."""
    types = table.types
    values = {
        name: _value(name, dtype) if not table.columns[name].nullable else st.none() | _value(name, dtype)
        for name, dtype in types.items()
    }
    key = [name for name in _key_of(table) if name in types]
    rows = st.lists(st.fixed_dictionaries(values), max_size=16)
    made = rows.map(lambda found: pl.DataFrame(found, schema=types))
    return made.map(lambda frame: frame.unique(key, keep="first", maintain_order=True)) if key else made


def _key_of(table: Table) -> tuple[str, ...]:
    keys = {"daily_customer_sales": ("dt", "customer_id"), "daily_product_sales": ("dt", "stock_code")}
    keys |= {"daily_baskets": ("dt", "invoice_no"), "daily_sales": ("dt", "country"), **_UNIQUE}
    return keys.get(table.name, ())
