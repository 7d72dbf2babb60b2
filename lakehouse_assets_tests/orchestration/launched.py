"""A run as a launcher has it executed: made from a request, loaded from its code location, with its executor."""

from functools import cache

import dagster as dg
from dagster._core.code_pointer import CustomPointer, ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run

from lakehouse_assets.context import lake_at
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.orchestration.pending_runs import REFRESH
from lakehouse_assets_tests.orchestration.daemon import RUN_KEY

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@cache
def code_location(root: str) -> dg.RepositoryDefinition:
    """Return the code location of the lake at a root, made once, as a module is loaded once."""
    return definitions(lake_at(root)).get_repository_def()


def launched(instance: dg.DagsterInstance, root: str, request: dg.RunRequest, **tags: str) -> dg.DagsterRun:
    """Execute a request in this process, and return its run as it ended. Nothing is raised if it fails."""
    pointer = CustomPointer(ModuleCodePointer(__name__, code_location.__name__), [root], [])
    job = ReconstructableRepository(pointer).get_reconstructable_job(REFRESH)
    run = instance.create_run_for_job(
        job.get_definition(),
        run_config={**request.run_config, **_QUIET},
        tags={**request.tags, **({RUN_KEY: request.run_key} if request.run_key else {}), **tags},
        asset_selection=frozenset(request.asset_selection or ()),
        job_code_origin=job.get_python_origin(),
    )
    execute_run(job, run, instance)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended
