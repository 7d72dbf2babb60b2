"""How each client of AWS is made: in which region, how long it waits, how often it asks again. Not here: any call.

Where and as whom else is told by the usual AWS variables. boto3 is imported with the first client.
"""

import os
from dataclasses import dataclass
from typing import Any

_CONNECT_S = 5
"""What no address needs. botocore's own is a minute, of each attempt, where a firewall drops what is sent."""


@dataclass(frozen=True)
class Patience:
    """How long a client tries.

    Attributes:
        mode: Of botocore's retries; an adaptive client slows down while it is throttled.
        attempts: At most, the first one included.
        answer_s: Seconds between two parts of an answer.
    """

    mode: str
    attempts: int
    answer_s: int


HASTY = Patience("standard", 2, 10)
"""A sensor tick or a request waits, and comes again."""
STEADY = Patience("adaptive", 10, 60)
"""A run waits, which may be throttled."""
STORAGE = Patience("standard", 8, 60)
"""Everything waits: without S3 nothing works."""


def region() -> str | None:
    """Return the region that the environment names; None for that of AWS's own files."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def client(service: str, patience: Patience, region_name: str | None = None, connections: int = 10) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client of a service.

    Args:
        service: As boto3 names it.
        region_name: None for that of the environment, of AWS's own files, or else us-east-1.
        connections: Calls that it makes at once, at most.
    """
    import boto3  # noqa: PLC0415 - a third of a second that a lake without AWS does not need
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=patience.answer_s,
        retries={"mode": patience.mode, "max_attempts": patience.attempts},
        max_pool_connections=connections,
    )
    chosen = region_name or region() or boto3.Session().region_name or "us-east-1"
    return boto3.client(service, region_name=chosen, config=limits)
