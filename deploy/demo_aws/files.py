"""What lands in the demo: some days of the simulated retailer, a day that the gate holds, a file that is rejected."""

import datetime as dt

from lakehouse_assets.simulation.sales import drops

_SATURDAY = 5
REJECTED = "sales/till-7.csv"


def files(days: int, today: dt.date) -> dict[str, bytes]:
    """Return the bytes of each file by feed and key."""
    found = {f"sales/{key}": data for key, data in drops(days, today)}
    date = held_date(today)
    found[f"sales/stall-{date}.csv"] = _stall(date)
    found[REJECTED] = b""
    return found


def held_date(today: dt.date) -> dt.date:
    """Return the last Saturday before today: the shop was closed, and a market stall sends broken records."""
    return next(day for back in range(1, 8) if (day := today - dt.timedelta(days=back)).weekday() == _SATURDAY)


def _stall(date: dt.date) -> bytes:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    lines = [f"536365,85123A,RED LANTERN,many,{date} 09:{minute:02}:00,2.55,,United Kingdom" for minute in range(5)]
    return "\n".join([header, *lines, ""]).encode()
