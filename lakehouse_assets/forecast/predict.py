"""The script `predict`: from a model to the rows of a forecast.

    python -m lakehouse_assets.forecast.predict --model-dir FOLDER --out FILE.parquet

It needs the model alone, and of this package nothing. The four functions whose names end with `_fn` are those that a
container of SageMaker for scripts calls, in batch transform as behind an endpoint. Not here: training.
"""

import argparse
import datetime as dt
import io
import json
import os
from pathlib import Path
from typing import Any

import polars as pl

MODEL_FILE = "model.json"
PARQUET = "application/x-parquet"
_AMOUNT = pl.Decimal(18, 2)
_AMOUNTS = ("net", "low_80", "high_80", "low_95", "high_95")
SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "country_group": pl.String(),
    "product_group": pl.String(),
    **dict.fromkeys(_AMOUNTS, _AMOUNT),
    "model": pl.String(),
    "model_version": pl.String(),
    "trained_through": pl.Date(),
}


def predict(card: dict[str, Any]) -> pl.DataFrame:
    """Return the forecast of a model: a row for each expected open date and group; none without a model.

    Args:
        card: What `train` returned, or its file.

    Returns:
        Columns as `SCHEMA`, amounts in pounds, rounded to pence. Bounds are null where a group is too new to have any.
    """
    rows = [
        {
            "date": dt.date.fromisoformat(date),
            "country_group": group["country_group"],
            "product_group": group["product_group"],
            "net": net,
            **_bounds(net, group["half"]),
            "model": card["model"],
            "model_version": card["model_version"],
            "trained_through": dt.date.fromisoformat(card["trained_through"]),
        }
        for group in card["groups"]
        for date, net in group["net"].items()
    ]
    read = SCHEMA | dict.fromkeys(_AMOUNTS, pl.Float64())
    found = pl.DataFrame(rows, read).with_columns(pl.col(_AMOUNTS).round(2).cast(_AMOUNT))
    return found.sort("date", "country_group", "product_group")


def _bounds(net: float, half: dict[str, float | None]) -> dict[str, float | None]:
    bounds: dict[str, float | None] = {}
    for level, width in half.items():
        bounds[f"low_{level}"] = None if width is None else net - width
        bounds[f"high_{level}"] = None if width is None else net + width
    return bounds


def parquet(rows: pl.DataFrame) -> bytes:
    """Return rows as a Parquet file."""
    file = io.BytesIO()
    rows.write_parquet(file)
    return file.getvalue()


def model_fn(model_dir: str) -> dict[str, Any]:
    """Return the model in a folder."""
    card: dict[str, Any] = json.loads((Path(model_dir) / MODEL_FILE).read_text(encoding="utf-8"))
    return card


def input_fn(body: str | bytes, content_type: str) -> str:  # noqa: ARG001 - the caller gives both
    """Return the version of the model that is asked, from `{"model_version": ...}`."""
    return str(json.loads(body)["model_version"])


def predict_fn(model_version: str, card: dict[str, Any]) -> pl.DataFrame:
    """Return the forecast of a model, if it is the one that is asked."""
    if model_version != card["model_version"]:
        msg = f"This is the model {card['model_version']}, and {model_version} was asked. Nothing is forecast."
        raise ValueError(msg)
    return predict(card)


def output_fn(forecast: pl.DataFrame, accept: str) -> tuple[bytes, str]:  # noqa: ARG001 - the caller gives both
    """Return a forecast as a file, and its type."""
    return parquet(forecast), PARQUET


def main() -> None:
    """Read a model and write its forecast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"), help="folder of the model")
    folder = os.environ.get("SM_OUTPUT_DATA_DIR")
    parser.add_argument("--out", default=folder and f"{folder}/forecast.parquet", help="Parquet file to write")
    arguments = parser.parse_args()
    if not arguments.model_dir or not arguments.out:
        parser.error("--model-dir and --out are needed where SageMaker does not set them")
    Path(arguments.out).write_bytes(parquet(predict(model_fn(arguments.model_dir))))


if __name__ == "__main__":
    main()
