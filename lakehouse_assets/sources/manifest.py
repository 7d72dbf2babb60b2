"""Control totals: a manifest that comes beside a landed object, and whether the object keeps what it says.

For `drop.zip` the manifest is `drop.zip.manifest.json`, or `drop.manifest.json`:
`{"rows": 120, "sums": {"Quantity": "431"}, "members": {"day.csv": "<sha256>"}}`; every part is optional.
"""

import decimal
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.storage.stores import Stored

SUFFIX = ".manifest.json"
_LONGEST = 100
_EXACT = decimal.Context(prec=200, traps=[decimal.InvalidOperation])


class _UnusableError(ValueError):
    """A part of a manifest says nothing that could be kept; the message is for people."""


@dataclass(frozen=True)
class Manifest:
    """What a manifest promises. `problem` says why it cannot be used: then nothing keeps it."""

    token: str
    digest: str = ""
    rows: int | None = None
    sums: Mapping[str, decimal.Decimal] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass
class Totals:
    """What was found in an object: rows, sums by header, hashes by member name.

    Attributes:
        object_key: The landed object.
        headers: The fields to sum.
    """

    object_key: str
    headers: Sequence[str] = ()
    rows: int = 0
    sums: dict[str, decimal.Decimal | None] = field(default_factory=dict)
    members: dict[str, str | None] = field(default_factory=dict)

    def add(self, source_key: str, source_hash: str | None, records: Iterable[pl.DataFrame] = ()) -> None:
        """Count one source object."""
        member = source_key.removeprefix(f"{self.object_key}!")
        self.members[member if member != self.object_key else member.rsplit("/", 1)[-1]] = source_hash
        for frame in records:
            self.rows += frame.height
            for header in self.headers:
                before = self.sums.get(header, decimal.Decimal(0))
                found = _sum(frame[header]) if header in frame.columns else None
                self.sums[header] = None if found is None or before is None else _EXACT.add(before, found)


def is_manifest(path: str) -> bool:
    """Return whether a landed path names a manifest rather than an object of records."""
    return path.endswith(SUFFIX)


def described(ledger: FeedLedger, feed: Feed, paths: Sequence[str]) -> dict[str, list[str]]:
    """Return which object keys that the ledger knows each of some manifests speaks of, by the manifest's path."""
    if not paths:
        return {}
    bases = pl.DataFrame(
        {"path": paths, "base": [path.removesuffix(SUFFIX).removeprefix(f"{feed.landing}/") for path in paths]}
    )
    keys = pl.DataFrame({"key": ledger.object_keys})
    stems = keys.with_columns(pl.col("key").str.replace(r"\.[^./]*$", "").alias("base"))
    both = pl.concat([stems, keys.select("key", pl.col("key").alias("base"))]).unique()
    found = both.join(bases, on="base").group_by("path").agg(pl.col("key").sort())
    return dict(found.iter_rows())


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.rsplit(".", 1)[0]
    return f"{folder}/{stem}" if folder else stem


def find(lake: Lake, path: str) -> Stored | None:
    """Return the manifest of a landed object, if there is one."""
    return next((found for name in paths(path) if (found := lake.store.stat(name)) is not None), None)


def paths(path: str) -> tuple[str, str]:
    """Return where the manifest of a landed object may lie: the first one that is there counts."""
    return path + SUFFIX, _stem(path) + SUFFIX


def load(lake: Lake, stored: Stored) -> Manifest:
    """Read a manifest; one that cannot be read promises nothing that can be kept."""
    data = lake.store.read(stored.path)
    digest = hashlib.sha256(data).hexdigest()
    try:
        content: Any = json.loads(data, parse_float=decimal.Decimal)
        return Manifest(
            token=stored.token,
            digest=digest,
            rows=None if content.get("rows") is None else _whole(content["rows"]),
            sums={str(k): _finite(v) for k, v in content.get("sums", {}).items()},
            members={str(k): str(v).lower() for k, v in content.get("members", {}).items()},
        )
    except (ValueError, TypeError, AttributeError, decimal.InvalidOperation, RecursionError) as error:
        why = str(error)[:100] if isinstance(error, _UnusableError) else "it is no object of rows, sums and members"
        return Manifest(stored.token, digest, problem=f"its manifest cannot be read ({why})")


def _whole(value: Any) -> int:  # noqa: ANN401 - JSON
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "its rows are no whole number"
        raise _UnusableError(msg)
    return value


def _finite(value: Any) -> decimal.Decimal:  # noqa: ANN401 - JSON
    number = decimal.Decimal(str(value))
    if not number.is_finite():
        msg = "a sum in it is no number"
        raise _UnusableError(msg)
    return number


def mismatch(manifest: Manifest, found: Totals, shown: Collection[str] = ()) -> str | None:
    """Return what an object does not keep of its manifest, in words; None when it keeps all of it.

    Args:
        shown: Headers whose sums may be told. Of personal or unknown columns, a sum over one record is its value.
    """
    wrong = [manifest.problem] if manifest.problem else []
    if manifest.rows is not None and manifest.rows != found.rows:
        wrong.append(f"the manifest says {counted(manifest.rows, 'row')}, the object has {found.rows:,}")
    for header, total in manifest.sums.items():
        has = found.sums.get(header)
        if has != total:
            if header in shown:
                wrong.append(f"the manifest says {header[:40]} sums to {_words(total)}, the object's to {_words(has)}")
            else:
                wrong.append(f"the sum of {header[:40]} in the manifest is not that of the object")
    for member, digest in manifest.members.items():
        if found.members.get(member) != digest:
            what = "is another one" if member in found.members else "is missing"
            wrong.append(f"the member {member[:80]!r} of the manifest {what}")
    if manifest.members:
        wrong += [f"the member {m[:80]!r} is not in the manifest" for m in found.members if m not in manifest.members]
    if not wrong:
        return None
    more = [f"and {len(wrong) - 5:,} more"] if len(wrong) > 5 else []  # noqa: PLR2004
    return "; ".join([*wrong[:5], *more]) + ". Land it again, whole, or accept it with `lakehouse accept`."


def _words(value: decimal.Decimal | None) -> str:
    if value is None:
        return "no number"
    return f"{value:f}" if abs(value.adjusted()) < _LONGEST else f"{value:.10e}"


def _sum(texts: pl.Series) -> decimal.Decimal | None:
    """Sum texts exactly; None when one of them is no number."""
    try:
        total = decimal.Decimal(0)
        for text in texts.drop_nulls():
            if text.strip():
                total = _EXACT.add(total, decimal.Decimal(text.strip()))
        return total if total.is_finite() else None
    except decimal.InvalidOperation:
        return None
