"""A queue in memory that can be cut off at any step, for what has to be tried hundreds of times."""

import itertools
from collections.abc import Sequence

from lakehouse_assets.sources.queue import Depth, Message


class CutOffError(Exception):
    """The process dies here."""


class MemoryQueue:
    """A queue in memory, whose messages come back when somebody says that their time is over."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        self.hidden: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count()
        self.steps_left = -1

    def step(self) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            raise CutOffError

    def send(self, *bodies: str) -> None:
        self.waiting |= {f"m{next(self._numbers)}": body for body in bodies}

    def time_is_over(self) -> None:
        self.waiting |= dict(self.hidden.values())
        self.hidden = {}

    def receive(self, hidden_s: int, wait_s: int = 0) -> list[Message]:
        assert hidden_s > wait_s
        self.step()
        given = []
        for found in list(self.waiting)[:10]:
            receipt, body = f"r{next(self._numbers)}", self.waiting.pop(found)
            self.hidden[receipt] = found, body
            given.append(Message(found, receipt, body))
        self.step()
        return given

    def delete(self, receipts: Sequence[str]) -> int:
        for some in (receipts[::2], receipts[1::2]):
            self.step()
            for receipt in some:
                self.hidden.pop(receipt, None)
        self.step()
        return 0

    def hide(self, receipts: Sequence[str], seconds: int) -> None:
        """Time stands still here."""

    def depth(self) -> Depth:
        return Depth(len(self.waiting), len(self.hidden), 0, None)
