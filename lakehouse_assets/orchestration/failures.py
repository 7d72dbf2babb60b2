"""Failed runs whose work is still pending: what `lakehouse status` shows as failed."""

import dagster as dg

from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.orchestration.work import WORK_TAG, landed_work, table_work


def of_pending_work(lake: Lake) -> list[str]:
    """Return one line per pending wave whose last runs on the same inputs failed."""
    landed = landed_work(lake)
    works = ([landed] if landed else []) + table_work(lake)
    found = []
    with dg.DagsterInstance.from_config(str(prepare_home(lake.settings))) as instance:
        for work in works:
            filters = dg.RunsFilter(tags={WORK_TAG: work.digest}, statuses=[dg.DagsterRunStatus.FAILURE])
            if runs := instance.get_runs(filters, limit=1):
                tables = ", ".join(table.replace("/", ".") for table in work.tables)
                count = instance.get_runs_count(filters)
                found.append(f"{tables}: failed {count} times on these inputs, last in run {runs[0].run_id}")
    return found
