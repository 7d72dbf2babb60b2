"""What this process has asked of S3 through the lake's own client, retries included. Not here: what it costs.

Not counted: requests of the client inside of delta-rs and Polars, which has no counter.
"""

from dataclasses import astuple, dataclass
from threading import Lock
from typing import Any

_READS = ("GetObject", "HeadObject")
_FREE = ("DeleteObject",)


@dataclass(frozen=True)
class Usage:
    """Requests and bytes.

    Attributes:
        gets: Requests that S3 charges as GET: GET and HEAD.
        puts: Requests that S3 charges as PUT: PUT and LIST.
        bytes_read: Of objects.
        bytes_written: Of objects.
    """

    gets: int = 0
    puts: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def since(self, before: "Usage") -> "Usage":
        """Return what was used after an earlier look."""
        return Usage(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


_total, _lock = Usage(), Lock()


def total() -> Usage:
    """Return what this process has used since its start."""
    return _total


def add(used: Usage) -> None:
    """Count some usage."""
    global _total  # noqa: PLW0603 - one count of the process, whichever lakes it opens
    with _lock:
        _total += used


def count_request(request: Any, event_name: str, **_: object) -> None:  # noqa: ANN401 - made by botocore at run time
    """Count a request as it is sent. botocore calls this for its event `before-send.s3`."""
    operation = event_name.rpartition(".")[2]
    if operation in _READS:
        add(Usage(gets=1))
    elif operation not in _FREE:
        sent = request.headers.get("X-Amz-Decoded-Content-Length") or request.headers.get("Content-Length") or 0
        add(Usage(puts=1, bytes_written=int(sent)))
