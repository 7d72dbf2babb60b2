"""What the simulated retailer sells, as its tills write it. The same day always gives the same bytes."""

import csv
import datetime as dt
import io
import random
import zipfile
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lakehouse_assets.simulation.register import COUNTRIES, CUSTOMERS, PRODUCTS, Register

ZONE = ZoneInfo("Europe/London")
_SATURDAY = 5
_HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
_Row = tuple[str, ...]
_SETS = dict(zip(PRODUCTS[:24:2], PRODUCTS[1:24:2], strict=True))
"""Products that go together, as a cup with its saucer: `gold.basket_pairs` finds them."""
_WITH_ITS_SET = 0.6


class Invoice(NamedTuple):
    """What somebody bought, or took back.

    Attributes:
        moment: When, by the clock on the retailer's wall.
        customer: Number of the customer; None for an anonymous one.
        lines: Code, article text, price and units of each product.
    """

    number: int
    moment: dt.datetime
    customer: int | None
    country: str
    is_cancelled: bool
    lines: list[tuple[str, str, str, int]]

    @property
    def rows(self) -> list[_Row]:
        """The lines as a till writes them."""
        number = f"C{self.number}" if self.is_cancelled else str(self.number)
        customer = "" if self.customer is None else f"{self.customer}.0"
        return [
            (number, code, text, str(-units if self.is_cancelled else units), str(self.moment), price, customer,
             self.country)
            for code, text, price, units in self.lines
        ]  # fmt: skip


def open_days(days: int, today: dt.date) -> list[dt.date]:
    """Return the last business days before today, oldest first. Saturdays are closed."""
    before = (today - dt.timedelta(days=back) for back in range(1, 2 * days + 9))
    return [day for day in before if day.weekday() != _SATURDAY][:days][::-1]


def drops(days: int, today: dt.date, register: Register | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of the daily zip drops of the last business days before today, oldest first.

    A drop has a few hundred lines, some sent twice, a few that break the contract.
    """
    register = register or Register(dt.datetime.combine(today, dt.time(), dt.UTC))
    for day in open_days(days, today):
        dice = _dice(day)
        rows = [row for invoice in _invoices(dice, day, register) for row in invoice.rows]
        rows += dice.sample(rows, k=len(rows) // 100)
        for at in dice.sample(range(len(rows)), k=max(1, len(rows) // 200)):
            spoilt = list(rows[at])
            column, value = dice.choice(((3, "1.5"), (5, "-2.50"), (7, ""), (0, "5363"), (4, "yesterday")))
            spoilt[column] = value
            rows[at] = tuple(spoilt)
        yield f"{day:%Y/%m}/sales-{day}.zip", _zip(f"sales-{day}.csv", as_csv(rows))


def invoices(day: dt.date, register: Register) -> list[Invoice]:
    """Return what was sold on a day; nothing on a Saturday."""
    return [] if day.weekday() == _SATURDAY else _invoices(_dice(day), day, register)


def invoice(dice: random.Random, moment: dt.datetime, number: int, register: Register) -> Invoice:
    """Return what somebody buys at a moment."""
    customer = None if dice.random() < 0.25 else dice.randint(CUSTOMERS[0], CUSTOMERS[-1])  # noqa: PLR2004 - a quarter buys anonymously
    is_cancelled = dice.random() < 0.03  # noqa: PLR2004 - few take back what they bought
    country = dice.choice(COUNTRIES)
    if customer is not None:
        country = register.country(customer, moment.replace(tzinfo=ZONE))
    sold = dice.sample(PRODUCTS, k=dice.randint(1, 12))
    sold += [
        other for one, other in _SETS.items() if one in sold and other not in sold and dice.random() < _WITH_ITS_SET
    ]
    lines = [(*product, dice.choice((1, 1, 2, 3, 6, 6, 12, 24))) for product in sold]
    return Invoice(number, moment, customer, country, is_cancelled, lines)


def as_csv(rows: Iterable[_Row]) -> bytes:
    """Return a file of some lines."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_HEADER)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _dice(day: dt.date) -> random.Random:
    return random.Random(day.toordinal())  # noqa: S311 - a simulation, not a secret


def _invoices(dice: random.Random, day: dt.date, register: Register) -> list[Invoice]:
    first = 100_000 + day.toordinal() % 8_000 * 100
    found = []
    for number in range(dice.randint(25, 60)):
        moment = dt.datetime.combine(day, dt.time(dice.randint(8, 19), dice.randint(0, 59)))
        found.append(invoice(dice, moment, first + number, register))
    return found


def _zip(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
