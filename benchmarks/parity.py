"""Gold models on several engines over the tables of a lake: `python -m benchmarks.parity ROOT [--engines sail,jvm]`.

Each SQL model is computed by DuckDB and, translated, by each engine, from the same rows. Printed by model: how many
rows it reads and makes, and for each engine whether these are DuckDB's to the last digit, or what differs first.
Nothing is written. Exits with 1 where rows differ. Needs `make .venv/spark`; for `jvm`, Java 17.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lakehouse_assets.context import lake_at
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.query.tables import frames
from lakehouse_assets_tests.engines.parity import Tables, assert_equal
from lakehouse_assets_tests.engines.spark_engine import SparkEngine, SparkError


def main() -> None:
    """Compare, and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("root", help="folder or s3://bucket/prefix of the lake")
    parser.add_argument("--engines", default="sail", help="sail, jvm, or both with a comma between them")
    given = parser.parse_args()
    lake, names = lake_at(given.root), given.engines.split(",")
    stored, differ = frames(lake), False
    print("|".join(["", " model ", " rows read ", " rows ", *(f" {name} " for name in names), ""]))
    print("|".join(["", " --- ", " --: ", " --: ", *(" --- " for _ in names), ""]))
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lakehouse-parity-")))
        engines = [opened.enter_context(SparkEngine(name, folder / name)) for name in names]
        for name, model in sorted(lake.registry.models.items()):
            if model.sql is None:
                continue
            tables = {n: stored[n].select(list(lake.registry.table(n).columns)).collect() for n in model.upstream}
            answers = [_compared(model, tables, engine) for engine in engines]
            differ |= any(rows is None for rows, _ in answers)
            read = sum(table.height for table in tables.values())
            rows = next((f"{rows:,}" for rows, _ in answers if rows is not None), "?")
            print(
                "|".join(["", f" `{name}` ", f" {read:,} ", f" {rows} ", *(f" {text} " for _, text in answers), ""]),
                flush=True,
            )
    sys.exit(int(differ))


def _compared(model: Model, tables: Tables, engine: SparkEngine) -> tuple[int | None, str]:
    """Return how many rows are equal, None if some are not; and what to say of it."""
    began = time.monotonic()
    try:
        rows = assert_equal(model, tables, engine)
    except (AssertionError, SparkError) as difference:
        return None, " ".join(str(difference).split())[:200].replace("|", "/")
    return rows, f"equal, {time.monotonic() - began:.1f} s"


if __name__ == "__main__":
    main()
