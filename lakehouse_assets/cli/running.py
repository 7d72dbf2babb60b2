"""Running what is pending, with progress and a summary: for `run`, and for commands that then run the lake."""

from collections.abc import Mapping

from rich.console import Console

from lakehouse_assets.context import Lake

_OUT, _ERR = Console(), Console(stderr=True)


def run_lake(lake: Lake, force: Mapping[str, list[str]] | None = None) -> int:
    """Run everything pending with progress and a summary; return the exit code.

    Args:
        force: Partitions by table path that are computed first, whether or not they are pending.
    """
    # Dagster and the declared assets take a second to import, which the other commands do not need.
    from lakehouse_assets.cli import render  # noqa: PLC0415
    from lakehouse_assets.contracts.loading import declared  # noqa: PLC0415
    from lakehouse_assets.orchestration.instance import close_dead_runs, opened  # noqa: PLC0415
    from lakehouse_assets.orchestration.location import broken_in, definitions  # noqa: PLC0415
    from lakehouse_assets.orchestration.pending_runs import REFRESH  # noqa: PLC0415
    from lakehouse_assets.orchestration.runner import run_pending  # noqa: PLC0415
    from lakehouse_assets.query.drift import drifted, ids_on_several_dates  # noqa: PLC0415
    from lakehouse_assets.query.overview import decided_in, sizes  # noqa: PLC0415

    with opened(lake.settings) as instance, render.progress_bars(_ERR) as (announce, advance):
        for run_id in close_dead_runs(instance):
            _ERR.print(f"closed run {run_id}: its process is dead; its pending work is done now")
        report = run_pending(lake, definitions(lake).resolve_job_def(REFRESH), instance, announce, advance, force)
    broken = broken_in(lake, declared(lake.settings.definitions, only_tables=False))
    if not report.run_ids:
        _OUT.print("Nothing is pending: every table is up to date." if not broken else "Nothing else is pending.")
        render.broken(_OUT, broken)
        return 1 if broken else 0
    held, rejected = decided_in(lake, report.run_ids)
    render.summary(_OUT, sizes(lake))
    told = {
        "held by the gate": held,
        "rejected": rejected,
        "failed": report.failures,
        "schema drift": drifted(lake, report.run_ids),
        "ids on several dates": ids_on_several_dates(lake, report.run_ids),
    }
    for title, lines in told.items():
        if lines:
            render.section(_OUT, title, lines)
    render.broken(_OUT, broken)
    return 1 if held or rejected or report.failures or broken else 0
