"""Posted records of one feed on this machine's disk, until they have landed. Not here: HTTP, and when they land.

The log is a folder of segments. Only one is appended to, by one process; each becomes one landed object, under the
name of the segment, so that landing it again changes nothing. After an end of the process a new one is begun.
"""

import datetime as dt
import os
import re
import struct
import time
import uuid
import zlib
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from threading import Lock

_HEAD = struct.Struct(">II")
"""What stands before each frame: its bytes and their CRC-32."""
_STAMP = "%Y-%m-%d-%H-%M-%S"
_SUFFIX = ".log"
_SEGMENT = re.compile(
    rf".+-1-([0-9]{{4}}(?:-[0-9]{{2}}){{5}})-[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\{_SUFFIX}"
)


@dataclass
class _Group:
    """What is made durable together."""

    payloads: list[bytes] = field(default_factory=list)
    is_done: bool = False
    error: OSError | None = None


@dataclass
class _Open:
    """The segment that is appended to."""

    path: Path
    file: FileIO
    since: float
    size: int = 0


class PostLog:
    """The log of one feed.

    Args:
        folder: Its segments.
        feed: Name of the feed; a segment is named like an object of Firehose with a stream of that name.
        most_bytes: A segment of that size is ended.
    """

    def __init__(self, folder: Path, feed: str, most_bytes: int) -> None:
        self._folder, self._feed, self._most_bytes = folder, feed, most_bytes
        self._entering, self._writing = Lock(), Lock()
        self._group = _Group()
        self._open: _Open | None = None

    def append(self, payload: bytes) -> None:
        """Return when a payload is on disk. Whoever writes first does so for all that wait, with one fsync.

        Raises:
            OSError: It is not; a part of it may be, and land.
        """
        with self._entering:
            group = self._group
            group.payloads.append(payload)
        with self._writing:
            if not group.is_done:
                with self._entering:
                    self._group = _Group()
                self._commit(group)
        if group.error is not None:
            raise group.error

    def ended(self, age_s: float) -> list[Path]:
        """Return the segments that nothing is appended to any more; one that is older than some seconds is ended."""
        with self._writing:
            if self._open is not None and time.monotonic() - self._open.since >= age_s:
                self._end()
            current = None if self._open is None else self._open.path
        return [path for path in segments(self._folder) if path != current]

    def close(self) -> None:
        """Append nothing more to the segment that is open."""
        with self._writing:
            self._end()

    def _commit(self, group: _Group) -> None:
        group.is_done = True
        body = b"".join(group.payloads)
        try:
            current = self._open = self._open or self._begun()
            left = memoryview(_HEAD.pack(len(body), zlib.crc32(body)) + body)
            current.size += len(left)
            while left:
                left = left[current.file.write(left) :]
            os.fsync(current.file.fileno())
        except OSError as error:
            group.error = error
            self._end()  # behind half a frame nothing could be found again
        else:
            if current.size >= self._most_bytes:
                self._end()

    def _begun(self) -> _Open:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._feed}-1-{dt.datetime.now(dt.UTC):{_STAMP}}-{uuid.uuid4()}{_SUFFIX}"
        begun = _Open(self._folder / name, FileIO(self._folder / name, "x"), time.monotonic())
        for folder in (self._folder, self._folder.parent):  # so that a power failure leaves their entries, too
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        return begun

    def _end(self) -> None:
        if self._open is not None:
            ended, self._open = self._open, None
            ended.file.close()


def segments(folder: Path) -> list[Path]:
    """Return the segments in a folder, oldest first. Files of others, such as logs of a program, are none."""
    return sorted(path for path in folder.glob(f"*{_SUFFIX}") if _SEGMENT.fullmatch(path.name))


def object_name(segment: Path) -> str:
    """Return the name of a segment's object below the folder of its feed, as Firehose would have it."""
    stamp = _SEGMENT.sub(r"\1", segment.name)
    return f"{dt.datetime.strptime(stamp, _STAMP):%Y/%m/%d/%H}/{segment.stem}.gz"  # noqa: DTZ007 - UTC in and out


def read(segment: Path) -> tuple[bytes, int]:
    """Return what was appended to a segment, and how many bytes of it cannot be read.

    Half a frame at the end is none of these: a killed process leaves it, and nobody was answered for it. A frame that
    is whole but has another CRC, or that another frame follows, was changed after it was on disk.
    """
    data, found, lost, at = segment.read_bytes(), list[bytes](), 0, 0
    while at < len(data):
        end = _end_of_frame(data, at)
        if end is not None and _is_sound(data, at, end):
            found.append(data[at + _HEAD.size : end])
            at = end
            continue
        behind = next((place for place in range(at + 1, len(data)) if _begins_frame(data, place)), len(data))
        if behind < len(data) or end is not None:
            lost += behind - at
        at = behind
    return b"".join(found), lost


def _end_of_frame(data: bytes, at: int) -> int | None:
    """Return where a frame ends, by its head; None if the file ends before."""
    if at + _HEAD.size > len(data):
        return None
    end: int = at + _HEAD.size + _HEAD.unpack_from(data, at)[0]
    return end if end <= len(data) else None


def _is_sound(data: bytes, at: int, end: int) -> bool:
    check: int = _HEAD.unpack_from(data, at)[1]
    return zlib.crc32(data[at + _HEAD.size : end]) == check


def _begins_frame(data: bytes, at: int) -> bool:
    end = _end_of_frame(data, at)
    # Zeros would be a frame of no bytes.
    return end is not None and end > at + _HEAD.size and _is_sound(data, at, end)
