"""Handling the messages of a queue: received, compared with the ledger, deleted when nothing is left to do.

A message is deleted only when the ledger has what it names, or never will because of it. Whoever dies between any two
steps leaves messages that come back. Not here: the runs that ingest, and who asks for them.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lakehouse_assets.context import Lake
from lakehouse_assets.sources import message_batch
from lakehouse_assets.sources.announced import NothingToReadError, lacking, path_of, waits
from lakehouse_assets.sources.message_batch import Batch, Handled, batch_of
from lakehouse_assets.sources.queue import Message, Queue
from lakehouse_assets.sources.s3_events import ObjectEvent, UnknownMessageError, newest, read
from lakehouse_assets.storage.stores import Stored

_RECEIVING_S = 5
_BODIES_BYTES = 16 * 2**20


@dataclass
class Handling:
    """One look at a queue: what it found and did.

    Attributes:
        received: Messages received.
        recorded: Messages deleted because the ledger has what they name.
        nothing_to_read: Objects named in vain, by the reason.
        unknown: Messages that could not be read, each with the reason; they stay for the dead-letter queue.
        returned: Keys that no run could ingest, whose messages go back to the queue.
        not_deleted: Messages that are done and come back all the same.
    """

    lake: Lake
    queue: Queue
    received: int = 0
    recorded: int = 0
    nothing_to_read: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    not_deleted: int = 0

    def settle(self, batch: Batch, most_runs: int) -> tuple[Batch, dict[str, Stored]]:
        """Delete the messages of a batch that are done; return the others, and by path what the ledger lacks.

        Args:
            most_runs: A message for which that many runs were requested goes back to the queue.
        """
        missing = lacking(self.lake, batch.told, look=True)
        waiting = waits(batch.paths, missing)
        self._delete([message for message in batch.messages if waiting.isdisjoint(message.paths)])
        rest = [message for message in batch.messages if not waiting.isdisjoint(message.paths)]
        self.returned += [path for m in rest if m.runs >= most_runs for path in m.paths if path in waiting]
        kept = [message for message in rest if message.runs < most_runs]
        left = batch_of(kept, batch.told, batch.hidden_until, is_stored=batch.is_stored)
        return left, {path: stored for path, stored in missing.items() if waits(left.paths, [path])}

    def receive(self, batch: Batch) -> tuple[Batch, dict[str, Stored]]:
        """Add what the queue has to a batch, in bounded messages and bytes; return it, and what the ledger lacks."""
        begun = time.time()
        handled: dict[str, Handled] = {}
        events: list[ObjectEvent] = []
        for message in self._messages(len(batch.messages), sum(stored.size for stored in batch.told)):
            named = self._named(message)
            if named is None:
                continue
            handled[message.id] = Handled(message.id, message.receipt, tuple(path for path, _ in named))
            events += (replace(event, key=path) for path, event in named)
        told = {path: Stored(path, event.size, event.token) for path, event in newest(events).items()}
        missing = lacking(self.lake, told.values(), look=False)
        waiting = waits(told, missing)
        self._delete([message for message in handled.values() if waiting.isdisjoint(message.paths)])
        new = {key: message for key, message in handled.items() if not waiting.isdisjoint(message.paths)}
        # A message that came once more has another receipt.
        both = {message.id: message for message in batch.messages} | new
        until = begun + self._hidden_s
        until = min(batch.hidden_until, until) if batch.messages else until
        everything = {stored.path: stored for stored in batch.told} | told
        return batch_of(both.values(), everything.values(), until, is_stored=batch.is_stored), missing

    def hide(self, batch: Batch) -> Batch:
        """Hide the messages of a batch for as long as newly received ones, if half of their time is over."""
        if not batch.messages or time.time() < batch.hidden_until - self._hidden_s / 2:
            return batch
        until = time.time() + self._hidden_s
        self.queue.hide(batch.receipts, self._hidden_s)
        return replace(batch, hidden_until=until)

    @property
    def _hidden_s(self) -> int:
        return self.lake.settings.queue_hidden_s

    def _messages(self, number: int, size: int) -> Iterator[Message]:
        """Yield messages until there is none left, or enough for one run, or for one look."""
        settings, deadline, bodies = self.lake.settings, time.monotonic() + _RECEIVING_S, 0
        self._size = size
        while (
            number < settings.queue_batch_files
            and self._size < settings.queue_batch_bytes
            and bodies < _BODIES_BYTES
            and time.monotonic() < deadline
        ):
            # Asked without waiting, a part of the servers of a queue answers, perhaps with nothing.
            some = self.queue.receive(self._hidden_s, 0 if self.received else 1)
            if not some:
                return
            self.received += len(some)
            number += len(some)
            bodies += sum(len(message.body) for message in some)
            yield from some

    def _named(self, message: Message) -> list[tuple[str, ObjectEvent]] | None:
        """Return the landed objects that a message names, with their events; None for a message to leave alone."""
        try:
            said = read(message.body)
        except UnknownMessageError as error:
            self.unknown.append(f"message {message.id}: {error}")
            return None
        named = []
        if said.note:
            self.nothing_to_read[said.note] += 1
        for event in said.events:
            try:
                named.append((path_of(self.lake, event), event))
            except NothingToReadError as error:
                self.nothing_to_read[str(error)] += 1
        self._size += sum(event.size for _, event in named)
        return named

    def _delete(self, messages: list[Handled]) -> None:
        self.recorded += sum(bool(message.paths) for message in messages)
        self.not_deleted += self.queue.delete([message.receipt for message in messages])


def handled_paths(lake: Lake) -> list[str]:
    """Return the paths of the landed objects that the messages being handled name."""
    return message_batch.load(lake.store).paths
