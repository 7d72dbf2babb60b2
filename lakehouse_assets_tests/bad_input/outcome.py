"""What became of an input that was landed beside a good file, by the lake itself, and where that is not as promised."""

import datetime as dt
import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.bad_input.corpus import DAY, BadInput
from lakehouse_assets_tests.bad_input.table import Row as TableRow
from lakehouse_assets_tests.retail import Record, day, ingest, land, publish, sales, sales_csv

GOOD_KEY = "good/day.csv"
# As many on the bad input's date as it takes for a few bad rows not to hold the date.
GOOD = [*day(count=20), *day(DAY, count=200, InvoiceNo="536399")]
_LONGEST_REASON = 700
_PYTHON = re.compile(r"Traceback|has no attribute|<class |object at 0x|sys\.")
_SHOWN = ["invoice_no", "stock_code", "description", "quantity", "invoiced_at", "unit_price", "customer_id", "country"]
Row = tuple[object, ...]


@dataclass(frozen=True)
class Outcome:
    """Where the records of an input are, and every reason shown for those that are not published.

    Attributes:
        valid: The published rows of the input.
        good: Those of the good file.
        accounts: Per source object of the input: landed by the ledger, then valid, quarantined, duplicates.
        rejected: Reason by source key.
    """

    valid: "Counter[Row]"
    good: "Counter[Row]"
    quarantined: int
    quarantine_reasons: list[str]
    rejected: dict[str, str]
    accounts: list[tuple[int, int, int, int]]
    original: bytes
    still_pending: list[str]

    @property
    def ends_as(self) -> str:
        """The word of the table: the worst that became of any part of the input."""
        if self.rejected:
            return "rejected"
        return "quarantine" if self.quarantined else "accepted"

    @property
    def reasons(self) -> str:
        """Every reason that a person sees, lines joined."""
        return "\n".join([*self.rejected.values(), *self.quarantine_reasons])


def expected(rows: Iterable[Record] | int) -> "Counter[Row]":
    """Return what some valid records must look like in silver."""
    return Counter() if isinstance(rows, int) else Counter(_typed(row) for row in rows)


def _typed(row: Record) -> Row:
    at = dt.datetime.fromisoformat(row["InvoiceDate"] or "")
    local = at if at.tzinfo else at.replace(tzinfo=zoneinfo.ZoneInfo("Europe/London"))
    customer = row["CustomerID"]
    return (
        row["InvoiceNo"], row["StockCode"], row["Description"], int(row["Quantity"] or ""), local.astimezone(dt.UTC),
        Decimal(row["UnitPrice"] or "").quantize(Decimal("0.0001")),
        customer.removesuffix(".0") if customer else None, row["Country"],
    )  # fmt: skip


def land_both(lake: Lake, made: BadInput, data: bytes) -> None:
    """Land the input and a good file."""
    land(lake, made.key, data)
    land(lake, GOOD_KEY, sales_csv(GOOD))


def process(lake: Lake) -> None:
    """Bring all that is landed to silver."""
    ingest(lake)
    publish(lake)


def read(lake: Lake, key: str) -> Outcome:
    """Read what became of the input under a key."""
    feed = sales(lake)
    mine = (pl.col("_source_key") == key) | pl.col("_source_key").str.starts_with(f"{key}!")
    ledger = lake.ledger_of(feed)
    silver = rows_of(lake, feed.silver)
    quarantine = rows_of(lake, feed.quarantine)
    bad = quarantine.filter(mine)
    shown = {rule.id: f"{rule.id}: {rule.text}" for rule in feed.rules.values()}
    broken = bad.select(pl.col("rules").explode().unique().drop_nulls()).to_series().to_list() if bad.height else []
    problems = bad["_problem"].drop_nulls().unique(maintain_order=True).head(20).to_list()
    return Outcome(
        valid=Counter(silver.filter(mine).select(_SHOWN).iter_rows()),
        good=Counter(silver.filter(pl.col("_source_key") == GOOD_KEY).select(_SHOWN).iter_rows()),
        quarantined=bad.height,
        quarantine_reasons=[*problems, *(shown[rule] for rule in sorted(broken))],
        rejected={
            source: reason
            for object_key, source, state, reason in ledger.rows.select(
                "object_key", "source_key", "state", "reason"
            ).iter_rows()
            if object_key == key and state != "accepted"
        },
        accounts=_accounts(lake, key, silver, quarantine),
        original=lake.store.read(f"{feed.landing}/{key}"),
        still_pending=[
            *(stored.path for stored in pending(lake, feed, ledger)),
            *FeedState.read(lake, feed, ledger).pending,
        ],
    )


