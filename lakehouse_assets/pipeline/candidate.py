"""A candidate: what some dates' tables would be, computed from their live bronze records and nothing else.

The order is fixed: normalise, dedupe, cast, contract. Not here: which records are live, and whether the candidate
is published.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.evaluation import evaluated
from lakehouse_assets.contracts.keys import needed_rules
from lakehouse_assets.contracts.partitioning import UNDATED
from lakehouse_assets.contracts.rules import SHAPE, rules_of
from lakehouse_assets.contracts.semantics import once_rule
from lakehouse_assets.erasure.protocol import IS_BLANK
from lakehouse_assets.parsing.casting import ambiguous, cast, excess_decimals, normalised
from lakehouse_assets.pipeline.awaited import looked_up
from lakehouse_assets.pipeline.repeats import none_of, repeated_ids, standing
from lakehouse_assets.pipeline.versions import Versions, deletes, versions_of, with_first_landing

_BY = ["_part", "_source_hash", "_source_key"]


@dataclass(frozen=True)
class Candidate:
    """Valid and quarantined rows of some partitions, with their accounting.

    Attributes:
        valid: Silver columns, plus `_part`; of a keyed feed, the current state that follows from the valid records.
        quarantined: Quarantine columns, plus `_part`.
        accounting: Per `_part` and `_source_hash`: `_source_key`, and how many are `erased`, `discarded`, `duplicates`,
            `quarantined` and `valid`; and how many of the quarantined are `displaced`: they only repeat an id, or
            `waiting`: they only reference what is not there.
        broken: One row per `_part` and `rule` that some record breaks, with the number of `rows`.
        versions: Of a keyed feed, the versions of its keys.
        referenced: With awaited references, what the records reference: `awaited.VALUES`.
    """

    valid: pl.DataFrame
    quarantined: pl.DataFrame
    accounting: pl.DataFrame
    broken: pl.DataFrame
    versions: Versions | None = None
    referenced: pl.DataFrame | None = None


def compute(
    feed: Feed,
    bronze: pl.DataFrame,
    outside: frozenset[str] = frozenset(),
    landings: pl.DataFrame | None = None,
    there: Mapping[str, pl.Series] | None = None,
) -> Candidate:
    """Compute the candidate of the partitions present in some bronze records, with the decisions on them applied.

    Args:
        bronze: Bronze columns plus `_part` (partition name), `dt`, `_waived` and `_discarded`; a partition's ordered by
            source key and line.
        outside: Partitions whose date is no business date (before the first, or after today): all quarantined.
        landings: For a feed that is versioned by landing, when each content landed: `_source_hash`, `_landed`,
            `_landed_at`.
        there: For a feed with awaited references, the values that the referenced tables have, as text, by rule.
    """
    if landings is not None:
        bronze = with_first_landing(bronze, landings)
    is_erased = bronze.select(IS_BLANK).to_series()
    is_discarded = bronze["_discarded"] & ~is_erased
    erased, discarded = (bronze.select(_BY).filter(out) for out in (is_erased, is_discarded))
    if erased.height or discarded.height:
        bronze = bronze.filter(~is_erased & ~is_discarded)
    typed, unreadable = _read(feed, bronze)
    kept = standing(feed, bronze, typed, unreadable, by_landing=landings is not None)
    repeated = bronze.select(_BY).filter(~kept)
    # The raw values take most of the memory: of all but the quarantined records they are not copied.
    typed, records = _only(typed, kept), _only(bronze.select(*_BY, "_waived"), kept)
    unreadable = {name: text.filter(kept) for name, text in unreadable.items()}
    for name, expression in feed.derivations.items():  # one after the other: each may use those before it
        value = expression.cast(feed.columns[name].dtype)
        typed = typed.hstack(evaluated(typed, {name: value}, "_part"))
    gone = deletes(feed, typed)
    flags = _lifted(_broken(feed, typed, unreadable, outside), records["_waived"])
    flags = _without_a_date(feed, _of_deletes_lifted(feed, flags, gone), typed["_part"])
    displaced = repeated_ids(feed, typed, flags)
    if once := once_rule(feed):
        flags = flags.with_columns(displaced.alias(once))
    bad = flags.select(pl.any_horizontal(pl.all())).to_series()
    waiting, referenced = none_of(typed), None
    if there:
        # Last: which record of an id counts, and what is a delete, does not depend on the other table.
        lacking, referenced = looked_up(feed, typed, ~bad & ~gone, there)
        flags = flags.with_columns(_lifted(lacking, records["_waived"]))
        waiting = flags.select(pl.any_horizontal(*there)).to_series()
        bad |= waiting
    valid = _only(typed.with_columns(gone.alias("_deletes")), ~bad)
    if feed.business_date:
        valid = valid.with_columns(feed.layout.of_date("dt"))
    versions = None
    if feed.keyed is not None:
        versions = versions_of(feed, feed.keyed, valid, typed.filter(bad), landings)
    else:
        valid = valid.select(*feed.silver.columns, "_part")
    failing = none_of(bronze).scatter(kept.arg_true().filter(bad), True)  # noqa: FBT003
    quarantined = bronze.filter(failing).with_columns(_rule_lists(flags.filter(bad)).alias("rules"))
    return Candidate(
        valid=valid if versions is None else versions.current,
        quarantined=quarantined.select(*feed.quarantine.columns, "_part"),
        accounting=_accounting(erased, discarded, repeated, records, bad, displaced, waiting),
        broken=_counts(flags, records["_part"]),
        versions=versions,
        referenced=referenced,
    )


def _read(feed: Feed, bronze: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Return the typed records, and beside them the text of the values that could not be read exactly."""
    texts = evaluated(bronze, {name: normalised(origin) for name, origin in feed.sources.items()}, "_part")
    values, unreadable = [], {}
    for name, origin in feed.sources.items():
        dtype, text = feed.columns[name].dtype, texts[name]
        value = cast(text, dtype, origin, feed.naive_zone)
        values.append(value.alias(name))
        if not isinstance(dtype, pl.String):
            wrong = value.is_null() & text.is_not_null()
            if isinstance(dtype, pl.Decimal):
                wrong |= excess_decimals(text, dtype.scale, origin)
            if wrong.any():
                unreadable[name] = pl.select(pl.when(wrong).then(text)).to_series()
    rest = [
        "_source_key",
        "_source_hash",
        "_line",
        "_problem",
        "_part",
        "dt",
        *(["bucket"] if feed.key else []),
        *(name for name in ("_landed",) if name in bronze),
    ]
    return bronze.select(rest).with_columns(values), unreadable


