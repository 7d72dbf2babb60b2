"""Dagster's Postgres storage with connections that are kept. Named by `deploy/dagster.yaml`, and imported by it alone.

The original opens a connection for each statement, and an event of a date takes three to five of them: five times the
CPU of an event, most of it in the database, which starts a process for each connection. Nothing else differs.
"""

from typing import Any, Self

from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config

_KEPT, _RECYCLE_S = 2, 600


class KeptPostgresStorage(DagsterPostgresStorage):
    """The original, except that all of a process shares one pool: two connections stay open, others as needed.

    A connection is tried before it is used, so a database that was restarted is not noticed.
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,  # noqa: FBT001, FBT002 - as the original
        inst_data: Any = None,  # noqa: ANN401 - as the original
        token_provider: Any = None,  # noqa: ANN401 - as the original
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        engine = create_pg_engine(
            postgres_url,
            token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=_KEPT,
            max_overflow=-1,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_S,
        )
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine  # noqa: SLF001 - there is no public way but the one for web servers

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:  # noqa: ANN401 - as the original
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )
