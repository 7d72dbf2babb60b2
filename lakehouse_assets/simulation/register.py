"""Who buys at the simulated retailer, and what: customers and products, and every change of them.

The same moment always finds the same customers and products, apart from changes that were added since. Not here: what
is sold to them.
"""

import datetime as dt
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]

CUSTOMERS = range(12_000, 12_401)
COUNTRIES = ("United Kingdom",) * 14 + ("Germany", "France", "EIRE", "Netherlands", "Spain")
_SEGMENTS = ("retail",) * 5 + ("wholesale", "wholesale", "gift shop")
_FIRST_NAMES = ("Ada", "Amir", "Beth", "Chen", "Dora", "Emil", "Fatima", "George", "Hana", "Ivan", "Jo", "Kofi", "Lena")
_LAST_NAMES = ("Archer", "Baker", "Cooper", "Dyer", "Fisher", "Glover", "Hunter", "Miller", "Potter", "Smith", "Weaver")
_ADJECTIVES = ("RED", "WHITE", "VINTAGE", "WOODEN", "ENAMEL", "GLASS", "RETROSPOT", "FELT", "WICKER", "CERAMIC")
_CATEGORIES = {
    "LANTERN": "LIGHT", "TEA SET": "KITCHEN", "CAKE STAND": "KITCHEN", "BUNTING": "PARTY", "DOORMAT": "HOME",
    "MUG": "KITCHEN", "CLOCK": "HOME", "BASKET": "HOME", "CANDLE": "LIGHT", "FRAME": "HOME", "TRAY": "KITCHEN",
}  # fmt: skip
PRODUCTS = [
    (str(20_000 + 137 * at) + ("" if at % 3 else "A"), f"{adjective} {noun}", f"{0.42 + at % 23 * 0.55:.2f}")
    for at, (adjective, noun) in enumerate((a, n) for a in _ADJECTIVES for n in _CATEGORIES)
]
"""Code, article text and price of each product."""
_FOUNDED = dt.datetime(2009, 1, 2, tzinfo=dt.UTC)
_CHANGES_FROM = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
_DAYS_BETWEEN = {"customers": 200, "products": 120}


class Register:
    """The customers and products as they are and were, each version a record as the API gives it.

    Attributes:
        versions: By feed, every version in the order of its time.
    """

    def __init__(self, until: dt.datetime, kept: Path | None = None) -> None:
        """Make the register as of a moment.

        Args:
            kept: A file with the changes that were added, one a line; a new one is added to it. None keeps none.
        """
        self._kept = kept
        self.versions = {"customers": sorted(_customers(until), key=_at), "products": sorted(_products(until), key=_at)}
        if kept is not None and kept.exists():
            for line in kept.read_text(encoding="utf-8").splitlines():
                feed, record = json.loads(line)
                self.versions[feed].append(record)
        self._of_customer: dict[str, list[Record]] = {}
        for record in self.versions["customers"]:
            self._of_customer.setdefault(record["customer_id"], []).append(record)

    def country(self, customer: int, at: dt.datetime) -> str:
        """Return where a customer lives at a moment."""
        versions, moment = self._of_customer[str(customer)], written(at)
        return str(next(record["country"] for record in reversed(versions) if record["updated_at"] <= moment))

    def change(self, dice: random.Random, at: dt.datetime) -> None:
        """Change one customer and one product."""
        customer = dice.choice(self._of_customer[str(dice.choice(CUSTOMERS))][-1:])
        moved = _moved(customer, dice) | {"updated_at": written(at)}
        self._of_customer[moved["customer_id"]].append(moved)
        code = dice.choice(PRODUCTS)[0]
        product = next(record for record in reversed(self.versions["products"]) if record["stock_code"] == code)
        for feed, record in (
            ("customers", moved),
            ("products", _recosted(product, dice) | {"updated_at": written(at)}),
        ):
            self.versions[feed].append(record)
            if self._kept is not None:
                with self._kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([feed, record]) + "\n")


def written(at: dt.datetime) -> str:
    """Return a moment as the API and the events write it."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _at(record: Record) -> str:
    return str(record["updated_at"])


def _moments(feed: str, number: int, until: dt.datetime) -> Iterator[str]:
    """Yield when a customer or product is new, and when it changes."""
    days = _DAYS_BETWEEN[feed]
    yield written(_FOUNDED + dt.timedelta(minutes=number))
    at = _CHANGES_FROM + dt.timedelta(days=number * 37 % days, minutes=number * 61 % 1440)
    while at <= until:
        yield written(at)
        at += dt.timedelta(days=days)


def _customers(until: dt.datetime) -> Iterator[Record]:
    for number in CUSTOMERS:
        dice = random.Random(f"customer {number}")  # noqa: S311 - a simulation, not a secret
        first, last = dice.choice(_FIRST_NAMES), dice.choice(_LAST_NAMES)
        record: Record = {
            "customer_id": str(number),
            "name": f"{first} {last}",
            "email": f"{first}.{last}.{number}@example.com".lower(),
            "phone": f"+44 20 7946 {number % 1_000:04}",  # numbers that nobody has
            "segment": dice.choice(_SEGMENTS),
            "country": dice.choice(COUNTRIES),
        }
        for version, at in enumerate(_moments("customers", number, until)):
            record = (_moved(record, dice) if version else record) | {"updated_at": at}
            yield record


def _moved(customer: Record, dice: random.Random) -> Record:
    changed, choices = dice.choice((("segment", _SEGMENTS), ("country", COUNTRIES)))
    return customer | {changed: dice.choice([value for value in choices if value != customer[changed]])}


def _products(until: dt.datetime) -> Iterator[Record]:
    for number, (code, text, price) in enumerate(PRODUCTS):
        dice = random.Random(f"product {code}")  # noqa: S311
        category = next(category for noun, category in _CATEGORIES.items() if text.endswith(noun))
        cost = f"{float(price) * dice.uniform(0.35, 0.6):.4f}"
        record: Record = {"stock_code": code, "description": text, "category": category, "unit_cost": cost}
        record["is_discontinued"] = False
        for version, at in enumerate(_moments("products", number, until)):
            record = (_recosted(record, dice) if version else record) | {"updated_at": at}
            yield record


def _recosted(product: Record, dice: random.Random) -> Record:
    return product | {"unit_cost": f"{float(product['unit_cost']) * dice.uniform(0.93, 1.09) + 0.0001:.4f}"}
