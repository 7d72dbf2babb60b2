"""What a person decides in tests, and what the lake shows of it afterwards.

`take` records a decision, `settle` does all that is pending without Dagster, `shown` and `accounts` read the outcome.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from deltalake import DeltaTable

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import Decision, Pin
from lakehouse_assets.operations.decision_commands import revoke
from lakehouse_assets.pipeline import pins
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.retail import DAY, build, day, ingest, land, line, publish, sales, sales_csv

NEXT, THIRD = "2011-03-02", "2011-03-03"
WHY, WHO = "the till printed it wrong", "ann"
GOOD = 60
"""Valid records of `bad_day`, lines 1 to 60; three bad ones beside them pass the gate."""


class Account(NamedTuple):
    """What became of the records of a partition."""

    landed: int
    valid: int
    quarantined: int
    duplicates: int
    discarded: int
    published: int
    held: int


def bad_day(*bad: dict[str, str | None], date: str = DAY, good: int = GOOD) -> bytes:
    """Return a file of valid records of a date (quantities 1, 2, 3 ...) followed by some other records."""
    return sales_csv([*day(date, good), *bad])


def bad_line(**changes: str | None) -> dict[str, str | None]:
    """Return a record of DAY, distinct from those of `day`, whose quantity cannot be read."""
    return line(**{"InvoiceNo": "540001", "Quantity": "six"} | changes)


def with_feed(lake: Lake, **changes: Any) -> Lake:
    """Return the lake with a changed sales feed, and the models that read it."""
    return replace(lake, registry=Registry([replace(sales(lake), **changes)], list(lake.registry.models.values())))


def take(lake: Lake, verb: Callable[..., Decision], *about: object) -> Decision:
    """Take a decision about sales, and record it."""
    decision = verb(lake, sales(lake), *about, WHY, WHO)
    recorded.record(lake.store, decision)
    return decision


def take_back(lake: Lake, decision: Decision) -> Decision:
    """Revoke a decision."""
    taken = revoke(lake, decision.feed, decision.id, "it was right after all", WHO)
    recorded.record(lake.store, taken)
    return taken


def restore(lake: Lake, name: str, target: int | dt.datetime) -> Pin:
    """Decide to restore a table to a version or a moment."""
    table = lake.registry.table(name)
    published = delta.fingerprints(lake.store, table.path)
    decision = pins.pin(lake, table, target, list(published), published, WHY, WHO)
    recorded.record(lake.store, decision)
    return decision


def version(lake: Lake, name: str) -> int:
    """Return the present version of a Delta table."""
    return int(DeltaTable(lake.store.uri(lake.registry.table(name).path), storage_options=lake.store.options).version())


def settle(lake: Lake, *, gold: bool = False) -> dict[str, Outcome]:
    """Do all that is pending, up to silver or up to gold, and assert that nothing is left; return what was decided."""
    ingest(lake)
    outcomes = publish(lake)
    assert pending(lake) == []
    if gold:
        build(lake)
        assert [m.name for m in lake.registry.models.values() if ModelState.read(lake, m).pending] == []
    return outcomes


def pending(lake: Lake, feed: Feed | None = None) -> list[str]:
    """Return the pending partitions of silver."""
    feed = feed or sales(lake)
    return FeedState.read(lake, feed, lake.ledger_of(feed)).pending


def held(lake: Lake) -> list[str]:
    """Return the held partitions of sales."""
    return FeedState.read(lake, sales(lake), lake.ledger_of(sales(lake))).held


def ask(lake: Lake, sql: str, at: dt.datetime | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return answers.run(lake, sql, at).rows


def quantities(lake: Lake, date: str = DAY) -> list[int]:
    """Return the published quantities of a date, sorted."""
    return [n for (n,) in ask(lake, f"SELECT quantity FROM silver.sales WHERE dt = '{date}' ORDER BY 1")]  # noqa: S608


def quarantined(lake: Lake) -> dict[tuple[str, int], list[str]]:
    """Return the rules that each quarantined record breaks, by source key and line."""
    rows = ask(lake, "SELECT _source_key, _line, rules FROM quarantine.sales")
    return {(key, number): sorted(rules) for key, number, rules in rows}


def sales_of(lake: Lake, date: str = DAY) -> str | None:
    """Return the sales of a date in gold, as text."""
    [(amount,)] = ask(lake, f"SELECT sum(sales) FROM gold.daily_sales WHERE dt = '{date}'")  # noqa: S608
    return None if amount is None else str(amount)


def states(lake: Lake) -> dict[str, str]:
    """Return the state of each decision by id."""
    return dict(ask(lake, "SELECT id, state FROM ops.decisions"))


def shown(lake: Lake, *names: str) -> dict[str, list[str]]:
    """Return the rows of some tables (all but those of the lake's own history, by default), whatever their order."""
    tables = frames(lake)
    chosen = names or [name for name in tables if name not in {"ops.ledger", "ops.decisions"}]
    volatile = ["run_id", "_ingested_at"]
    return {name: sorted(map(repr, tables[name].drop(volatile, strict=False).collect().rows())) for name in chosen}


def accounts(lake: Lake) -> dict[str, Account]:
    """Return the accounting by partition; assert that it adds up for each source object, and with the other tables."""
    counts = ", ".join(Account._fields)
    for *_, values in (rows := ask(lake, f"SELECT part, source_key, [{counts}] FROM ops.accounting")):  # noqa: S608
        of = Account(*values)
        assert of.landed == of.valid + of.quarantined + of.duplicates + of.discarded
        assert of.valid == of.published + of.held
    found: dict[str, Account] = {}
    for partition, _, values in rows:
        found[partition] = Account(*map(sum, zip(found.get(partition, Account(*[0] * 7)), values, strict=True)))
    [(bronze, quarantine)] = ask(
        lake, "SELECT (FROM (SELECT count(*) FROM bronze.sales)), count(*) FROM quarantine.sales"
    )
    assert sum(of.landed for of in found.values()) == bronze
    assert sum(of.quarantined for of in found.values()) == quarantine
    silver = dict(ask(lake, "SELECT dt::VARCHAR, count(*) FROM silver.sales GROUP BY 1"))
    by_partition = {partition: of.published for partition, of in found.items() if of.published}
    assert {partition: silver.get(partition, 0) for partition in by_partition} == by_partition
    return found


def sound(lake: Lake) -> dict[str, Account]:
    """Assert that `verify` finds nothing and that the accounting adds up; return it by partition."""
    assert findings(lake) == []
    return accounts(lake)


def findings(lake: Lake) -> list[str]:
    """Return what `verify` finds when it reads every original again."""
    return [str(finding) for finding in verify(lake, deep=True)]


def landed(lake: Lake, files: Iterable[tuple[str, bytes]]) -> None:
    """Land some files and settle."""
    for key, data in files:
        land(lake, key, data)
    settle(lake)
