"""The simulated retailer at work: its API, and what it drops into landing, once for the past and then as time goes by.

Not here: what it sells and to whom.
"""

import datetime as dt
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.simulation import events, sales
from lakehouse_assets.simulation.api_server import Api
from lakehouse_assets.simulation.register import Record, Register

API_KEY = "simulated"
_EVERY_S = {"sales": 60.0, "web_events": 20.0, "changes": 30.0}
"""Seconds between two files, two objects of events, and two changes of a customer and a product, at speed 1."""
_MARK = "simulated.txt"
_KEPT_VISITS = 500
_DAYS_OF_EVENTS = 14
_LATE = 0.01


@dataclass
class RetailerApi(Api):
    """The retailer's API: `/v1/customers` and `/v1/products`, every version of them, in the order of their times."""

    register: Register = field(default_factory=lambda: Register(dt.datetime.now(dt.UTC)))
    changed: str = "updated_at"
    wanted: str | None = API_KEY
    header: str = "X-Api-Key"

    def records_at(self, path: str) -> list[dict[str, Any]]:
        return self.register.versions.get(path.removeprefix("/v1/"), [])


def is_its_lake(lake: Lake) -> bool:
    """Return whether the retailer may sell to a lake: nothing had landed there before it first did.

    So what is made up is never among what was really sold.
    """
    if lake.store.stat(_MARK):
        return True
    if next(iter(lake.store.list("landing/")), None) is not None:
        return False
    lake.store.replace(_MARK, b"What a simulated retailer sells is in this lake.\n")
    return True


def register_of(lake: Lake) -> Register:
    """Return the retailer's register as of now, with the changes of earlier days of work beside this lake."""
    home = lake.settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    return Register(dt.datetime.now(dt.UTC), home / "simulated_changes.jsonl")


def drops(lake: Lake, days: int, register: Register) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of what the retailer dropped on the last business days, for the feeds that the lake has.

    Of web events, which are many, it kept those of two weeks.
    """
    for name, drops_of, last in (("sales", sales.drops, days), ("web_events", events.drops, _DAYS_OF_EVENTS)):
        if feed := lake.registry.feeds.get(name):
            for key, data in drops_of(min(days, last), lake.today(feed), register):
                yield f"{feed.landing}/{key}", data


class Shop:
    """Sells, and lands what it sold. The same seed sells the same at the same moments."""

    def __init__(self, lake: Lake, register: Register, speed: float, seed: int = 0) -> None:
        """Open.

        Args:
            speed: How many times as often as usual something happens.
        """
        self._lake, self._register, self._speed = lake, register, speed
        self._dice = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._numbered = (dt.date.min, 0)
        self._sold: list[sales.Invoice] = []
        self._events: list[Record] = []
        self._sent = deque[Record](maxlen=_KEPT_VISITS)

    def work(self, *, is_open: Callable[[], bool], wait: Callable[[float], None] = time.sleep) -> None:
        """Sell for as long as it is open."""
        every = {name: seconds / self._speed for name, seconds in _EVERY_S.items()}
        due = {name: time.monotonic() + seconds / 2 for name, seconds in every.items()}
        while is_open():
            now = time.monotonic()
            for name in [name for name, at in due.items() if at <= now]:
                due[name] = max(now, due[name] + every[name])
                self.step(name, dt.datetime.now(dt.UTC))
            wait(min(1.0, max(0.0, min(due.values()) - time.monotonic())))

    def step(self, name: str, now: dt.datetime) -> None:
        """Do one thing: drop a file of `sales`, an object of `web_events`, or have `changes`."""
        if name == "changes":
            self._register.change(self._dice, now)
            return
        self._serve(now)
        if name == "sales":
            rows = [row for invoice in self._sold for row in invoice.rows]
            self._sold.clear()
            self._land("sales", f"{now:%Y/%m}/till-{now:%Y%m%dT%H%M%S%f}.csv", sales.as_csv(rows))
        else:
            self._events += self._visits(now)
            sent, self._events = self._events, []
            again = [self._dice.choice(self._sent)] if self._sent and self._dice.random() < len(sent) / 100 else []
            self._sent += sent
            data = events.delivery(self._dice, [*sent, *again])
            self._land("web_events", f"{now:%Y/%m/%d}/events-{now:%Y%m%dT%H%M%S%f}.jsonl.gz", data)

    def _serve(self, now: dt.datetime) -> None:
        """Sell to one to three customers."""
        wall = now.astimezone(sales.ZONE).replace(tzinfo=None, microsecond=0)
        for _ in range(self._dice.randint(1, 3)):
            invoice = sales.invoice(self._dice, wall, self._number(wall), self._register)
            self._sold.append(invoice)
            self._events += events.visit_of(self._dice, invoice)

    def _number(self, wall: dt.datetime) -> int:
        """Return a number that no invoice of the day has: of the tenth of a second, so that a restart repeats none."""
        day, last = self._numbered
        tenth = 100_000 + 10 * (wall.hour * 3600 + wall.minute * 60 + wall.second)
        self._numbered = (wall.date(), max(tenth, last + 1 if day == wall.date() else 0))
        return self._numbered[1]

    def _visits(self, now: dt.datetime) -> Iterator[Record]:
        """Yield events of visitors who buy nothing; a few were offline, and tell up to two days later."""
        for number in range(self._dice.randint(2, 5)):
            late = dt.timedelta(hours=self._dice.uniform(0, 48) if self._dice.random() < _LATE else 0)
            yield from events.visit(self._dice, now - dt.timedelta(minutes=2) - late, f"{now:%Y%m%d-%H%M%S%f}-{number}")

    def _land(self, feed: str, key: str, data: bytes) -> None:
        if declared := self._lake.registry.feeds.get(feed):
            self._lake.store.replace(f"{declared.landing}/{key}", data)
