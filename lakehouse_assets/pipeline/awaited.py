"""Which records reference what is not there, so that they wait in quarantine. Pure.

Not here: what is there, and which partitions have to be computed when that changes (`reference_index`).
"""

from collections.abc import Mapping

import polars as pl

from lakehouse_assets.contracts.declare import Feed

VALUES = {"_part": pl.String(), "rule": pl.String(), "value": pl.String(), "is_there": pl.Boolean()}


def looked_up(
    feed: Feed, typed: pl.DataFrame, sound: pl.Series, there: Mapping[str, pl.Series]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return which records reference what is not there, and the values by which they reference.

    Args:
        typed: Records, read.
        sound: Those that break no rule of their own. The others are not asked, so that a value counts for its partition
            only where it decides something.
        there: By rule, the values that the referenced tables have, as text.

    Returns:
        A boolean column per rule; and the columns `VALUES`: each value once per partition.
    """
    flags, values = {}, [pl.DataFrame(schema=VALUES)]
    for rule, reference in feed.awaited.items():
        text = typed[reference.column].cast(pl.String)
        asked = sound & text.is_not_null()
        is_there = text.is_in(there[rule].implode())
        flags[rule] = asked & ~is_there
        named = typed.select("_part", pl.lit(rule).alias("rule"), text.alias("value"), is_there.alias("is_there"))
        values.append(named.filter(asked).unique())
    return pl.DataFrame(flags), pl.concat(values)
