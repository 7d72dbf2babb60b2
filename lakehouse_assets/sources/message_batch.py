"""The messages that are being handled: which objects they name, and the receipts by which they are deleted.

One small object of the lake, replaced whole. It is what a run is told, and what is left to do after a crash; losing it
loses nothing, because its messages come back. Not here: what is done with them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from lakehouse_assets.storage.stores import StorageError, Store, Stored

PATH = "announced/batch.json"


@dataclass(frozen=True)
class Handled:
    """A message that is being handled.

    Attributes:
        paths: Of the landed objects that it names.
        runs: How many runs were requested for it.
    """

    id: str
    receipt: str
    paths: tuple[str, ...]
    runs: int = 0


@dataclass(frozen=True)
class Batch:
    """The messages that are being handled.

    Attributes:
        told: The named objects as the messages describe them.
        hidden_until: When the first of the messages may come back, in seconds since 1970.
    """

    messages: tuple[Handled, ...] = ()
    told: tuple[Stored, ...] = ()
    hidden_until: float = 0
    is_stored: bool = field(default=False, compare=False)

    @property
    def receipts(self) -> list[str]:
        """The receipts of the messages."""
        return [message.receipt for message in self.messages]

    @property
    def paths(self) -> list[str]:
        """The paths of the named objects."""
        return [stored.path for stored in self.told]


def load(store: Store) -> Batch:
    """Return the messages that are being handled. Those of a batch that cannot be read come back by themselves."""
    if store.stat(PATH) is None:
        return Batch()
    try:
        found = json.loads(store.read(PATH))
        messages = tuple(Handled(m["id"], m["receipt"], tuple(m["paths"]), m["runs"]) for m in found["messages"])
        told = tuple(Stored(**stored) for stored in found["told"])
        return Batch(messages, told, float(found["hidden_until"]), is_stored=True)
    except (StorageError, ValueError, TypeError, KeyError):
        return Batch(is_stored=True)


def save(store: Store, batch: Batch) -> None:
    """Put a batch in the place of the stored one."""
    if batch.messages:
        content = asdict(batch)
        del content["is_stored"]
        store.replace(PATH, json.dumps(content).encode())
    elif batch.is_stored:
        store.delete(PATH)


def batch_of(messages: Iterable[Handled], told: Iterable[Stored], hidden_until: float, *, is_stored: bool) -> Batch:
    """Return a batch of some messages, with what was told of the objects that they name.

    Args:
        is_stored: There is a stored batch, in whose place it comes.
    """
    chosen = tuple(messages)
    named = {path for message in chosen for path in message.paths}
    return Batch(chosen, tuple(stored for stored in told if stored.path in named), hidden_until, is_stored)
