"""A lake whose gold table is computed by Spark, in this machine's Python that has it. Not here: the tests."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

_OWN = Path(sys.prefix) / "spark" / "bin" / "python"
PYTHON = str(_OWN) if _OWN.exists() else sys.executable
needs_spark = pytest.mark.skipif(
    not _OWN.exists() and importlib.util.find_spec("pysail") is None, reason="no Spark is installed: make .venv/spark"
)


def on(place: str, **others: Any) -> dict[str, Any]:
    """Return the settings of a lake whose Spark runs somewhere."""
    return {"spark": place, "spark_python": PYTHON, **others}
