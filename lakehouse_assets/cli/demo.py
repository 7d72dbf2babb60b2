"""A simulated retailer for `lakehouse demo`. The same day always gives the same bytes."""

import csv
import datetime as dt
import io
import random
import zipfile
from collections.abc import Iterator

_SATURDAY = 5
_COUNTRIES = ("United Kingdom",) * 14 + ("Germany", "France", "EIRE", "Netherlands", "Spain")
_ADJECTIVES = ("RED", "WHITE", "VINTAGE", "WOODEN", "ENAMEL", "GLASS", "RETROSPOT", "FELT", "WICKER", "CERAMIC")
_NOUNS = ("LANTERN", "TEA SET", "CAKE STAND", "BUNTING", "DOORMAT", "MUG", "CLOCK", "BASKET", "CANDLE", "FRAME", "TRAY")
_PRODUCTS = [
    (str(20_000 + 137 * at) + ("" if at % 3 else "A"), f"{adjective} {noun}", f"{0.42 + at % 23 * 0.55:.2f}")
    for at, (adjective, noun) in enumerate((a, n) for a in _ADJECTIVES for n in _NOUNS)
]
_HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


def drops(days: int, today: dt.date) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of the daily zip drops of the last business days before today, oldest first.

    Saturdays are closed. A drop has a few hundred lines, some sent twice, a few that break the contract.
    """
    open_days = (today - dt.timedelta(days=back) for back in range(1, 2 * days + 9))
    chosen = [day for day in open_days if day.weekday() != _SATURDAY][:days]
    for day in reversed(chosen):
        yield f"{day:%Y/%m}/sales-{day}.zip", _zip(f"sales-{day}.csv", _csv(day))


def _zip(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _csv(day: dt.date) -> bytes:
    dice = random.Random(day.toordinal())  # noqa: S311 - a simulation, not a secret
    rows: list[tuple[str, ...]] = []
    for number in range(dice.randint(25, 60)):
        rows += _invoice(dice, day, 100_000 + day.toordinal() % 8_000 * 100 + number)
    rows += dice.sample(rows, k=len(rows) // 100)
    for at in dice.sample(range(len(rows)), k=max(1, len(rows) // 200)):
        spoilt = list(rows[at])
        column, value = dice.choice(((3, "1.5"), (5, "-2.50"), (7, ""), (0, "5363"), (4, "yesterday")))
        spoilt[column] = value
        rows[at] = tuple(spoilt)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_HEADER)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _invoice(dice: random.Random, day: dt.date, number: int) -> list[tuple[str, ...]]:
    moment = dt.datetime.combine(day, dt.time(dice.randint(8, 19), dice.randint(0, 59)))
    customer = "" if dice.random() < 0.25 else f"{dice.randint(12_000, 12_400)}.0"  # noqa: PLR2004 - a quarter buys anonymously
    cancelled = dice.random() < 0.03  # noqa: PLR2004 - few take back what they bought
    country = dice.choice(_COUNTRIES)
    lines: list[tuple[str, ...]] = []
    for code, text, price in dice.sample(_PRODUCTS, k=dice.randint(1, 12)):
        units = dice.choice((1, 1, 2, 3, 6, 6, 12, 24))
        lines.append(
            (f"C{number}" if cancelled else str(number), code, text, str(-units if cancelled else units),
             str(moment), price, customer, country)
        )  # fmt: skip
    return lines


def questions() -> Iterator[tuple[str, str]]:
    """Yield example questions and the SQL that answers them."""
    days = """\
SELECT dt, sum(sales) AS sales, sum(returns) AS returns, sum(net) AS net, sum(invoices) AS invoices
FROM gold.daily_sales GROUP BY dt ORDER BY dt DESC LIMIT 5"""
    products = """\
SELECT stock_code, description, sales, units, invoices, round(return_rate, 4) AS return_rate
FROM gold.product_performance ORDER BY sales DESC, stock_code LIMIT 5"""
    reasons = """\
SELECT rule, count(*) AS records FROM (SELECT unnest(rules) AS rule FROM quarantine.sales)
GROUP BY rule ORDER BY records DESC, rule"""
    yield "How did the last five days go?", days
    yield "Which products sell best?", products
    yield "Why are records in quarantine?", reasons
