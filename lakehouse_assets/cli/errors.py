"""The command `errors`: what went wrong and is not over, and saying that it is."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from lakehouse_assets.context import Lake, current
from lakehouse_assets.storage.stores import StorageError

_OUT, _ERR = Console(), Console(stderr=True)
_PAGES = 40


def errors(
    *,
    resolve: Annotated[str | None, typer.Option(help="Id of an error that is over.")] = None,
    who: Annotated[str | None, typer.Option(help="Who says so; by default, who is logged in.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> None:
    """List errors that are not over: how often, since when, why, and what to type."""
    from lakehouse_assets.alerts.error_log import error_log_of  # noqa: PLC0415
    from lakehouse_assets.cli import render  # noqa: PLC0415

    lake = current()
    log = error_log_of(lake)
    _take_in(lake)
    with _reached(lake.settings.errors_table):
        if resolve is not None:
            found = log.resolve(resolve, who or getpass.getuser())
            _OUT.print(f"resolved: {found.asset} {found.id}", markup=False, highlight=False)
            return
        known = sorted(log.table.problems(), key=lambda problem: problem.last_seen, reverse=True)
    render.problems(_OUT, [problem for problem in known if problem.is_open or every])


@contextmanager
def _reached(table: str) -> Iterator[None]:
    """Raise `StorageError` where the DynamoDB table that holds the errors, if one does, cannot be asked."""
    if not table:
        yield
        return
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loaded with its client

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        msg = (
            f"the errors in the DynamoDB table {table!r} cannot be read or changed: {error}. "
            "Look at LAKEHOUSE_ERRORS_TABLE, at the AWS credentials and at docs/alerts.md."
        )
        raise StorageError(msg) from None


def _take_in(lake: Lake) -> None:
    """Take in what happened since the last look; the sensor does the same where there is one."""
    if not (lake.settings.dagster_home / "dagster.yaml").exists():
        return
    from lakehouse_assets.alerts.error_log import error_log_of  # noqa: PLC0415
    from lakehouse_assets.alerts.telling import tell  # noqa: PLC0415
    from lakehouse_assets.orchestration.instance import opened  # noqa: PLC0415

    with opened(lake.settings) as instance:
        for _ in range(_PAGES):
            told, failed = tell(lake, instance, [error_log_of(lake)])
            for line in failed:
                _ERR.print(line, markup=False, highlight=False, soft_wrap=True)
            if failed or not told:
                return
