"""What forked processes of `lakehouse` find imported and read: importing this module does it, in their server.

That is everything that a command imports, but the declarations: which ones there are depends on the environment.
Nothing here may begin a thread: a process that has several cannot be forked.
"""

import importlib

from lakehouse_assets_tests import migrations

MODULES = [
    "lakehouse_assets_tests.forked",
    "lakehouse_assets_tests.faults.killed",
    "lakehouse_assets.alerts.derive",
    "lakehouse_assets.alerts.error_log",
    "lakehouse_assets.alerts.telling",
    "lakehouse_assets.cli.render",
    "lakehouse_assets.contracts.columns",
    "lakehouse_assets.operations.computing",
    "lakehouse_assets.orchestration.event_log",
    "lakehouse_assets.orchestration.location",
    "lakehouse_assets.orchestration.runner",
    "lakehouse_assets.orchestration.progress",
    "lakehouse_assets.query.overview",
    "lakehouse_assets.query.plan",
    "lakehouse_assets.query.verify",
    "lakehouse_assets.storage.delta_table",
    "alembic.command",
    "dagster._core.definitions.repository_definition.repository_data_builder",
    "dagster._core.execution.execute_in_process",
    "dagster._core.execution.telemetry",
    "dagster._core.instance.factory",
    "dagster._core.secrets.env_file",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.runs.sqlite",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
    "dagster._core.workspace.load",
    "dagster._daemon.asset_daemon",
    "duckdb",
    "boto3",
    "pyarrow.compute",
    "rich._emoji_codes",
    "sqlglot.dialects.duckdb",
    "structlog",
    "upath.implementations.local",
    "watchdog.observers.polling",
    "pygments.lexers",
]

for _name in MODULES:
    importlib.import_module(_name)
migrations.read()