def _broken(feed: Feed, typed: pl.DataFrame, unreadable: dict[str, pl.Series], outside: frozenset[str]) -> pl.DataFrame:
    """Return a boolean column per rule, true where a record breaks it."""
    reading = {SHAPE: typed["_problem"].is_not_null()}
    declared = {rule.id: rule for rule in rules_of(feed.contract)}
    kept = evaluated(typed, {name: rule.expression.fill_null(value=True) for name, rule in declared.items()}, "_part")
    own = {name: ~kept[name] for name in declared}
    for name, text in unreadable.items():
        wrong, is_null = text.is_not_null(), typed[name].is_null()  # only excess decimals leave a value
        unsure = ambiguous(text, feed.columns[name].dtype, feed.sources[name])
        reading |= {f"{name}_readable": wrong & is_null & ~unsure, f"{name}_scale": wrong & ~is_null}
        reading[f"{name}_unambiguous"] = unsure
        if (required := f"{name}_required") in own:
            own[required] &= ~wrong
    if feed.business_date and outside:
        reading[feed.range_rule] = typed["_part"].is_in(sorted(outside - {UNDATED}))
    broken = {name: reading.get(name, own.get(name, none_of(typed))) for name in feed.rules}
    computed = [name for name, rule in declared.items() if rule.column in feed.derivations]
    # A value computed from one that cannot be read says nothing of its own.
    sound = ~pl.DataFrame(broken).select(pl.any_horizontal(pl.exclude(computed))).to_series()
    return pl.DataFrame(broken | {name: broken[name] & sound for name in computed})


