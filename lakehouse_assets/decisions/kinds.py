"""Decisions of people, a type per kind: what each says, and how it is written down.

A decision is a standing input beside the landed objects. Not here: which were taken, and what follows from one.
"""

import datetime as dt
import getpass
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, TypeVar


class DecisionError(Exception):
    """A decision that cannot be taken; nothing was recorded."""


class UnknownKindError(ValueError):
    """A decision is of a kind that only a newer version knows."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What every decision says: about which feed (or gold table), who took it, why, when; its id sorts by time."""

    kind: ClassVar[str]

    feed: str
    who: str
    why: str
    at: str
    id: str

    @property
    def partitions(self) -> tuple[str, ...]:
        """The partitions that it names."""
        return ()


@dataclass(frozen=True, kw_only=True)
class OnRecord(Decision):
    """A decision on one record: its source object, the object's SHA-256, its line and the partition it was in.

    Of an erased record, the line is None.
    """

    source_key: str
    source_hash: str
    line: int | None
    partition: str

    @property
    def partitions(self) -> tuple[str, ...]:
        return (self.partition,)


@dataclass(frozen=True, kw_only=True)
class Correct(OnRecord):
    """Other raw values for a record.

    Attributes:
        values: Header to new raw text, or None for no value.
        partition_to: The partition where the record belongs then.
    """

    kind: ClassVar[str] = "correct"
    values: Mapping[str, str | None] = field(default_factory=dict)
    partition_to: str | None = None

    @property
    def partitions(self) -> tuple[str, ...]:
        return (self.partition, self.partition_to) if self.partition_to else (self.partition,)


@dataclass(frozen=True, kw_only=True)
class Waive(OnRecord):
    """Rules, by id, that no longer count for a record."""

    kind: ClassVar[str] = "waive"
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Discard(OnRecord):
    """A record that is taken out."""

    kind: ClassVar[str] = "discard"


@dataclass(frozen=True, kw_only=True)
class Release(Decision):
    """A held partition that is published in spite of the gate, as long as its inputs have this fingerprint."""

    kind: ClassVar[str] = "release"
    partition: str
    fingerprint: int

    @property
    def partitions(self) -> tuple[str, ...]:
        return (self.partition,)


@dataclass(frozen=True, kw_only=True)
class Accept(Decision):
    """A held landed object that is taken, as long as its bytes have this SHA-256."""

    kind: ClassVar[str] = "accept"
    source_key: str
    object_hash: str | None


@dataclass(frozen=True, kw_only=True)
class Retract(Decision):
    """A landed object that does not count under its key, as long as its bytes have this SHA-256."""

    kind: ClassVar[str] = "retract"
    source_key: str
    object_hash: str


@dataclass(frozen=True, kw_only=True)
class Pin(Decision):
    """A table restored to a version.

    Attributes:
        pins: Partition to its fingerprint in that version.
    """

    kind: ClassVar[str] = "pin"
    table: str
    version: int
    pins: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Expire(Decision):
    """The business date, as ISO text, before which quarantined rows are not kept."""

    kind: ClassVar[str] = "expire"
    before: str


@dataclass(frozen=True, kw_only=True)
class Erase(Decision):
    """A person who was erased and must not come back, known by keyed hashes only.

    Attributes:
        column: The column that identifies the person.
        digest: Hash of their value, normalised as the contract did then; `normalisation` is the identity of that.
        plain: Hash of the value in lower case, read from `header`: it counts when the normalisation has changed.
        released: The fingerprints with which partitions were released then.
    """

    kind: ClassVar[str] = "erase"
    column: str
    digest: str
    plain: str
    header: str
    normalisation: str
    released: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Revoke(Decision):
    """The id of a decision that no longer counts."""

    kind: ClassVar[str] = "revoke"
    revokes: str


Kind = TypeVar("Kind", bound=Decision)
_KINDS: tuple[type[Decision], ...] = (Correct, Waive, Discard, Release, Accept, Retract, Pin, Expire, Erase, Revoke)
_BY_NAME = {one.kind: one for one in _KINDS}
# The names under which two fields are stored.
_STORED = {"partition": "part", "partition_to": "part_to"}


def new(kind: type[Kind], feed: str, why: str, who: str | None = None, **about: Any) -> Kind:  # noqa: ANN401 - the fields of the kind
    """Return a decision taken now, by the person who is logged in unless another one is named.

    Raises:
        DecisionError: No reason is given.
    """
    if not why.strip():
        msg = "a decision needs a reason: give one with --why. Nothing was recorded."
        raise DecisionError(msg)
    now = dt.datetime.now(dt.UTC)
    unique = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
    return kind(feed=feed, who=who or _login(), why=why.strip(), at=now.isoformat(), id=unique, **about)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def written(decision: Decision) -> bytes:
    """Return a decision as it is stored."""
    about = {_STORED.get(name, name): value for name, value in asdict(decision).items()}
    return json.dumps({"kind": decision.kind, **about}, indent=1).encode()


def read(content: bytes) -> Decision:
    """Return a stored decision. One written before there were kinds names the fields of all of them: the rest is left.

    Raises:
        UnknownKindError: A newer version wrote it.
        ValueError: It is none.
    """
    try:
        stored = json.loads(content)
        kind = _kind_of(stored["kind"])
        names = {one.name: _STORED.get(one.name, one.name) for one in fields(kind)}
        about = {name: stored[key] for name, key in names.items() if key in stored}
        return kind(**about | ({"rules": tuple(about["rules"])} if "rules" in about else {}))
    except UnknownKindError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"it does not say what a decision says: {error!r}"
        raise ValueError(msg) from error


def _kind_of(name: str) -> type[Decision]:
    if name not in _BY_NAME:
        raise UnknownKindError(name)
    return _BY_NAME[name]
