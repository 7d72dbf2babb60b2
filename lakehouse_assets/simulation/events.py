"""What visitors of the simulated retailer's web shop do: the visits that led to its sales, and others.

Events come as JSON lines, out of order, one in a hundred twice, some up to two days late. Not here: who buys what.
"""

import datetime as dt
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache

from lakehouse_assets.simulation.register import CUSTOMERS, PRODUCTS, Record, Register, written
from lakehouse_assets.simulation.sales import ZONE, Invoice, invoices, open_days

_LATEST = 2
_LATE, _TWICE, _SIGNED_IN, _IN_THE_WEB_SHOP = 0.02, 0.01, 0.3, 0.6


def drops(days: int, today: dt.date, register: Register) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of what is delivered on each of the last business days before today, oldest first."""

    @lru_cache
    def of_day(day: dt.date) -> list[tuple[int, Record]]:
        dice = random.Random(f"events {day}")  # noqa: S311 - a simulation, not a secret
        sold = invoices(day, register)
        found = [event for one in sold for event in visit_of(dice, one)]
        for number in range(len(sold) * 3 // 2):
            at = dt.datetime.combine(day, dt.time(dice.randint(7, 22), dice.randint(0, 59)), ZONE)
            found += visit(dice, at, f"{day:%Y%m%d}-b{number}")
        return [(dice.randint(1, _LATEST) if dice.random() < _LATE else 0, event) for event in found]

    for day in open_days(days, today):
        delivered = [
            event
            for late in range(_LATEST + 1)
            for days_late, event in of_day(day - dt.timedelta(days=late))
            if days_late == late
        ]
        yield f"{day:%Y/%m}/events-{day}.jsonl.gz", delivery(random.Random(f"order {day}"), delivered)  # noqa: S311


def visit_of(dice: random.Random, invoice: Invoice) -> Iterator[Record]:
    """Yield the events that led to an invoice, where it was made out in the web shop."""
    if invoice.is_cancelled or random.Random(invoice.number).random() > _IN_THE_WEB_SHOP:  # noqa: S311
        return
    session, bought = f"{invoice.moment:%Y%m%d}-{invoice.number}", invoice.moment.replace(tzinfo=ZONE)
    customer = None if invoice.customer is None else str(invoice.customer)
    begun = bought - dt.timedelta(minutes=dice.randint(3, 30))
    for number, (code, *_) in enumerate(invoice.lines):
        seconds = int((bought - begun).total_seconds() * number / len(invoice.lines))
        viewed = begun + dt.timedelta(seconds=seconds)
        for type_, at in (("view", viewed), ("cart", viewed + dt.timedelta(seconds=9)), ("purchase", bought)):
            yield _event(f"{session}-{number}-{type_}", at, session, customer, code, type_)


def visit(dice: random.Random, at: dt.datetime, session: str) -> Iterator[Record]:
    """Yield the events of a visit that led to nothing."""
    customer = str(dice.choice(CUSTOMERS)) if dice.random() < _SIGNED_IN else None
    for number in range(dice.randint(1, 5)):
        type_ = dice.choice(("view", "view", "view", "cart"))
        code = dice.choice(PRODUCTS)[0] if number or type_ == "cart" else None
        yield _event(f"{session}-{number}", at + dt.timedelta(seconds=20 * number), session, customer, code, type_)


def delivery(dice: random.Random, events: Sequence[Record]) -> bytes:
    """Return an object of some events, in any order, some of them twice."""
    sent = [*events, *dice.choices(events, k=int(len(events) * _TWICE))] if events else []
    dice.shuffle(sent)
    return gzip.compress("".join(json.dumps(event) + "\n" for event in sent).encode(), mtime=0)


def _event(event_id: str, at: dt.datetime, session: str, customer: str | None, code: str | None, type_: str) -> Record:
    return {
        "event_id": event_id,
        "event_time": written(at),
        "session_id": session,
        "customer_id": customer,
        "stock_code": code,
        "type": type_,
    }
