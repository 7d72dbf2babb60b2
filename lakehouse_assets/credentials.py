"""Credentials by name, looked up when they are used: in AWS Secrets Manager, or as environment variables.

Here: where they come from, how long they are kept, and what follows when one is refused. Not here: what they are for.
No message, repr or log line has a value.
"""

import json
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from pydantic import SecretStr

from lakehouse_assets import aws
from lakehouse_assets.settings import Settings, SettingsError, settings

_OUTAGE_S = 30
"""How long an expired credential is used again where Secrets Manager does not answer."""
_REFUSED_S = 10
"""A refused credential is looked up no more often than this, whoever had it refused: anybody may send a wrong key."""


class SecretError(SettingsError):
    """A credential cannot be had; the message names it and says what to do."""


class NoAnswerError(SecretError):
    """Secrets Manager does not answer, or is throttled."""


def secret(name: str) -> str:
    """Return a credential. Ask for it at each use: so it may be rotated while a process runs.

    Args:
        name: As in AWS Secrets Manager, such as `lake/api-key`; `lake/shop#token` is the text `token` of a secret that
            is a JSON object. Without `LAKEHOUSE_SECRETS=aws` it is the variable `variable` names.

    Raises:
        SecretError: There is none, or nobody may read it.
    """
    return _credentials(settings()).get(name)


def renewed(name: str, refused: str) -> str | None:
    """Return what a credential is now, after its value was refused; None where that has not changed.

    Asks once in ten seconds, however often it is refused and by whom. Raises as `secret` does.
    """
    return _credentials(settings()).renewed(name, refused)


def variable(name: str) -> str:
    """Return the environment variable of a credential: `LAKE_API_KEY` of `lake/api-key`."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


class _Kept(NamedTuple):
    value: SecretStr
    until: float


class Credentials:
    """Credentials from one place.

    Args:
        look_up: Returns a credential by its name, or raises `SecretError`.
        kept_s: Seconds for which a value is used without asking again.
    """

    def __init__(self, look_up: Callable[[str], str], kept_s: float) -> None:
        self._look_up, self._kept_s = look_up, kept_s
        self._kept: dict[str, _Kept] = {}
        self._not_before: dict[str, float] = {}
        self._lock = Lock()

    def get(self, name: str) -> str:
        with self._lock:
            known = self._kept.get(name)
            if known and monotonic() < known.until:
                return known.value.get_secret_value()
            try:
                return self._keep(name, self._look_up(name), self._kept_s)
            except NoAnswerError:
                if known is None:
                    raise
                return self._keep(name, known.value.get_secret_value(), min(_OUTAGE_S, self._kept_s))

    def renewed(self, name: str, refused: str) -> str | None:
        with self._lock:
            known = self._kept.get(name)
            found = known.value.get_secret_value() if known else refused
            if found == refused and monotonic() >= self._not_before.get(name, 0.0):
                self._not_before[name] = monotonic() + min(_REFUSED_S, self._kept_s)
                with suppress(NoAnswerError):
                    found = self._keep(name, self._look_up(name), self._kept_s)
            return found if found != refused else None

    def _keep(self, name: str, value: str, seconds: float) -> str:
        self._kept[name] = _Kept(SecretStr(value), monotonic() + seconds)
        return value


@cache
def _credentials(chosen: Settings) -> Credentials:
    if chosen.secrets == "aws":
        return Credentials(SecretsManager().look_up, chosen.secrets_ttl_s)
    return Credentials(_from_environment, 0)


def _from_environment(name: str) -> str:
    if value := os.environ.get(variable(name), "").strip():
        return value
    msg = (
        f"There is no credential {name!r}: {variable(name)} is not set. What needs it was not done; set that variable, "
        "or LAKEHOUSE_SECRETS=aws for AWS Secrets Manager."
    )
    raise SecretError(msg)


class SecretsManager:
    """AWS Secrets Manager, as whom the usual AWS variables say. The library is loaded with the first question."""

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        # It logs every answer as a whole where a process logs at DEBUG.
        logging.getLogger("botocore.parsers").setLevel(logging.INFO)
        return aws.client("secretsmanager", aws.HASTY)

    def look_up(self, name: str) -> str:
        """Return a credential, or the text that a JSON object in it has. Raises `SecretError`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loaded with the client

        whole, _, part = name.partition("#")
        try:
            found = self._client.get_secret_value(SecretId=whole).get("SecretString")
        except (BotoCoreError, ClientError) as error:
            answer = getattr(error, "response", {})
            is_there = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500  # noqa: PLR2004
            is_throttled = "Throttl" in answer.get("Error", {}).get("Code", "")
            msg = (
                f"AWS Secrets Manager refused secretsmanager:GetSecretValue of {whole!r}: {error}. What needs it was "
                "not done; check the name, the region, the role (docs/aws.md names each permission) and the endpoint."
            )
            raise (SecretError if is_there and not is_throttled else NoAnswerError)(msg) from error
        if value := (_part(found, part) if part else found or "").strip():
            return value
        what = f"no text {part!r} in a JSON object" if part else "no text"
        msg = f"The secret {whole!r} in AWS Secrets Manager has {what}. What needs it was not done; store it there."
        raise SecretError(msg)


def _part(text: str | None, name: str) -> str:
    with suppress(ValueError):  # its error would hold the whole text
        found = json.loads(text or "")
        if isinstance(found, dict) and isinstance(value := found.get(name), str):
            return value
    return ""
