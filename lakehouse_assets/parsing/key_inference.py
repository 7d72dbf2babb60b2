"""Which column identifies the records of some files, and how what one file says follows on what another said.

No sample proves it. A proposal is certain only where whole files show it several times over. Not here: types, and
the text of the draft.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from lakehouse_assets.contracts.deliveries import delivered_at
from lakehouse_assets.parsing.draft_text import Field, Proposal, quoted
from lakehouse_assets.parsing.type_inference import is_identifier

_KEY_KINDS = ("dy.Int64(", "dy.String(", "dy.Date(")
_TIME_KINDS = ("dy.Datetime(", "dy.Date(")
_SAYS_CHANGE = re.compile(r"updated|modified|changed|version|revision|valid_from|effective", re.IGNORECASE)
_DATES_IN_NAMES = ("%Y-%m-%d", "%Y%m%d", "%Y_%m_%d", "%Y-%m", "%Y%m")
_FILES, _IDS = 3, 5
_KEPT, _EQUAL, _ALIKE = 0.8, 0.5, 0.5
_NEVER_ALL = 2
_INSTEAD = " (instead)"
_AT, _RECORD = "_at", "_record"


@dataclass(frozen=True)
class _Repeats:
    """How some files repeat the ids of a column that is unique in each of them.

    Attributes:
        files: How many files there are.
        fewest: The smallest number of ids that a file has.
        ids: How many different ids there are.
        shared: How many of them are in several files.
        changed: How many of these have records that differ.
        orders: The columns of which such records always have different values: they tell their order.
        kept: The smallest share of a file's ids that the next file has, too.
        equal: The smallest share of the ids of two successive files whose records are equal in both.
        alike: Of the columns by which ids differ, the share in which records of one id that differ are the same: a
            name stays with its id, the amount of a sale does not.
    """

    files: int
    fewest: int
    ids: int
    shared: int
    changed: int
    orders: tuple[Field, ...]
    kept: float
    equal: float
    alike: float


def proposals(
    files: list[tuple[str, pl.DataFrame]], fields: list[Field], *, cut: Sequence[str], dated: Field | None
) -> list[Proposal]:
    """Return what the records speak for, the likeliest first. No more than one proposal is certain.

    Args:
        files: Name and records of each, in the order of their names. A member of a zip is `<zip>!<member>`.
        cut: Names of the files of which these are the first records only.
        dated: The business date that the draft names, which some proposals take the place of.
    """
    deliveries = _deliveries(files)
    # A column without a name is the index of a data frame, which is new in each file.
    possible = [f for f in fields if f.name and not f.type.nullable and f.type.kind.startswith(_KEY_KINDS)]
    unique = [f for f in possible if all(frame[f.name].n_unique() == frame.height for _, frame in deliveries)]
    named = [f for f in unique if is_identifier(f.name)]
    never_again = [f for f in named if pl.concat(frame[f.name] for _, frame in deliveries).is_unique().all()]
    key = next(iter([*never_again, *named, *unique]), None)
    if key is None:
        likely = _equal_records(deliveries)
    elif sum(frame.height for _, frame in deliveries) < _NEVER_ALL:
        likely = []
    else:
        found = _repeats(deliveries, key, fields)
        likely = [
            *_whole_deliveries(deliveries, key, found, is_whole=not cut and dated is None),
            *_versions(key, found, fields, dated, is_whole=not cut),
            *(_single_records(key, found) if named else []),
        ]
    first = next((each for each in likely if each.is_certain), None)
    said = first.arguments[0].split("=", 1)[0] if first else "business_date" if dated else None
    instead = f" in place of {said}" if said else ""
    others = f" and {len(cut) - 1:,} more" if len(cut) > 1 else ""
    where = f"In the beginning of {cut[0]}{others}: " if cut else ""
    return [
        replace(each, is_certain=each is first, evidence=where + each.evidence.replace(_INSTEAD, instead))
        for each in likely
    ]


def _deliveries(files: list[tuple[str, pl.DataFrame]]) -> list[tuple[str, pl.DataFrame]]:
    """Return the records by landed object: a zip with its members is one."""
    frames: dict[str, list[pl.DataFrame]] = {}
    for name, frame in files:
        frames.setdefault(name.split("!", 1)[0], []).append(frame)
    return [(name, pl.concat(some)) for name, some in frames.items()]


def _equal_records(deliveries: list[tuple[str, pl.DataFrame]]) -> list[Proposal]:
    """Propose that each of some equal records of a file counts: the file does not say whether it is a repetition."""
    total = sum(frame.height for _, frame in deliveries)
    again = total - sum(frame.n_unique() for _, frame in deliveries)
    if not again:
        return []
    evidence = (
        f"{again:,} of {total:,} records {'is' if again == 1 else 'are'} equal in every field to another one of the "
        "same file: they count once, as repetitions. If each of them is an event of its own:"
    )
    return [Proposal(('duplicates="keep"',), evidence)]


def _repeats(deliveries: list[tuple[str, pl.DataFrame]], key: Field, fields: list[Field]) -> _Repeats:
    tagged = pl.concat(
        frame.select(pl.all(), pl.lit(at).alias(_AT), frame.hash_rows().alias(_RECORD))
        for at, (_, frame) in enumerate(deliveries)
    )
    name = key.name
    counts = tagged.group_by(name).agg(pl.len().alias("n"), pl.col(_RECORD).n_unique().alias("records"))
    changed = counts.filter(pl.col("records") > 1).select(name)
    distinct = tagged.join(changed, on=name, how="semi").unique([name, _RECORD])
    orders = [
        f
        for f in _possible_orders(key, fields)
        if changed.height and not distinct.select(name, f.name).is_duplicated().any()
    ]
    others = [f.name for f in fields if f not in {key, *_possible_orders(key, fields)}]
    telling = [other for other in others if 2 * tagged[other].n_unique() >= counts.height]
    alike = distinct.group_by(name).agg(pl.col(telling).n_unique() == 1).select(telling)
    kept, equal = [], []
    for (_, before), (_, after) in itertools.pairwise(deliveries):
        both = before.join(after, on=name, how="semi").height
        kept.append(both / before.height)
        # Each record is there once in a file, so a pair of equal ones is of both files.
        same = int(pl.concat([before.hash_rows(), after.hash_rows()]).is_duplicated().sum()) / 2
        equal.append(same / max(both, 1))
    return _Repeats(
        files=len(deliveries),
        fewest=min(frame.height for _, frame in deliveries),
        ids=counts.height,
        shared=counts.filter(pl.col("n") > 1).height,
        changed=changed.height,
        orders=tuple(sorted(orders, key=lambda f: _SAYS_CHANGE.search(f.name) is None)),
        kept=min(kept, default=0),
        equal=min(equal, default=0),
        alike=alike.mean().mean_horizontal()[0] or 0 if telling else 0,
    )


def _whole_deliveries(
    deliveries: list[tuple[str, pl.DataFrame]], key: Field, found: _Repeats, *, is_whole: bool
) -> list[Proposal]:
    """Propose that each file replaces the one before, where it has nearly all ids of it."""
    if found.kept < _KEPT:
        return []
    # The facts of each day may have the same ids, with other figures: equal records tell the state of a table. A list
    # that only grows is right without this, also if it begins anew some day. And where ids are gone, they may be older
    # than what a file reaches back to.
    is_state = found.equal >= _EQUAL and bool(found.changed) and found.kept == 1
    is_certain = is_whole and found.files >= _FILES and found.fewest >= _IDS and is_state
    evidence = (
        f"{key.column} is unique in each of {found.files:,} files. Each file has at least {found.kept:.0%} of the ids "
        f"of the one before it, and at least {found.equal:.0%} of these records are equal in both."
    )
    evidence += (
        " So each file is a full delivery, and the newest one is the table:"
        if is_certain
        else f" If each file is a full delivery, and the newest one is the table, write{_INSTEAD}:"
    )
    arguments = ('snapshot="latest"', *_delivered_at(deliveries), f"duplicates=({quoted(key.column)},)")
    return [Proposal(arguments, evidence, is_certain=is_certain, is_layout=True)]


def _delivered_at(deliveries: list[tuple[str, pl.DataFrame]]) -> tuple[str, ...]:
    """Return how the names of the files say their order, where each has another date."""
    for pattern in _DATES_IN_NAMES:
        dates = [delivered_at(name, pattern) for name, _ in deliveries]
        if None not in dates and len(set(dates)) == len(dates):
            return (f'delivered_at="{pattern}"',)
    return ()


def _versions(
    key: Field, found: _Repeats, fields: list[Field], dated: Field | None, *, is_whole: bool
) -> list[Proposal]:
    """Propose that a later record of an id replaces the one before, where ids come again with other values."""
    if not found.changed:
        return _versions_by_name(key, found, fields)
    evidence = (
        f"{key.column} is unique in each of {found.files:,} files, and {found.shared:,} of {found.ids:,} ids are in "
        f"several of them: {found.changed:,} with other values, "
    )
    if not found.orders:
        evidence += f"and no column tells their order. If the last file counts, write{_INSTEAD}:"
        return [Proposal((_key(key), 'versioned_by="landing"'), evidence, is_layout=True)]
    order = found.orders[0]
    # Where files have nearly all ids of the one before, an id that is missing may be deleted.
    is_certain = is_whole and not _KEPT <= found.kept < 1 and found.alike > _ALIKE and dated in {None, order}
    is_certain = is_certain and min(found.changed, found.fewest) >= _IDS and bool(_SAYS_CHANGE.search(order.name))
    evidence += f"each of them with another {order.column}."
    evidence += (
        f" So silver is the present row for each {key.column}, beside its history:"
        if is_certain
        else f" If a later record of an id replaces the one before it, write{_INSTEAD}:"
    )
    arguments = (_key(key), f"versioned_by={quoted(order.column)}")
    return [Proposal(arguments, evidence, is_certain=is_certain, is_layout=True)]


def _versions_by_name(key: Field, found: _Repeats, fields: list[Field]) -> list[Proposal]:
    """Propose the same where the files do not show it, and a column says by its name when a record was changed."""
    order = next((f for f in _possible_orders(key, fields) if _SAYS_CHANGE.search(f.name)), None)
    if order is None or not is_identifier(key.name):
        return []
    evidence = (
        f"{key.column} is unique in these {found.ids:,} records, and {order.column} says by its name when a record was "
        f"changed. If a later record of an id replaces the one before it, write{_INSTEAD}:"
    )
    return [Proposal((_key(key), f"versioned_by={quoted(order.column)}"), evidence, is_layout=True)]


def _possible_orders(key: Field, fields: list[Field]) -> list[Field]:
    """Return the columns that may say which record of an id is the later one: times, and numbers named so."""
    whole = [f for f in fields if f != key and not f.type.nullable]
    is_number = {f: f.type.kind.startswith("dy.Int64(") and bool(_SAYS_CHANGE.search(f.name)) for f in whole}
    return [f for f in whole if f.type.kind.startswith(_TIME_KINDS) or is_number[f]]


def _single_records(key: Field, found: _Repeats) -> list[Proposal]:
    """Propose that each id is one record, where no id comes with different values."""
    if found.changed or found.kept >= _KEPT:
        return []
    again = f"; {found.shared:,} come again in another file, always equal" if found.shared else ""
    files = f" of {found.files:,} files" if found.files > 1 else ""
    evidence = f"{key.column} is never there with different values ({found.ids:,} ids{files}{again}). "
    evidence += "If it identifies a record for good:"
    return [Proposal((f"duplicates=({quoted(key.column)},)",), evidence)]


def _key(key: Field) -> str:
    return f"key=({quoted(key.column)},)"
