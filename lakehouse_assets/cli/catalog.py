"""The command that looks at the catalogs in which other tools find the tables: `lakehouse catalog`."""

from typing import Annotated

import typer
from rich.console import Console

from lakehouse_assets.cli import render
from lakehouse_assets.context import current

_OUT = Console()


def catalog(
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take tables out of the catalogs that no module declares any more.")
    ] = False,
) -> None:
    """Say how the catalogs differ from the lake; exit code 1 if one does. `lakehouse run` brings them up to date."""
    from lakehouse_assets.catalog.catalogs import key_of  # noqa: PLC0415
    from lakehouse_assets.serving.destinations import destinations  # noqa: PLC0415

    lake = current()
    differs = False
    for one in destinations(lake):
        if remove:
            render.section(_OUT, f"{key_of(one)}: removed", list(one.remove_undeclared(lake)))
        if one.state(lake).pending:
            _OUT.print(f"{key_of(one)} is behind the tables; `lakehouse run` brings it up to date.")
        found = list(map(str, one.problems(lake)))
        render.section(_OUT, f"{key_of(one)}: differences", found)
        differs |= bool(found)
    raise typer.Exit(1 if differs else 0)
