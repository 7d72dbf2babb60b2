"""AWS clients for telling, each made once. Not here: the lake's own storage."""

from functools import cache
from typing import Any

from lakehouse_assets import aws


@cache
def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client that gives up soon: what it could not tell is told at a later tick."""
    return aws.client(service, aws.HASTY)
