"""Retries of AWS clients without their waits: as often as ever, but almost at once. Not here: what is retried."""

import pytest
from botocore.retries.standard import ExponentialBackoff

_SOONER = 20


def at_once(patch: pytest.MonkeyPatch) -> None:
    """Wait a twentieth of the time before a request is made again: faults of tests last for requests, not seconds."""
    delay = ExponentialBackoff.delay_amount
    patch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: delay(self, context) / _SOONER)
