"""Log lines of runs as JSON, for a collector such as CloudWatch Logs: one object a line, on standard error.

A line says what the Dagster UI says of the same event, and no values of records. Not here: the logs of Dagster's own
processes, whose commands take `--log-format json`.
"""

import datetime as dt
import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

import dagster as dg

from lakehouse_assets.orchestration.failures import failure_text
from lakehouse_assets.settings import Settings

_LOGGED = {
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}


class JsonFormatter(logging.Formatter):
    """A record of a Dagster log as one JSON object: `time`, `level`, `message`, and what is known of the others.

    These are `run_id`, `asset`, `date` (its partition), `event`, `check` and `error`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        meta: Mapping[str, Any] = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        found = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": max(record.levelname, "INFO", key=logging.getLevelNamesMapping().__getitem__),
            "message": meta.get("orig_message") or record.getMessage(),
            "run_id": meta.get("run_id"),
            "asset": (meta.get("step_key") or "").replace("__", "."),
            **(_of_event(event) if event else {}),
        }
        return json.dumps({name: value for name, value in found.items() if value not in {None, ""}}, default=str)


@dg.logger(
    {"log_level": dg.Field(str, default_value="INFO", is_required=False)},
    description="Log lines as JSON objects, on standard error.",
)
def json_console_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Return a logger of a run. It also writes important events, to which Dagster gives the level DEBUG."""
    config: Mapping[str, str] = context.logger_config or {}
    level = logging.getLevelNamesMapping()[config.get("log_level", "INFO")]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(lambda record: record.levelno >= level or (level < logging.CRITICAL and _is_of_note(record)))
    logger = logging.Logger("dagster", logging.DEBUG)  # noqa: LOG001 - of this run alone, as Dagster's own
    logger.addHandler(handler)
    return logger


def loggers_of(settings: Settings) -> dict[str, dg.LoggerDefinition]:
    """Return what takes the place of Dagster's console logger, where the settings say so."""
    return {"console": json_console_logger} if settings.log_format == "json" else {}


def logging_config(settings: Settings) -> dict[str, Any]:
    """Return the run configuration without which Dagster would take its own logger in place of that one."""
    return {"loggers": {"console": {"config": {"log_level": "INFO"}}}} if settings.log_format == "json" else {}


def _is_of_note(record: logging.LogRecord) -> bool:
    event: dg.DagsterEvent | None = getattr(record, "dagster_meta", {}).get("dagster_event")
    if event is None or event.event_type not in _LOGGED:
        return False
    is_check = event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    return not (is_check and event.asset_check_evaluation_data.passed)


def _of_event(event: dg.DagsterEvent) -> dict[str, Any]:
    """Return what an event says besides its message."""
    found: dict[str, Any] = {"event": event.event_type.name}
    if event.event_type is dg.DagsterEventType.STEP_FAILURE:
        found["error"] = failure_text(event)
    elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        found |= {
            "asset": ".".join(check.asset_key.path),
            "date": check.partition,
            "check": check.check_name,
            "level": "WARNING" if check.severity is dg.AssetCheckSeverity.WARN else "ERROR",
            "message": check.description,
        }
    elif event.asset_key is not None:
        found |= {"asset": ".".join(event.asset_key.path), "date": event.partition}
    return found
