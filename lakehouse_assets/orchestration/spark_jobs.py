"""How Dagster runs start the jobs of Spark: through Pipes, so that their progress is in the run's log.

Not here: what a job does, and what becomes of its rows.
"""

import dagster as dg

from lakehouse_assets.engines.spark import Job, Start
from lakehouse_assets.orchestration import emr_serverless
from lakehouse_assets.storage.temporary import TemporaryFolder


def starter(context: dg.AssetExecutionContext) -> Start:
    """Return what starts the jobs of a step."""

    def start(job: Job) -> None:
        try:
            if job.settings.spark == "emr-serverless":
                emr_serverless.run(context, job)
            else:
                folder = TemporaryFolder()
                command, environment = job.command(folder.path)
                dg.PipesSubprocessClient().run(context=context.op_execution_context, command=command, env=environment)
        except Exception:  # noqa: BLE001 - Dagster says that it failed; what the job left behind says why
            context.log.warning(f"{job.table}: the Spark job failed")

    return start
