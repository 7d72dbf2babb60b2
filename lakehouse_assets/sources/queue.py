"""A queue of messages about landing, as the lake needs one. Not here: what messages say, and any one service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class QueueError(Exception):
    """The queue cannot be used; the text names the culprit, the consequence and the fix."""


@dataclass(frozen=True)
class Message:
    """One delivery of a message. `receipt` identifies the delivery: it is what deletes or hides the message."""

    id: str
    receipt: str
    body: str


@dataclass(frozen=True)
class Depth:
    """About how many messages there are.

    Attributes:
        waiting: Nobody has received them, or their time to be handled is over.
        in_flight: Received, and hidden until they are deleted or that time is over.
        delayed: Not to be received yet.
        dead: In the dead-letter queue; None where there is no such queue.
    """

    waiting: int
    in_flight: int
    delayed: int
    dead: int | None

    @property
    def backlog(self) -> int:
        """Messages that somebody still has to handle."""
        return self.waiting + self.in_flight + self.delayed


class Queue(Protocol):
    """Delivers each message at least once, in any order. Every method raises `QueueError` when it cannot be used."""

    def receive(self, hidden_s: int, wait_s: int = 0) -> list[Message]:
        """Return some messages, at most ten, hidden from others for some seconds; wait for the first one if asked."""
        ...

    def delete(self, receipts: Sequence[str]) -> int:
        """Delete messages; return how many could not be deleted, which come back when their time is over."""
        ...

    def hide(self, receipts: Sequence[str], seconds: int) -> None:
        """Hide messages for some seconds more. One for which that fails comes back earlier."""
        ...

    def depth(self) -> Depth:
        """Return how many messages there are."""
        ...