def disagreements(row: TableRow, made: BadInput, data: bytes, found: Outcome) -> list[str]:
    """Return where the outcome is not as the table, the input or the promises have it; empty when all agrees."""
    landed, valid, quarantined, duplicates = (sum(counts) for counts in zip((0, 0, 0, 0), *found.accounts, strict=True))
    lost = expected(made.valid) - found.valid
    strange = Counter() if isinstance(made.valid, int) else found.valid - expected(made.valid)
    said = {
        f"ends as {found.ends_as}, not {row.ends_as}": found.ends_as == row.ends_as,
        f"{valid} records are published, not {made.valid_count}": valid == made.valid_count,
        f"records lost: {str(list(lost))[:500]}": not lost,
        f"records that the input does not hold: {str(list(strange))[:500]}": not strange,
        f"{quarantined} records are in quarantine, not {made.quarantined}": quarantined == made.quarantined,
        f"{duplicates} records are duplicates, not {made.duplicates}": duplicates == made.duplicates,
        f"{landed} records have landed, not {made.landed}": landed == made.landed,
        "a source object does not add up": all(all_ == sum(partitions) for all_, *partitions in found.accounts),
        "the original bytes are not in landing": found.original == data,
        "the good file's records are not what is published": found.good == expected(GOOD),
        f"still pending: {found.still_pending}": not found.still_pending,
    }
    said |= {f"the reason does not say {word!r}": word in found.reasons for word in row.words}
    said |= {f"no reason for a person: {r[:200]!r}": is_for_a_person(r) for r in found.reasons.splitlines()}
    wrong = [text for text, is_so in said.items() if not is_so]
    return [*wrong, f"reasons: {found.reasons[:1_000]}"] if wrong else []


def is_for_a_person(reason: str) -> bool:
    """Return whether a person can read a reason: of some length, printable, and without Python's own words."""
    return reason.isprintable() and 0 < len(reason) <= _LONGEST_REASON and not _PYTHON.search(reason)


def rows_of(lake: Lake, table: Table) -> pl.DataFrame:
    """Return all rows of a stored table."""
    columns = table.types
    return delta.scan(lake.store, table.path, columns).collect()


def _accounts(lake: Lake, key: str, silver: pl.DataFrame, quarantine: pl.DataFrame) -> list[tuple[int, int, int, int]]:
    """Return landed (ledger), valid and quarantined (as the tables hold them) and duplicates per source object."""
    feed = sales(lake)
    rows = lake.ledger_of(feed).rows.filter((pl.col("object_key") == key) & (pl.col("state") == "accepted"))
    landed = rows.group_by("source_key").agg(pl.col("rows").sum(), pl.col("source_hash").first())
    counted = scan_accounting(lake.store).collect()
    duplicates = dict(counted.group_by("source_hash").agg(pl.col("duplicates").sum()).iter_rows())
    held = {table: dict(frame["_source_key"].value_counts().iter_rows()) for table, frame in
            (("silver", silver), ("quarantine", quarantine))}  # fmt: skip
    canonical = dict(counted.select("source_hash", "source_key").unique().iter_rows())
    return [
        (count, held["silver"].get(source, 0), held["quarantine"].get(source, 0), duplicates.get(source_hash, 0))
        for source, count, source_hash in sorted(landed.iter_rows())
        if canonical.get(source_hash, source) == source
    ]
