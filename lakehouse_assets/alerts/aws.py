"""AWS clients for telling. boto3 is imported when the first one is asked for. Not here: the lake's own storage."""

import os
from functools import cache
from typing import Any


@cache
def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client that gives up soon: what it could not tell is told at a later tick.

    The usual AWS environment variables say where and as whom.
    """
    import boto3  # noqa: PLC0415 - a third of a second that a lake without AWS does not need
    from botocore.config import Config  # noqa: PLC0415

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    limits = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 2})
    return boto3.client(service, region_name=region, config=limits)
