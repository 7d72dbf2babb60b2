"""Dagster's storage on a real Postgres, with connections that are kept."""

import uuid
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from sqlalchemy import event

from lakehouse_assets.orchestration.postgres_storage import KeptPostgresStorage
from lakehouse_assets_tests.orchestration.postgres import Postgres

pytestmark = pytest.mark.slow


def test_events_take_no_connection_each_and_a_restart_is_not_noticed(postgres: Postgres, tmp_path: Path) -> None:
    postgres.configure(tmp_path, f"d{uuid.uuid4().hex}")
    config = yaml.safe_load((tmp_path / "dagster.yaml").read_text())
    kept = {
        "module": KeptPostgresStorage.__module__,
        "class": "KeptPostgresStorage",
        "config": config["storage"]["postgres"],
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config | {"storage": {"custom": kept}}))
    opened: list[object] = []
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage: Any = instance.event_log_storage
        event.listen(storage._engine, "connect", lambda *found: opened.append(found))
        for number in range(10):
            instance.report_runless_asset_event(dg.AssetMaterialization("table", partition=f"2024-01-{number + 1:02}"))
        assert instance.get_runs_count() == 0
        assert 0 < len(opened) <= 2

        postgres.kill()
        postgres.start()
        assert len(instance.get_materialized_partitions(dg.AssetKey("table"))) == 10
