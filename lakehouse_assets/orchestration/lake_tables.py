"""The lake's tables as Dagster reads and writes them: the IO manager of every asset in it.

Writing is lazy: the value that an asset hands over makes its commits one after the other as they are asked for here.
Not here: what a commit holds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import dagster as dg

from lakehouse_assets.context import Lake, lake_at
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.contracts.python_function import kind_of
from lakehouse_assets.engines.handing_over import as_kind
from lakehouse_assets.orchestration.events import together
from lakehouse_assets.pipeline.reading import read

_DEFER_TAG = "dagster/defer_asset_events"


class Commits:
    """The commits of one table in one run, not made yet.

    Each step makes one: it opens the tables, reads its inputs, and commits with the fingerprints of what it read; when
    another writer was first, it computes again. What a later commit raises does not hide the events of earlier ones:
    it is kept for `finish`.
    """

    def __init__(self, made: Iterator[list[dg.AssetMaterialization]]) -> None:
        self._made = made
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[list[dg.AssetMaterialization]]:
        try:
            yield from self._made
        except Exception as error:  # noqa: BLE001 - raised again by `finish`
            self._error = error

    def finish(self) -> None:
        """Raise what ended the commits early, if anything did."""
        if self._error is not None:
            raise self._error


class LakeTables(dg.ConfigurableIOManager):
    """Reads and writes tables of the lake at a root: a folder or S3.

    An input is read lazily, the partitions asked for only, as the type in its annotation: `pl.LazyFrame` (also without
    annotation), `pl.DataFrame`, `pa.Table` or `duckdb.DuckDBPyRelation`.
    """

    root: str

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:  # noqa: ANN401 - as declared by Dagster
        """Make the commits of a table and record a materialization for each partition that was published."""
        if obj is None:
            return
        if not isinstance(obj, Commits):
            msg = (
                f"{context.asset_key.to_user_string()} returns {type(obj).__name__}, but declares no table to store it "
                "in. Nothing was written; declare a schema in its metadata, or return nothing."
            )
            raise dg.Failure(msg, allow_retries=False)
        for materializations in obj:
            with together(context.step_context.instance):
                for materialization in materializations:
                    context.log_event(materialization)

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ANN401 - whatever the annotation asks for
        """Return a table of any layer, lazily: the partitions that the run asks for, or all."""
        name = ".".join(context.asset_key.path)
        partitions = context.asset_partition_keys if context.has_asset_partitions else None
        lake = self.lake()
        try:
            kind = kind_of(context.dagster_type.typing_type)
            return as_kind(kind, name, read(lake, lake.registry.table(name), partitions))
        except ContractError as error:
            msg = f"the input {context.name!r}: {error}"
            raise dg.Failure(msg, allow_retries=False) from None

    def lake(self) -> Lake:
        """Return the lake. Does no I/O."""
        return lake_at(self.root)


@contextmanager
def only_own_events(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Have Dagster record no materialization of its own while an output is written.

    It would record one for each partition that the run was asked for, also for held ones; `Commits` says exactly which
    were published. The tag is Dagster's own for assets whose events somebody else reports. It is read from the run as
    this process knows it, and taken back, for other assets of the same run.
    """
    tags = cast("dict[str, str]", context.run.tags)
    tags[_DEFER_TAG] = "true"
    try:
        yield
    finally:
        del tags[_DEFER_TAG]
