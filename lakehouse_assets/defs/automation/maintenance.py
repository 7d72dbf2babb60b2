"""Looking after the tables as a Dagster job with a weekly schedule; the command line offers the same."""

import dagster as dg
from pydantic import Field

from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.maintenance.maintain import Action, maintain
from lakehouse_assets.maintenance.policy import Policy, PolicyError
from lakehouse_assets.orchestration.resources import LakeResource


class MaintenanceConfig(dg.Config):
    """How long things are kept; see `lakehouse maintain --help`.

    Attributes:
        expire_rejected_days: 0 keeps the originals of rejected objects for good.
        expire_quarantine_days: 0 keeps the quarantined rows that no decision expires.
    """

    dry_run: bool = False
    retention_hours: int = Field(default=168, ge=0)
    below_seven_days_really: bool = False
    expire_rejected_days: int = Field(default=0, ge=0)
    expire_quarantine_days: int = Field(default=0, ge=0, le=36_500)
    pack_after_days: int = Field(default=3, ge=0)


@dg.op(description="Compacts, checkpoints and vacuums the tables, and removes what no table or ledger knows.")
def look_after_tables(context: dg.OpExecutionContext, config: MaintenanceConfig, lakehouse: LakeResource) -> None:
    """Look after every table; what was done is in the run's log and metadata."""
    try:
        policy = Policy.asked_for(
            config.retention_hours,
            config.expire_rejected_days,
            config.expire_quarantine_days,
            below_seven_days=config.below_seven_days_really,
            who=f"maintenance run {context.run_id}",
            pack_after_days=config.pack_after_days,
        )
    except PolicyError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    actions = []
    for action in maintain(lakehouse.lake(), policy, dry_run=config.dry_run):
        actions.append(action)
        context.log.info(f"{action.table}: {action.action}: {counted(action.files, 'file')}, {action.bytes:,} bytes")
    context.add_output_metadata(
        {
            "dry run": config.dry_run,
            "files": sum(action.files for action in actions),
            "bytes": sum(action.bytes for action in actions),
            "actions": dg.MetadataValue.md(_table(actions)),
        }
    )
    if problems := [f"{action.table}: {action.action}" for action in actions if action.problem]:
        raise dg.Failure(description="; ".join(problems), allow_retries=False)


def _table(actions: list[Action]) -> str:
    rows = [f"| {a.table} | {a.action} | {a.files:,} | {a.bytes:,} |" for a in actions]
    return "\n".join(["| table | action | files | bytes |", "| --- | --- | --: | --: |", *rows])


@dg.job(description="Keep the tables small and quick to read; nothing that anybody needs is removed.")
def maintenance() -> None:
    """Look after every table."""
    look_after_tables()


weekly_maintenance = dg.ScheduleDefinition(
    name="weekly_maintenance",
    job=maintenance,
    cron_schedule="40 4 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once a week, after the daily sweep: compaction, checkpoints, vacuum, orphans.",
)
