"""Which records of a partition repeat others: equal ones, and those with the declared id of another. Pure."""

import polars as pl

from lakehouse_assets.contracts.declare import Feed


def standing(
    feed: Feed, bronze: pl.DataFrame, typed: pl.DataFrame, unreadable: dict[str, pl.Series], *, by_landing: bool
) -> pl.Series:
    """Return which records stay, as the feed declares what becomes of equal ones.

    Args:
        bronze: The raw records; `typed` are the same ones in the same order, read.
        unreadable: By column, the text of the values that could not be read.
        by_landing: Records with another place in the order of landing are no repeats; of equal ones the last stays.
    """
    if feed.duplicates == "keep":
        return none_of(typed).not_()
    # Records that could not be read are equal only if their raw text is.
    raw = pl.when(bronze["_problem"].is_not_null()).then(bronze["_extra"]).alias("_raw")
    values = typed.select(*feed.sources, "_problem", "_part", *(["_landed"] if by_landing else []), raw)
    return _distinct(values, unreadable, last=by_landing)


def repeated_ids(feed: Feed, typed: pl.DataFrame, flags: pl.DataFrame) -> pl.Series:
    """Return which records give way to another one of their declared id, among those that break no other rule.

    The first record of an id counts; where a preference is declared, the first of those with the largest value. A
    record without a value is preferred to none.
    """
    if isinstance(feed.duplicates, str):
        return none_of(typed)
    sound = ~flags.select(pl.any_horizontal(pl.all())).to_series()
    ids, places = typed.select(*feed.duplicates, "_part").filter(sound), sound.arg_true()
    if feed.prefer is not None:
        by = pl.arg_sort_by(feed.prefer, descending=True, nulls_last=True, maintain_order=True)
        order = typed.filter(sound).select(by).to_series()
        ids, places = ids[order], places[order]
    later = places.filter(~ids.select(pl.struct(pl.all()).is_first_distinct()).to_series())
    return none_of(typed).scatter(later, True) if later.len() else none_of(typed)  # noqa: FBT003


def none_of(records: pl.DataFrame) -> pl.Series:
    """Return False for each of some records."""
    return pl.repeat(value=False, n=records.height, eager=True)


def _distinct(values: pl.DataFrame, unreadable: dict[str, pl.Series], *, last: bool) -> pl.Series:
    """Return which records stay: the first (or the last) of each group that is equal in every contract column.

    Records with a hash of their own are distinct for certain; only the others are compared value by value.
    """
    whole = values.with_columns(text.alias(f"_text_{name}") for name, text in unreadable.items())
    suspects = whole.hash_rows().is_duplicated().arg_true()
    first = whole.with_row_index("_at").select(pl.col("_at").gather(suspects), pl.all().exclude("_at").gather(suspects))
    equal = pl.struct(pl.exclude("_at"))
    stays = equal.is_last_distinct() if last else equal.is_first_distinct()
    later_ones = first.filter(~stays)["_at"]
    kept = pl.repeat(value=True, n=values.height, eager=True)
    return kept.scatter(later_ones, False) if later_ones.len() else kept  # noqa: FBT003
