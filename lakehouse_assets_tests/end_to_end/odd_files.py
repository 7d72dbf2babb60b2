"""Files as strangers write them: each with its records in words that silver must give back exactly."""

# ruff: noqa: RUF001 - signs that look like others are among the values

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lakehouse_assets_tests.workbook import Cell, workbook

_FIRST = dt.date(2011, 1, 1)
COUNT = 60


def _day(at: int) -> dt.date:
    return _FIRST + dt.timedelta(days=at)


def _german(amount: Decimal) -> str:
    return f"{amount:,}".translate(str.maketrans(",.", ".,"))


@dataclass(frozen=True)
class OddFile:
    """A file, the columns that its draft gives, and what they hold.

    Attributes:
        record: The values of the record at a place, in order of the columns.
        said: What the draft must say.
    """

    suffix: str
    data: bytes
    columns: tuple[str, ...]
    record: Callable[[int], tuple[Any, ...]]
    said: tuple[str, ...]


def _lines(written: Callable[[int], str], header: str = "", end: str = "\n") -> str:
    return header + end * bool(header) + "".join(written(at) + end for at in range(COUNT))


def _amount(at: int) -> Decimal:
    return Decimal(at * 123_450 + 25) / 100


ARTICLES = ("Décor", "Müller’s", "Café – l’été")
FORMATS = ("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%y")
_CELLS: list[list[Cell]] = [[at, _day(at), at * 0.1] for at in range(COUNT)]
ODD_FILES = {
    "carriage_returns": OddFile(
        "csv",
        _lines(lambda at: f"{at},{_day(at)},x{at}", "id,sold_on,name", "\r").encode() + b"\n",
        ("id", "sold_on", "name"),
        lambda at: (at, _day(at), f"x{at}"),
        ('business_date="sold_on"',),
    ),
    "mac_roman": OddFile(
        "csv",
        _lines(
            lambda at: f"{at};{_day(at):%d.%m.%Y};{ARTICLES[at % 3]};{_german(_amount(at))}",
            "Bestell-Nr;Datum;Artikel;Betrag",
        ).encode("mac_roman"),
        ("bestell_nr", "datum", "artikel", "betrag"),
        lambda at: (at, _day(at), ARTICLES[at % 3], _amount(at)),
        ('encoding="mac_roman", delimiter=";"', 'formats=("%d.%m.%Y",)', 'decimal=",", thousands="."'),
    ),
    "no_header": OddFile(
        "csv",
        _lines(lambda at: f"{at},{_day(at)},{'ab'[at % 2]},{at / 4}").encode(),
        ("column_1", "column_2", "column_3", "column_4"),
        lambda at: (at, _day(at), "ab"[at % 2], Decimal(at) / 4),
        ('header=("column_1", "column_2"', "The first line looks like data"),
    ),
    "fixed_width": OddFile(
        "txt",
        _lines(
            lambda at: f"{at:04d}  {('Leeds', 'New York')[at % 2]:<10} {_day(at):%Y%m%d}", "STORE CITY       OPENED"
        ).encode(),
        ("store", "city", "opened"),
        lambda at: (f"{at:04d}", ("Leeds", "New York")[at % 2], _day(at)),
        ('FixedWidth(widths={"STORE": 6, "CITY": 11, "OPENED": 8}, skip_lines=1)', "# text: leading zeros"),
    ),
    "nested": OddFile(
        "json",
        json.dumps(
            {
                "page": {"number": 1, "sizes": [10]},
                "data": {
                    "items": [
                        {"id": at, "address": {"city": "Ü", "geo": {"lat": at / 8}}, "tags": ["a", at], "opened": None}
                        for at in range(COUNT)
                    ]
                },
            }
        ).encode(),
        ("id", "address_city", "address_geo_lat", "tags", "opened"),
        lambda at: (at, "Ü", Decimal(at) / 8, f'["a", {at}]', None),
        ('Json(records="data.items")', 'source("address.geo.lat"', "# text: JSON arrays", "# text: no value"),
    ),
    "workbook": OddFile(
        "xlsx",
        workbook({"Notes": [], "Data": [["Id", "When", "Price"], *_CELLS]}),
        ("id", "when", "price"),
        lambda at: (at, _day(at), Decimal(at) / 10),
        ('Excel(sheet="Data")', "rounded=True", "other sheets: 'Notes'"),
    ),
    "mixed_dates": OddFile(
        "csv",
        _lines(lambda at: f"{at},{_day(at).strftime(FORMATS[at % 3])}", "id,shipped").encode(),
        ("id", "shipped"),
        lambda at: (at, _day(at)),
        ('formats=("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%y")',),
    ),
    "ambiguous_dates": OddFile(
        "csv",
        _lines(lambda at: f"{at},0{1 + at % 9}/{1 + at % 12:02d}/2011", "id,shipped").encode(),
        ("id", "shipped"),
        lambda at: (at, f"0{1 + at % 9}/{1 + at % 12:02d}/2011"),
        ('# text: dates; day first or month first, the sample does not tell: "%d/%m/%Y" or "%m/%d/%Y"',),
    ),
    "month_first": OddFile(
        "csv",
        _lines(lambda at: f'{at},{_day(at):%m/%d/%Y} 01:30 PM,"{_amount(at):,}"', "id,at,amount").encode(),
        ("id", "at", "amount"),
        lambda at: (at, dt.datetime.combine(_day(at), dt.time(13, 30), dt.UTC), _amount(at)),
        ('formats=("%m/%d/%Y %I:%M %p",)', 'thousands=","'),
    ),
    "float_noise": OddFile(
        "csv",
        _lines(lambda at: f"{at},{1.776357e-15 if at % 9 == 0 else at * 0.1 + 0.2!r}", "id,price").encode(),
        ("id", "price"),
        lambda at: (at, Decimal(0) if at % 9 == 0 else Decimal(at + 2) / 10),
        ("# noise of binary floats is rounded away", "rounded=True"),
    ),
    "long_ago": OddFile(
        "csv",
        _lines(lambda at: f"{at}\t{_day(at).replace(year=1998)}", "id\tordered").encode("utf-16"),
        ("id", "ordered"),
        lambda at: (at, _day(at).replace(year=1998)),
        ('encoding="utf-16", delimiter="\\t"', "start_date=dt.date(1998, 1, 1)"),
    ),
}
