"""The key that callers of `lakehouse serve` send, where one is asked for. Not here: where credentials come from."""

import hmac
import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lakehouse_assets.credentials import SecretError, renewed, secret

HEADER = "X-Api-Key"
"""As an API Gateway has it."""


class ApiKey:
    """Answers 401 to whoever does not send the key, whatever they ask for.

    Args:
        name: Of the credential.
    """

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app, self._name = app, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._app
        if scope["type"] == "http":
            try:
                if not await run_in_threadpool(self._is_right, Request(scope).headers.get(HEADER, "")):
                    answer = JSONResponse({"error": f"send the key in the header {HEADER}"}, 401)
            except SecretError as error:
                logging.getLogger(__name__).warning("%s", error)
                answer = JSONResponse({"error": "the key cannot be looked up; the server's log says why"}, 503)
        await answer(scope, receive, send)

    def _is_right(self, given: str) -> bool:
        wanted: str | None = secret(self._name)
        while wanted is not None:
            if hmac.compare_digest(given.encode("latin-1"), wanted.encode()):
                return True
            wanted = renewed(self._name, wanted)
        return False
