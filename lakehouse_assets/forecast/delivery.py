"""The lake's side of the forecast: sales are read from gold, the model is kept, its forecast lands like any delivery.

So a forecast is checked, published, kept in versions and verified as every other record is, and follows from what
landed, not from when somebody trained. Not here: models; the tables of the forecast.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.forecast.predict import MODEL_FILE, parquet, predict
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta_log
from lakehouse_assets.storage.stores import StorageError

if TYPE_CHECKING:
    from lakehouse_assets.forecast.train import Trained

SALES, FORECASTS, INPUT = "sales", "sales_forecasts", "daily_group_sales"
FOLDER = "forecast/sales"


def can_be_made() -> bool:
    """Return whether the library of the extra `forecast` is installed. Does not import it."""
    return find_spec("statsmodels") is not None


@dataclass(frozen=True)
class Delivered:
    """A model and what became of its forecast.

    Attributes:
        card: The model with its card; see `train`.
        folder: Where it is kept, below the lake's root.
        landed: The object with its forecast that landed now; None where the newest one has the same.
    """

    card: dict[str, Any]
    folder: str
    landed: str | None

    @property
    def message(self) -> str:
        """What was done, in a sentence or two."""
        if self.landed:
            return f"{self.card['reason']} Its forecast landed: {self.landed}"
        version = f"the forecast of model {self.card['model_version']}" if self.card["model"] else "what landed before"
        return f"{self.card['reason']} Nothing landed; {version} stands."

    @property
    def is_champion(self) -> bool:
        """Whether the champion is published, or there is nothing to publish yet."""
        from lakehouse_assets.forecast.models import CHAMPION  # noqa: PLC0415 - numpy is of the extra

        return self.card["model"] in {None, CHAMPION}


def deliver(lake: Lake, through: dt.date | None = None) -> Delivered:
    """Train on gold as it stands, unless that model is kept, and land its forecast, unless it is the newest.

    Args:
        through: The last date to learn from; by default the last one that has ended.

    Raises:
        StorageError: The extra is not installed, or the storage refused. What landed before stands.
    """
    if not can_be_made():
        msg = (
            "The forecast needs the package statsmodels. Nothing was written; "
            "install it: pip install 'lakehouse-assets[forecast]'."
        )
        raise StorageError(msg)
    ended = lake.today(lake.registry.feed(SALES)) - dt.timedelta(days=1)
    card = _kept_model(lake, min(through or ended, ended))
    folder = f"{FOLDER}/{card['model_version']}"
    return Delivered(card, folder, _land(lake, lake.registry.feed(FORECASTS), card))


def _kept_model(lake: Lake, through: dt.date) -> dict[str, Any]:
    """Return the model of the data through a date: the kept one, or one that is trained and kept now."""
    from lakehouse_assets.forecast import train  # noqa: PLC0415

    table = lake.registry.models[INPUT].table
    version = delta_log.read(lake.store, table.path).version
    rows = read(lake, table).collect()
    folder = f"{FOLDER}/{train.version_of(rows, through)}"
    path = f"{folder}/{MODEL_FILE}"
    if lake.store.stat(path):
        kept: dict[str, Any] = json.loads(lake.store.read(path))
        return kept
    trained = _trained(lake, rows, through)
    data = trained.card["data"] | {"table": table.full_name, "table_version": version}
    lake.store.replace(f"{folder}/{train.EVALUATION_FILE}", parquet(trained.evaluation))
    lake.store.replace(path, json.dumps(trained.card | {"data": data}, indent=1).encode())
    return trained.card | {"data": data}


def _trained(lake: Lake, rows: pl.DataFrame, through: dt.date) -> "Trained":
    from lakehouse_assets.forecast import sagemaker, train  # noqa: PLC0415

    return sagemaker.train(lake, rows, through) if is_remote(lake) else train.train(rows, through)


def _predicted(lake: Lake, card: dict[str, Any]) -> pl.DataFrame:
    from lakehouse_assets.forecast import sagemaker  # noqa: PLC0415

    return sagemaker.predict(lake, card) if is_remote(lake) else predict(card)


def is_remote(lake: Lake) -> bool:
    """Return whether models are trained and asked by jobs of SageMaker, and not in this process."""
    return lake.settings.forecast_on == "sagemaker"


def _land(lake: Lake, feed: Feed, card: dict[str, Any]) -> str | None:
    """Land the forecast of a model as the newest delivery, unless it is that already, or has no rows."""
    before = [stored.path for stored in lake.store.list(f"{feed.landing}/forecast")]
    ending = f"-{card['model_version']}.parquet"
    if not card["groups"] or (before and before[-1].endswith(ending)):
        return None
    path = f"{feed.landing}/forecast/{_now():%Y-%m-%d-%H-%M-%S}{ending}"
    return path if lake.store.create(path, parquet(_predicted(lake, card))) else None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def evaluation_rows(card: dict[str, Any]) -> list[Sequence[str]]:
    """Return the figures of each model and group as texts, the published model marked, under a row of titles."""
    rows: list[Sequence[str]] = [("model", "countries", "products", "WAPE", "MASE", "in 80 %", "in 95 %")]
    for row in card["evaluation"]:
        mark = " (published)" if row["model"] == card["model"] else ""
        measures = (row["wape"], row["mase"], row["coverage_80"], row["coverage_95"])
        texts = ("" if value is None else f"{value:.3f}" for value in measures)
        rows.append((f"{row['model']}{mark}", row["country_group"], row["product_group"], *texts))
    return rows
