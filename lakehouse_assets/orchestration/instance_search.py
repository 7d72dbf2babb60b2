"""Searching a Dagster instance for a person's value through Dagster's public API, on SQLite and Postgres alike.

No value of a personal column enters Dagster, so normally nothing is found. Where a person typed one, or a column holds
more than it should, the run concerned is deleted. Not here: what the value is.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.settings import Settings

Holds = Callable[[str], bool]
"""Whether a text, as a person would read it, holds the value."""
_PATIENCE_S, _LEVELS = 30.0, 4
_RUN_ID = len("00000000-0000-0000-0000-000000000000")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))")


@dataclass
class Searched:
    """What was found in an instance.

    Attributes:
        runs: Ids of the runs that held the value: deleted, or to be.
        wiped: Assets with a check result that held it: all that Dagster shows of their past is wiped, or to be.
        ticks: Of sensors and schedules, deleted with those before them, or to be.
        left: What still holds it, a sentence each: which, why, what to do.
    """

    runs: list[str] = field(default_factory=list)
    wiped: set[dg.AssetKey] = field(default_factory=set)
    ticks: int = 0
    left: list[str] = field(default_factory=list)


def forget(settings: Settings, holds: Holds, *, dry_run: bool = False) -> Searched:
    """Delete from a lake's instance what holds a value: runs with their events and logs, and ticks.

    If interrupted, repeat it.

    Args:
        dry_run: Search only.
    """
    found = Searched()
    if not settings.dagster_home.is_dir():
        return found
    with opened(settings) as instance:
        for run, entries, wiped in _runs_with_value(instance, holds):
            if not run.is_finished:
                said = f"Dagster's run {run.run_id} holds the value and is under way"
                found.left.append(f"{said}; run the command again when it has ended.")
                continue
            found.runs.append(run.run_id)
            found.wiped |= wiped
            if not dry_run:
                _delete(instance, run, entries, wiped)
        for state in instance.all_instigator_state():
            if _is_in(state, holds):
                found.left.append(
                    f"The cursor of Dagster's {state.instigator_name} holds the value; reset it in the UI."
                )
            origin, selector = state.instigator_origin_id, state.selector_id
            ticks = [tick for tick in instance.get_ticks(origin, selector) if _is_in(tick.tick_data, holds)]
            found.ticks += len(ticks)
            if ticks and not dry_run:
                instance.purge_ticks(origin, selector, before=max(tick.timestamp for tick in ticks) + 1)
        backfills = [one.backfill_id for one in instance.get_backfills() if _is_in(one, holds)]
    found.left += [f"Dagster's backfill {one} holds the value, and cannot be deleted." for one in backfills]
    if not dry_run:
        found.left += _drop_deleted_bytes(settings)
    return found


def _runs_with_value(
    instance: dg.DagsterInstance, holds: Holds
) -> Iterator[tuple[dg.DagsterRun, Sequence[dg.EventLogEntry], set[dg.AssetKey]]]:
    """Yield the runs that hold the value, with all events of each, and the assets with a check result that holds it."""
    for run in instance.get_runs():
        entries = instance.all_logs(run.run_id)
        holding = [entry for entry in entries if _is_in(entry, holds)]
        if holding or any(map(holds, _texts([run.run_config, run.tags, *_printed(instance, run, entries)]))):
            checked = _events(holding, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
            yield run, entries, {event.asset_check_evaluation_data.asset_key for event in checked}


def _is_in(kept: Any, holds: Holds) -> bool:  # noqa: ANN401 - what Dagster keeps has no common type
    """Return whether the value is in something that Dagster keeps."""
    return any(map(holds, _texts(json.loads(dg.serialize_value(kept)))))


def _delete(
    instance: dg.DagsterInstance, run: dg.DagsterRun, entries: Sequence[dg.EventLogEntry], wiped: set[dg.AssetKey]
) -> None:
    """Delete all that is kept of a run, and all that is known of assets with a check result that holds the value.

    Dagster keeps the results of checks beside those of runs, and deletes them with an asset's whole history only.
    """
    instance.wipe_assets(sorted(wiped))
    # Without its texts, so that what was materialized still shows as such; the latest one is kept twice, too.
    for event in _events(entries, dg.DagsterEventType.ASSET_MATERIALIZATION):
        if event.asset_key is not None:
            instance.report_runless_asset_event(dg.AssetMaterialization(event.asset_key, partition=event.partition))
    instance.compute_log_manager.delete_logs(prefix=[run.run_id])
    instance.delete_run(run.run_id)


def _printed(instance: dg.DagsterInstance, run: dg.DagsterRun, entries: Sequence[dg.EventLogEntry]) -> Iterator[str]:
    """Yield what a run's steps printed."""
    manager = instance.compute_log_manager
    for event in _events(entries, dg.DagsterEventType.LOGS_CAPTURED):
        data = manager.get_log_data(manager.build_log_key_for_run(run.run_id, event.logs_captured_data.file_key))
        yield from (part.decode(errors="replace") for part in (data.stdout, data.stderr) if part)


def _events(entries: Sequence[dg.EventLogEntry], kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
    """Return the events of one type."""
    return [entry.dagster_event for entry in entries if entry.dagster_event and entry.dagster_event_type is kind]


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield the texts in a value: as they are, and as they read without the escapes of JSON or of a `repr`."""
    if isinstance(value, str):
        yield value
        for _ in range(_LEVELS):
            if (spelt := _ESCAPE.sub(_character, value)) == value:
                break
            yield (value := spelt)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _character(escape: re.Match[str]) -> str:
    number = escape[1] or escape[2]
    return chr(int(number, 16)) if number else {"n": "\n", "r": "\r", "t": "\t"}.get(escape[3], escape[3])


def _drop_deleted_bytes(settings: Settings) -> Iterator[str]:
    """Write the instance's SQLite files anew, and remove those of deleted runs: SQLite keeps deleted bytes.

    Yields:
        What is left where another process holds a file.
    """
    databases = sorted(settings.dagster_home.rglob("*.db"))
    with opened(settings) as instance:
        runs = {run.run_id for run in instance.get_runs()}
    for path in databases:
        if len(path.stem) == _RUN_ID and path.stem not in runs:
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink(missing_ok=True)
        elif len(path.stem) != _RUN_ID:
            try:
                with closing(sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)) as database:
                    database.execute("VACUUM")
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                yield f"{path}: deleted bytes may still be in it ({error}); stop Dagster and run the command again."
