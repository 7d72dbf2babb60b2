"""A forecast learns nothing from the future, knows when the shop is closed, and says how good it is."""

import datetime as dt
import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lakehouse_assets.forecast import backtest, models, train
from lakehouse_assets.forecast.models import BASELINES, CHAMPION, SEASONAL_NAIVE, SMOOTHING
from lakehouse_assets.forecast.predict import MODEL_FILE, predict
from lakehouse_assets.forecast.predict import main as predict_main
from lakehouse_assets.forecast.series import Weeks, history_of
from lakehouse_assets_tests.forecast.days import FIRST, GROUP, SATURDAY, sales

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _quick_smoothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smoothing takes most of the time, and these tests are about something else."""
    monkeypatch.setattr(models, "_smoothed", lambda weeks: weeks[-4:].mean(axis=0))


def test_what_comes_after_the_date_of_training_moves_nothing() -> None:
    through = FIRST + 99 * DAY
    rows = sales(140)
    planted = rows.with_columns(net=pl.when(pl.col("dt") > through).then(1e9).otherwise("net"))
    also_new = pl.concat([planted, planted.filter(pl.col("dt") > through).with_columns(product_group=pl.lit("new"))])
    found = [train.train(one, through) for one in (rows, planted, also_new, rows.filter(pl.col("dt") <= through))]
    assert all(one.card == found[0].card and one.evaluation.equals(found[0].evaluation) for one in found)


def test_what_comes_after_an_origin_moves_neither_its_forecast_nor_its_intervals() -> None:
    rows, origin = sales(140), FIRST + 97 * DAY
    planted = rows.with_columns(net=pl.when(pl.col("dt") > origin).then(-5e6).otherwise("net"))
    said = [
        train.train(one, FIRST + 139 * DAY).evaluation.filter(pl.col("origin") <= origin).drop("actual")
        for one in (rows, planted)
    ]
    assert said[0].height > 500
    assert said[0].equals(said[1])


def test_the_same_data_give_the_same_files(tmp_path: Path) -> None:
    rows = sales(100)
    for name, frame in (("a", rows), ("b", rows.sample(fraction=1.0, shuffle=True, seed=3))):
        train.write(train.train(frame), tmp_path / name)
    for file in (MODEL_FILE, train.EVALUATION_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_another_value_or_another_code_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, through = sales(80), FIRST + 70 * DAY
    before = train.version_of(rows, through)
    assert before == train.train(rows, through).card["model_version"]
    assert before == train.version_of(rows.filter(pl.col("dt") <= through))
    assert before != train.version_of(rows.with_columns(pl.col("net") + 0.0001), through)
    monkeypatch.setattr(train, "CODE_VERSION", models.CODE_VERSION + 1)
    assert before != train.version_of(rows, through)


def test_weekdays_without_sales_are_closed() -> None:
    card = train.train(sales(100)).card
    dates = predict(card)["date"]
    assert card["closed_weekdays"] == ["Saturday"]
    assert len(dates) == 24
    assert SATURDAY not in {date.weekday() for date in dates}


def test_one_open_saturday_does_not_open_the_others_and_one_closed_monday_does_not_close_them() -> None:
    extra = pl.DataFrame({"dt": [FIRST + 96 * DAY], **GROUP, "net": [50.0]})
    rows = pl.concat([sales(100).filter(pl.col("dt") != FIRST + 91 * DAY), extra])
    assert history_of(rows).open_weekdays == frozenset(range(7)) - {SATURDAY}


def test_a_long_closure_is_expected_a_year_later_and_a_short_one_is_not() -> None:
    long = [dt.date(2025, 12, 24) + at * DAY for at in range(11)]
    short = [dt.date(2025, 12, 8), dt.date(2025, 12, 9)]
    rows = sales(700).filter(~pl.col("dt").is_in(long + short))
    through = dt.date(2026, 12, 2)
    expected = history_of(rows, through).expected(34)
    assert dt.date(2026, 12, 8) in expected
    assert [date for date in expected if dt.date(2026, 12, 23) <= date] == [
        dt.date(2026, 12, 23), dt.date(2027, 1, 4), dt.date(2027, 1, 5),
    ]  # fmt: skip


def test_a_closure_that_nobody_foresaw_is_an_error_of_the_backtest() -> None:
    closed = FIRST + 91 * DAY
    points = train.train(sales(100, noise=0).filter(pl.col("dt") != closed)).evaluation
    of_that_day = points.filter(pl.col("date") == closed)
    assert set(of_that_day["actual"]) == {0.0}
    assert of_that_day["forecast"].min() == pytest.approx(1000)


def test_figures_equal_what_plain_python_makes_of_the_points() -> None:
    rows = pl.concat([sales(130), sales(130, seed=8, growth=5).with_columns(product_group=pl.lit("other"))])
    trained = train.train(rows)
    errors, actuals, scaled, inside = (defaultdict[str, list[Any]](list) for _ in range(4))
    net = {(row["product_group"], row["dt"]): row["net"] for row in rows.iter_rows(named=True)}
    for point in trained.evaluation.iter_rows(named=True):
        model, product, origin = point["model"], point["product_group"], point["origin"]
        error = abs(net[product, point["date"]] - point["forecast"])
        known = [date for group, date in net if group == product and date <= origin]
        changes = [abs(net[product, d] - net[product, d - 7 * DAY]) for d in known if (product, d - 7 * DAY) in net]
        errors[model].append(error)
        actuals[model].append(abs(net[product, point["date"]]))
        scaled[model].append(error / (sum(changes) / len(changes)))
        if point["half_80"] is not None:
            inside[model].append(error <= point["half_80"])
    overall = {row["model"]: row for row in trained.card["evaluation"] if row["product_group"] == "all"}
    assert overall.keys() == {CHAMPION, *BASELINES}
    for model, row in overall.items():
        assert row["points"] == len(errors[model])
        assert row["wape"] == pytest.approx(sum(errors[model]) / sum(actuals[model]))
        assert row["mase"] == pytest.approx(sum(scaled[model]) / len(scaled[model]))
        assert row["coverage_80"] == pytest.approx(sum(inside[model]) / len(inside[model]))


def test_the_seasonal_naive_forecast_is_the_week_before() -> None:
    rows = sales(100)
    net = dict(rows.select("dt", "net").iter_rows())
    points = train.train(rows).evaluation.filter(pl.col("model") == SEASONAL_NAIVE)
    for point in points.filter(pl.col("date") <= pl.col("origin") + pl.duration(days=7)).iter_rows(named=True):
        assert point["forecast"] == net[point["date"] - 7 * DAY]


@pytest.mark.slow
def test_intervals_hold_as_many_dates_as_they_say_where_noise_is_known() -> None:
    groups = [sales(230, noise=120, seed=at).with_columns(product_group=pl.lit(f"group {at}")) for at in range(6)]
    card = train.train(pl.concat(groups)).card
    row = next(row for row in card["evaluation"] if row["model"] == CHAMPION)
    assert row["coverage_80"] == pytest.approx(0.80, abs=0.05)
    assert row["coverage_95"] == pytest.approx(0.95, abs=0.03)
    half = {level: float(np.mean([group["half"][level] for group in card["groups"]])) for level in ("80", "95")}
    assert half["80"] == pytest.approx(1.2816 * 120, rel=0.15)
    assert half["95"] == pytest.approx(1.96 * 120, rel=0.15)


def test_a_rank_for_few_errors_is_on_the_safe_side() -> None:
    errors = [float(at) for at in range(1, 21)]
    assert backtest.half_width(errors, 80) == 17
    assert backtest.half_width(errors, 95) == 20
    assert backtest.half_width(errors[:19], 80) is None


def _of_last_week(weeks: Weeks) -> dict[str, Weeks]:
    good = weeks.mean(axis=0)
    return {SEASONAL_NAIVE: weeks[-1], SMOOTHING: good, CHAMPION: good + 500}


def test_a_champion_that_loses_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backtest, train):
        monkeypatch.setattr(module, "weekly", _of_last_week)
    card = train.train(sales(120)).card
    assert card["model"] == SMOOTHING
    assert "does not beat the exponential smoothing" in card["reason"]
    assert set(predict(card)["model"]) == {SMOOTHING}


@pytest.mark.parametrize(
    ("champion", "naive", "smoothing", "published", "why"),
    [
        (0.40, 0.50, 0.41, CHAMPION, "beats both baselines; its WAPE is 20.0% below the seasonal naive's, and 5% are"),
        (0.475, 0.50, 0.49, CHAMPION, "its WAPE is 5.0% below"),
        (
            0.48,
            0.50,
            0.49,
            SMOOTHING,
            "does not lead by enough: its WAPE is 4.0% below the seasonal naive's, and 5% are",
        ),
        (0.48, 0.50, 0.51, SEASONAL_NAIVE, "The seasonal naive is published."),
        (0.40, 0.50, 0.40, SMOOTHING, "(WAPE 0.400) does not beat the exponential smoothing (0.400)"),
        (0.0, 0.0, 0.0, SMOOTHING, "does not beat"),
        (math.inf, math.inf, math.inf, SMOOTHING, "does not beat"),
    ],
)
def test_the_champion_has_to_lead_by_a_margin(
    champion: float, naive: float, smoothing: float, published: str, why: str
) -> None:
    said = train._chosen({CHAMPION: champion, SEASONAL_NAIVE: naive, SMOOTHING: smoothing})
    assert said[0] == published
    assert why in said[1]


@pytest.mark.parametrize("days", [0, 1, 30, 55])
def test_too_little_data_gives_no_forecast_and_says_what_it_needs(days: int) -> None:
    trained = train.train(sales(60).head(0) if days == 0 else sales(60), FIRST + (days - 1) * DAY)
    assert predict(trained.card).height == trained.evaluation.height == 0
    assert trained.card["model"] is None
    assert trained.card["reason"].startswith("No forecast: it needs 56 days (8 weeks) of sales")
    assert trained.card["reason"].endswith(f"There are {days} days of sales.")


def test_eight_weeks_are_enough_and_nothing_but_zeros_is_forecast_as_zero() -> None:
    assert predict(train.train(sales(56)).card).height == 24
    zeros = predict(train.train(sales(70).with_columns(net=pl.lit(0.0))).card)
    assert set(zeros["net"].cast(pl.Float64)) == {0.0}


def test_sales_on_few_days_of_the_year_are_no_regular_weekdays() -> None:
    rows = sales(200).filter(pl.col("dt").dt.day() == 1)
    assert "No weekday has sales on half of its dates" in train.train(rows).card["reason"]


def test_returns_that_exceed_sales_are_forecast_as_well() -> None:
    rows = sales(100).with_columns(net=pl.when(pl.col("dt").dt.day() == 3).then(-20_000.0).otherwise("net"))
    net = [float(value) for value in predict(train.train(rows).card)["net"]]
    assert len(net) == 24
    assert all(map(math.isfinite, net))


def test_the_scripts_do_the_same_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sales(60)
    data, model, out = tmp_path / "data", tmp_path / "model", tmp_path / "forecast.parquet"
    data.mkdir()
    rows.head(30).write_parquet(data / "a.parquet")
    rows.tail(-30).write_parquet(data / "b.parquet")
    monkeypatch.setenv("SM_CHANNEL_TRAINING", str(data))
    monkeypatch.setattr(sys, "argv", ["train", "--model-dir", str(model)])
    train.main()
    monkeypatch.setattr(sys, "argv", ["predict", "--model-dir", str(model), "--out", str(out)])
    predict_main()
    trained = train.train(rows)
    assert json.loads((model / MODEL_FILE).read_text()) == trained.card
    assert pl.read_parquet(out).equals(predict(trained.card))
