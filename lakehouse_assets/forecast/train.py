"""The script `train`: from daily sales to a model and its evaluation, as two files.

    python -m lakehouse_assets.forecast.train --train FOLDER_OF_PARQUET --model-dir FOLDER

The same data and code give the same files. SageMaker runs this file, too, and names the folders by `SM_...`.
Not here: where data come from and where models are kept.
"""

import argparse
import datetime as dt
import hashlib
import json
import math
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets.forecast.backtest import (
    HORIZON_DAYS,
    LEVELS,
    backtest,
    by_date,
    figures,
    half_width,
    relative_errors,
)
from lakehouse_assets.forecast.models import BASELINES, CHAMPION, CODE_VERSION, SEASONAL_NAIVE, weekly
from lakehouse_assets.forecast.predict import MODEL_FILE
from lakehouse_assets.forecast.series import History, history_of

FEWEST_DAYS = 56
LEAST_LEAD = 0.05
"""By how much, as a share, the champion's WAPE has to be below that of seasonal naive, which costs nothing.

Two standard deviations of the lead on the 305 real days, had the weeks of the backtest been others (docs/insight.md): a
smaller one may be luck.
"""
EVALUATION_FILE = "evaluation.parquet"
_FEATURES = [
    "net sales of the group on open dates of the last 52 weeks, by weekday",
    "weekdays with sales on at least half of their last eight dates; the others are closed",
    "closures of a week or more a year before, which are expected on the same dates",
]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Trained:
    """A model with its card, as JSON holds it, and the backtest's points behind its figures."""

    card: dict[str, Any]
    evaluation: pl.DataFrame


def train(rows: pl.DataFrame, through: dt.date | None = None) -> Trained:
    """Compare the models on the past, and fit the one that is to be published.

    Args:
        rows: Columns `dt`, `country_group`, `product_group`, `net`.
        through: The last date to learn from.
    """
    history = history_of(rows, through)
    card = _described(history)
    if reason := too_little(history):
        nothing: dict[str, Any] = {"model": None, "reason": reason, "evaluation": [], "groups": []}
        return Trained(card | nothing, backtest(history_of(rows.clear())))
    points = backtest(history)
    overall = figures(points, ["model"])
    chosen, reason = _chosen({row["model"]: math.inf if row["wape"] is None else row["wape"] for row in overall})
    found = {
        "model": chosen,
        "reason": reason,
        "least_lead": LEAST_LEAD,
        "evaluation": [
            *({**row, "country_group": "all", "product_group": "all"} for row in overall),
            *figures(points, ["country_group", "product_group", "model"]),
        ],
        "groups": _groups(history, points.filter(pl.col("model") == chosen), chosen),
    }
    return Trained(card | found, points)


def version_of(rows: pl.DataFrame, through: dt.date | None = None) -> str:
    """Return the identity of the model that some rows give: of the data up to the date, and of the code."""
    return str(_described(history_of(rows, through))["model_version"])


def _described(history: History) -> dict[str, Any]:
    values = [(*group, str(date), net) for group, days in history.net.items() for date, net in days.items()]
    fingerprint = hashlib.sha256(json.dumps(sorted(values)).encode()).hexdigest()
    code = {"code": CODE_VERSION, "statsmodels": version("statsmodels")}
    data = {
        "first": str(history.first) if values else None,
        "last": str(history.through) if values else None,
        "rows": len(values),
        "open_dates": len(history.open_dates),
        "sha256": fingerprint,
    }
    return {
        "model_version": hashlib.sha256(json.dumps([fingerprint, code]).encode()).hexdigest()[:12],
        "trained_through": data["last"],
        "horizon_days": HORIZON_DAYS,
        "data": data,
        "code": code,
        "features": _FEATURES,
        "closed_weekdays": [name for day, name in enumerate(_WEEKDAYS) if values and day not in history.open_weekdays],
        "expected_dates": [str(date) for date in history.expected(HORIZON_DAYS)] if values else [],
    }


def too_little(history: History) -> str | None:
    """Return why there can be no forecast, and what it needs; None where there can."""
    if history.net and history.days >= FEWEST_DAYS and history.open_weekdays:
        return None
    have = history.days if history.net else 0
    what = f"There are {have} days of sales" if have < FEWEST_DAYS else "No weekday has sales on half of its dates"
    return f"No forecast: it needs {FEWEST_DAYS} days (8 weeks) of sales on regular weekdays. {what}."


def _chosen(wape: dict[str, float]) -> tuple[str, str]:
    """Return the model to publish and why: the champion if it is better by enough, otherwise the better baseline."""
    best, naive = min(BASELINES, key=lambda name: (wape[name], name)), wape[SEASONAL_NAIVE]
    lead = 1 - wape[CHAMPION] / naive if 0 < naive < math.inf else 0.0
    told = f"its WAPE is {lead:.1%} below the {SEASONAL_NAIVE}'s, and {LEAST_LEAD:.0%} are wanted"
    if wape[CHAMPION] >= wape[best]:
        one, other = f"{CHAMPION} (WAPE {wape[CHAMPION]:.3f})", f"{best} ({wape[best]:.3f})"
        return best, f"The {one} does not beat the {other}, which is published."
    if lead < LEAST_LEAD:
        return best, f"The {CHAMPION} does not lead by enough: {told}. The {best} is published."
    return CHAMPION, f"The {CHAMPION} beats both baselines; {told}."


def _groups(history: History, points: pl.DataFrame, model: str) -> list[dict[str, Any]]:
    """Return for each group its forecast by date, and the half widths of its intervals, pounds."""
    dates, found = history.expected(HORIZON_DAYS), []
    for country, product in sorted(history.net):
        group = country, product
        week = [float(value) for value in weekly(history.weeks(group))[model]]
        own = points.filter(pl.col("country_group") == country, pl.col("product_group") == product)
        errors, level = relative_errors(own), history.level(group)
        halves = {str(at): None if (half := half_width(errors, at)) is None else half * level for at in LEVELS}
        net = {str(date): value for date, value in by_date(history, week, dates).items()}
        found.append({"country_group": country, "product_group": product, "net": net, "half": halves})
    return found


def main() -> None:
    """Read every Parquet file of a folder, train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAINING"), help="folder with Parquet files")
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"), help="folder for the model")
    parser.add_argument("--through", type=dt.date.fromisoformat, help="last date to learn from")
    arguments = parser.parse_args()
    if not arguments.train or not arguments.model_dir:
        parser.error("--train and --model-dir are needed where SageMaker does not set them")
    write(train(pl.read_parquet(Path(arguments.train) / "*.parquet"), arguments.through), Path(arguments.model_dir))


def write(trained: Trained, folder: Path) -> None:
    """Write a model and its evaluation into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    trained.evaluation.write_parquet(folder / EVALUATION_FILE)
    (folder / MODEL_FILE).write_text(json.dumps(trained.card, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
