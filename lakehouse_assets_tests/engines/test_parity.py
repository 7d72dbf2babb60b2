"""Every gold model gives the same rows on DuckDB and on Spark, over tables made to find differences.

On Sail, the empty tables and three examples of each model; `FAULTS=all`: 40, and on Spark in a JVM, too.
"""

import os
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets_tests.engines.edge_cases import frames
from lakehouse_assets_tests.engines.parity import assert_equal
from lakehouse_assets_tests.engines.spark_engine import ENGINES, PYTHON, SparkEngine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Spark is not installed: make .venv/spark"),
]
REGISTRY = registry_of("lakehouse_assets.defs")
MODELS = sorted(name for name, model in REGISTRY.models.items() if model.sql is not None)
EXAMPLES = 40 if os.environ.get("FAULTS") == "all" else 3


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkEngine]:
    with SparkEngine(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_same_rows(name: str, engine: SparkEngine) -> None:
    model = REGISTRY.models[name]
    upstream = {table: REGISTRY.table(table) for table in model.upstream}
    empty = {name: pl.DataFrame(schema=table.types) for name, table in upstream.items()}
    assert_equal(model, empty, engine)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.fixed_dictionaries({name: frames(table) for name, table in upstream.items()}))
    def same(tables: dict[str, pl.DataFrame]) -> None:
        assert_equal(model, tables, engine)

    same()
