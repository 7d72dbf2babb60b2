"""The values that references are about: those that the referenced tables have, and those of published records.

They are compared as text; of a personal column, only keyed hashes are ever stored. Not here: what is stored of them
(`reference_index`).
"""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.reference_rules import Reference
from lakehouse_assets.erasure.protocol import keyed_hashes
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta, delta_log
from lakehouse_assets.storage.stores import StorageError

VALUE = {"rule": pl.String(), "value": pl.String()}
_READ: dict[tuple[str, str, str], tuple[object, pl.Series | None]] = {}


def obstacle(lake: Lake, feed: Feed) -> str | None:
    """Return why nobody can say what is there for a feed's references; None where that is known."""
    for reference in feed.awaited.values():
        if values_of(lake, reference) is None:
            table = referenced(lake, reference).full_name
            return (
                f"its records wait for values of {table}.{reference.target}, which is not stored as it is declared. "
                f"They stay as they are; `lakehouse plan` says what is in the way of {table}"
            )
    return None


def there(lake: Lake, feed: Feed) -> dict[str, pl.Series]:
    """Return the values that the referenced tables have, as text, by rule. Raises `StorageError` where unknown."""
    if why := obstacle(lake, feed):
        msg = f"{feed.silver.full_name} is not computed: {why}."
        raise StorageError(msg)
    return {rule: values_of(lake, reference) for rule, reference in feed.awaited.items()}  # type: ignore[misc]


def now(lake: Lake, feed: Feed) -> pl.DataFrame:
    """Return what is there, as far as that can be read, as the index stores it: `rule`, `value`."""
    frames = [pl.DataFrame(schema=VALUE)]
    for rule, reference in feed.awaited.items():
        if (values := values_of(lake, reference)) is not None:
            text = as_stored(lake, feed, reference, values)
            frames.append(pl.DataFrame({"rule": pl.repeat(rule, text.len(), eager=True), "value": text}))
    return pl.concat(frames)


def published_with(lake: Lake, feed: Feed, gone: pl.DataFrame) -> pl.DataFrame:
    """Return which partitions of silver have some values: `part`, `rule`, `value`. Reads one column of it."""
    frames = [pl.DataFrame(schema={"part": pl.String(), **VALUE})]
    for rule, reference in feed.awaited.items():
        values = gone.filter(pl.col("rule") == rule)["value"]
        if not values.len() or not delta.exists(lake.store, feed.silver.path):
            continue
        value = pl.col(reference.column).cast(pl.String).alias("value")
        rows = read(lake, feed.silver).select(feed.silver.partitioning.partition.alias("part"), value)
        if not is_personal(feed, reference):
            rows = rows.filter(pl.col("value").is_in(values.implode()))
        found = rows.drop_nulls().unique().collect()
        text = as_stored(lake, feed, reference, found["value"])
        found = found.select("part", pl.lit(rule).alias("rule"), text.alias("value"))
        frames.append(found.filter(pl.col("value").is_in(values.implode())))
    return pl.concat(frames)


def as_stored(lake: Lake, feed: Feed, reference: Reference, values: pl.Series) -> pl.Series:
    """Return values as they may be stored: those of a personal column hashed."""
    if not is_personal(feed, reference) or not values.len():
        return values
    return keyed_hashes(lake.store, f"{feed.name}.{reference.column}", values)


def is_personal(feed: Feed, reference: Reference) -> bool:
    """Return whether the values of a reference are personal data."""
    return feed.silver.columns[reference.column].personal


def referenced(lake: Lake, reference: Reference) -> Table:
    """Return the table that a reference is to."""
    return lake.registry.feed(reference.feed).silver


def values_of(lake: Lake, reference: Reference) -> pl.Series | None:
    """Return the values that a referenced table has, as text; None where it is not stored as it is declared.

    They are read once for each version of the table.
    """
    table, column = referenced(lake, reference), reference.target
    place, version = (lake.store.root, table.path, column), delta_log.read(lake.store, table.path).identity
    if place not in _READ or _READ[place][0] != version:
        rows = read(lake, table)
        is_readable = rows.collect_schema().get(column) == table.columns[column].dtype
        values = rows.select(pl.col(column).cast(pl.String)).unique().drop_nulls() if is_readable else None
        _READ[place] = version, None if values is None else values.collect().to_series()
    return _READ[place][1]
