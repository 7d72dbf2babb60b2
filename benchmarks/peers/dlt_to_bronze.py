"""dlt by its own means, to bronze: zips read as Arrow tables of text, loaded as Parquet into a folder.

What follows bronze is left to dbt or SQL in a database there, so it makes no silver and no gold. Run by a Python that
has only dlt.
"""

import json
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import dlt
import pyarrow as pa
from pyarrow import csv

from benchmarks import STARTED

RAW = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


def sales(landing: Path) -> Iterator[pa.Table]:
    """Yield the lines of each CSV as texts."""
    texts = csv.ConvertOptions(column_types=dict.fromkeys(RAW, pa.string()), strings_can_be_null=True, null_values=[""])
    for path in sorted(landing.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as data:
                    yield csv.read_csv(data, convert_options=texts)


def run(landing: Path, lake: Path) -> None:
    """Load every zip of a folder."""
    pipeline = dlt.pipeline(
        "sales",
        pipelines_dir=str(lake / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=lake.as_uri()),
        dataset_name="bronze",
    )
    found = dlt.resource(sales(landing), name="sales", write_disposition="append")
    pipeline.run(found, loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    imported = time.monotonic() - float(os.environ[STARTED])
    run(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"imports": imported}), encoding="utf-8")
