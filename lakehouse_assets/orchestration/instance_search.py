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
_CHECKED = dg.DagsterEventType.ASSET_CHECK_EVALUATION
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
        for run in instance.get_runs():
            _search_run(instance, run, holds, found, dry_run=dry_run)
        for state in instance.all_instigator_state():
            _search_ticks(instance, state, holds, found, dry_run=dry_run)
        for one in instance.get_backfills():
            if any(map(holds, _texts(json.loads(dg.serialize_value(one))))):
                found.left.append(f"Dagster's backfill {one.backfill_id} holds the value, and cannot be deleted.")
    if not dry_run:
        found.left += _drop_deleted_bytes(settings)
    return found


def _search_run(
    instance: dg.DagsterInstance, run: dg.DagsterRun, holds: Holds, found: Searched, *, dry_run: bool
) -> None:
    """Search all that is kept of one run, and delete it if the value is there."""
    entries = instance.all_logs(run.run_id)
    guilty = [entry for entry in entries if any(map(holds, _texts(json.loads(dg.serialize_value(entry)))))]
    if not (guilty or any(map(holds, _texts([run.run_config, run.tags]))) or _prints(instance, run, entries, holds)):
        return
    if not run.is_finished:
        found.left.append(
            f"Dagster's run {run.run_id} holds the value and is under way; run the command again when it has ended."
        )
        return
    found.runs.append(run.run_id)
    # Dagster keeps the results of checks beside those of runs, and deletes them with an asset's whole history only.
    checked = [entry.dagster_event for entry in guilty if entry.dagster_event_type is _CHECKED and entry.dagster_event]
    wiped = {event.asset_check_evaluation_data.asset_key for event in checked}
    found.wiped |= wiped
    if dry_run:
        return
    instance.wipe_assets(sorted(wiped))
    # Without its texts, so that what was materialized still shows as such; the latest one is kept twice, too.
    for entry in entries:
        if (event := entry.dagster_event) is not None and event.is_step_materialization and event.asset_key is not None:
            instance.report_runless_asset_event(dg.AssetMaterialization(event.asset_key, partition=event.partition))
    instance.compute_log_manager.delete_logs(prefix=[run.run_id])
    instance.delete_run(run.run_id)


def _prints(
    instance: dg.DagsterInstance, run: dg.DagsterRun, entries: Sequence[dg.EventLogEntry], holds: Holds
) -> bool:
    """Return whether the value is in what a run's steps printed."""
    manager = instance.compute_log_manager
    for entry in entries:
        if entry.dagster_event is None or entry.dagster_event_type is not dg.DagsterEventType.LOGS_CAPTURED:
            continue
        key = manager.build_log_key_for_run(run.run_id, entry.dagster_event.logs_captured_data.file_key)
        data = manager.get_log_data(key)
        if any(
            holds(text) for part in (data.stdout, data.stderr) if part for text in _texts(part.decode(errors="replace"))
        ):
            return True
    return False


def _search_ticks(
    instance: dg.DagsterInstance,
    state: Any,  # noqa: ANN401 - Dagster has no public name for it
    holds: Holds,
    found: Searched,
    *,
    dry_run: bool,
) -> None:
    """Search the ticks of a sensor or schedule; delete those up to the last one with the value."""
    if any(map(holds, _texts(json.loads(dg.serialize_value(state))))):
        found.left.append(f"The cursor of Dagster's {state.instigator_name} holds the value; reset it in the UI.")
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    guilty = [tick for tick in ticks if any(map(holds, _texts(json.loads(dg.serialize_value(tick.tick_data)))))]
    found.ticks += len(guilty)
    if guilty and not dry_run:
        last = max(tick.timestamp for tick in guilty)
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before=last + 1)


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
