"""Where a feed's records come from when a stream of Kinesis has them: `Feed(extract=KinesisStream(...))`.

Here: the declaration. Not here: reading the stream.
"""

import re
from dataclasses import dataclass

from lakehouse_assets.contracts.source import ContractError

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")


@dataclass(frozen=True)
class KinesisStream:
    """A stream whose records, each of JSON text, land in batches. Region and role are those of the environment.

    Attributes:
        name: Name of the stream.
        cron: When to read, UTC; None: when somebody asks for it.
        for_s: Seconds for which one extraction reads at most; the next one goes on.
        object_bytes: Bytes of records after which an object lands.
    """

    name: str
    cron: str | None = None
    for_s: float = 50
    object_bytes: int = 5 * 2**20

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            msg = f"KinesisStream(name={self.name!r}): it has 1 to 128 letters, digits, and _ . -; correct it."
            raise ContractError(msg)
        for name in ("for_s", "object_bytes"):
            if not getattr(self, name) > 0:
                msg = f"KinesisStream({name}={getattr(self, name)!r}): it is a number above 0; correct it."
                raise ContractError(msg)