def _lifted(flags: pl.DataFrame, waived: pl.Series) -> pl.DataFrame:
    """Return the flags without those that a decision lifts for its record."""
    if waived.null_count() == waived.len():
        return flags
    lists = waived.to_frame("_waived")
    return flags.hstack(lists).select(
        (pl.col(name) & ~pl.col("_waived").list.contains(name).fill_null(value=False)).alias(name)
        for name in flags.columns
    )


def _of_deletes_lifted(feed: Feed, flags: pl.DataFrame, gone: pl.Series) -> pl.DataFrame:
    """Return the flags without those of records that delete their key: of them only what says so has to be right."""
    if feed.keyed is None or not gone.any():
        return flags
    needed = needed_rules(feed.keyed, feed.rules)
    return flags.with_columns(flags[name] & ~gone for name in flags.columns if name not in needed)


def _without_a_date(feed: Feed, flags: pl.DataFrame, partition: pl.Series) -> pl.DataFrame:
    """Return the flags with each record without a business date in quarantine: silver has no place for it.

    Where the contract lets the date be null, or a decision lifts what said that it cannot be read, no other rule does.
    """
    undated = partition == UNDATED
    if not feed.business_date or not undated.any():
        return flags
    told = {SHAPE, *(f"{feed.business_date}_{rule}" for rule in ("readable", "unambiguous", "required"))}
    silent = undated & ~flags.select(pl.any_horizontal(name for name in flags.columns if name in told)).to_series()
    return flags.with_columns(flags[feed.range_rule] | silent)


def _rule_lists(flags: pl.DataFrame) -> pl.Series:
    """Return the rules that each record breaks. Records are many and combinations few: each list is made once."""
    kinds = flags.unique()
    lists = [[name for name, broken in zip(kinds.columns, row, strict=True) if broken] for row in kinds.iter_rows()]
    kinds = kinds.with_columns(pl.Series("_rules", lists, dtype=pl.List(pl.String)))
    return flags.join(kinds, on=flags.columns, how="left", maintain_order="left")["_rules"]


def _only(rows: pl.DataFrame, chosen: pl.Series) -> pl.DataFrame:
    """Return the chosen rows, without a copy where these are all."""
    return rows if chosen.all() else rows.filter(chosen)


def _accounting(
    erased: pl.DataFrame,
    discarded: pl.DataFrame,
    repeated: pl.DataFrame,
    records: pl.DataFrame,
    bad: pl.Series,
    displaced: pl.Series,
    waiting: pl.Series,
) -> pl.DataFrame:
    """Count what became of each source's records: five counts, none derived from the others, and two within one."""
    one = pl.lit(value=True)
    counted = [
        _sums(erased.with_columns(one.alias("erased"))),
        _sums(discarded.with_columns(one.alias("discarded"))),
        _sums(repeated.with_columns(one.alias("duplicates"))),
        _sums(
            records.select(
                *_BY,
                bad.alias("quarantined"),
                (~bad).alias("valid"),
                displaced.alias("displaced"),
                waiting.alias("waiting"),
            )
        ),
    ]
    rows = pl.concat(counted, how="diagonal")
    return rows.group_by(_BY).agg(pl.exclude(_BY).sum()).sort(_BY)


def _sums(flags: pl.DataFrame) -> pl.DataFrame:
    """Count the true flags of each source's records, run by run: grouping by texts would copy them all."""
    run = pl.sum_horizontal(pl.col(name).rle_id() for name in _BY)
    counts = pl.exclude(_BY).sum().cast(pl.Int64)
    return flags.group_by(run.alias("_run")).agg(pl.col(_BY).first(), counts).drop("_run")


def _counts(flags: pl.DataFrame, partitions: pl.Series) -> pl.DataFrame:
    by_partition = flags.with_columns(partitions.alias("_part")).group_by("_part").agg(pl.all().sum().cast(pl.Int64))
    long = by_partition.unpivot(index="_part", variable_name="rule", value_name="rows")
    return long.filter(pl.col("rows") > 0).sort("_part", "rule")
