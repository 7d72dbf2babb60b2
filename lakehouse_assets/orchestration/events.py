"""Events that a step records itself: one materialization and one gate evaluation per date, exactly.

A run works on any set of dates, so Dagster cannot derive the partition of an event from the run.
"""

import os
import socket
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.engines.spark import JobLostError
from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.orchestration import step_costs
from lakehouse_assets.pipeline.gold import ModelError
from lakehouse_assets.settings import SettingsError
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.stores import StorageError

PROCESS_TAG = "lakehouse/process"


def this_process() -> str:
    """Return the identity of this process: host, process id, start time."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def materialized(
    key: str, partition: str, metadata: Mapping[str, Any], lake: Lake, feed: Feed
) -> Iterator[dg.AssetMaterialization]:
    """Yield that a partition was written; nothing for what is no partition of the asset (undated, outside).

    Args:
        key: `Table.key`.
    """
    asset = dg.AssetKey(key.split("/"))
    if feed.business_date is None:
        yield dg.AssetMaterialization(asset, metadata=dict(metadata))
    elif as_date(partition) is not None and not lake.is_outside(feed, partition):
        yield dg.AssetMaterialization(asset, partition=partition, metadata=dict(metadata))


def evaluated(
    context: dg.AssetExecutionContext,
    key: Sequence[str],
    check: str,
    partition: str,
    passed: bool,  # noqa: FBT001 - the outcome itself
    text: str,
    metadata: Mapping[str, Any],
) -> None:
    """Record one partition's evaluation of a blocking check."""
    context.log_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(key),
            check_name=check,
            passed=passed,
            metadata={
                name: dg.MetadataValue.float(v) if isinstance(v, float) else dg.MetadataValue.int(v)
                for name, v in metadata.items()
            },
            severity=dg.AssetCheckSeverity.ERROR,
            description=None if passed else text,
            blocking=True,
            partition=partition,
        )
    )


def together(instance: dg.DagsterInstance) -> AbstractContextManager[None]:
    """Have the event log store the events of a block in one go, where it can.

    One by one, storing them is most of the run of a small feed with many dates.
    For a block that records events, and does nothing else. A storage that is not the lake's own stores one by one.
    """
    batched = getattr(instance.event_log_storage, "together", None)
    return nullcontext() if batched is None else batched()


class TableCheckResult(dg.AssetCheckResult):
    """The result of a check on a table as it stands after a run, whichever of its dates the run was asked for.

    Dagster ties a result to the materialization of the run's own partition, and the UI shows nothing where that is not
    the table's latest one: the gate would be blank just when it holds a date. Without the tie, time decides.
    """

    def _get_target_materialization_data(self, *_: object) -> None:
        return None


def warning(key: dg.AssetKey, check: str, text: str, *, passed: bool, **metadata: Any) -> TableCheckResult:  # noqa: ANN401 - as Dagster takes it
    """Return the result of a check of a table that never fails a run."""
    severity = dg.AssetCheckSeverity.WARN
    return TableCheckResult(
        asset_key=key, check_name=check, passed=passed, severity=severity, description=text, metadata=metadata
    )


@contextmanager
def step(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[None]:
    """Run the body of an asset: claim the run for this process, count costs, and report errors in one message."""
    if context.run.tags.get(PROCESS_TAG) != this_process():
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})
    try:
        with step_costs.counted(context, lake):
            yield
    except (
        StorageError, JobLostError, SchemaMismatchError, ContractError, ModelError, ExtractionError, SettingsError
    ) as error:  # fmt: skip
        # `from None`: these errors explain themselves, and a traceback would bury what they say.
        retried = isinstance(error, StorageError | JobLostError)
        raise dg.Failure(description=str(error), metadata=_class_of(error), allow_retries=retried) from None
    except dg.DagsterError:
        raise
    except Exception as error:  # noqa: BLE001 - foreseen by nobody, so its text may quote a record's values
        raise dg.Failure(description=_unforeseen(error), metadata=_class_of(error)) from None


def _class_of(error: Exception) -> dict[str, str]:
    """Return the class of an error as a failure keeps it: the failure itself hides it."""
    return {"error": type(error).__name__}


def _unforeseen(error: Exception) -> str:
    """Return where an error came from, in place of its text: texts of libraries quote values of records."""
    last = traceback.extract_tb(error.__traceback__)[1:][-4:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in last)
    return (
        f"{type(error).__name__} at {places}. What was committed stands, the rest is still pending. Its text may "
        "quote records, so it is not kept here: `lakehouse verify` computes the same and shows it."
    )


def bullets(lines: Iterable[str]) -> str:
    """Return a Markdown list; a word where there is nothing to list."""
    return "\n".join(f"- {line}" for line in lines) or "none"
