"""What a feed declares of how its objects are written is checked when it is declared, and is part of its versions."""

from collections.abc import Callable
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.contracts.declare import (
    Contract,
    ContractError,
    Csv,
    Excel,
    Feed,
    FixedWidth,
    Format,
    Json,
    source,
)

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "an encoding that nobody knows": (lambda: Csv(encoding="windows-roman"), "encoding='windows-roman'.*knows no text"),
    "a codec that is no text encoding": (lambda: Json(encoding="hex"), "encoding='hex'.*knows no text"),
    "an encoding of fixed width": (lambda: FixedWidth({"a": 1}, encoding="x"), r"FixedWidth\(encoding='x'"),
    "a delimiter of two characters": (
        lambda: Csv(delimiter="||"),
        r"Csv\(delimiter='\|\|'\): it must be one character",
    ),
    "no delimiter": (lambda: Csv(delimiter=""), "delimiter=''"),
    "a quote of two characters": (lambda: Csv(quote='""'), "it must be one character"),
    "a line end for a quote": (lambda: Csv(quote="\n"), "no line end"),
    "one character for two": (lambda: Csv(delimiter="'", quote="'"), "the delimiter is the same character"),
    "a header without names": (lambda: Csv(header=()), "must name every field"),
    "a header with a blank name": (lambda: Csv(header=("a", " ")), "must name every field"),
    "a header that is one text": (lambda: Csv(header="ab"), "must name every field"),  # type: ignore[arg-type]
    "a name twice": (lambda: Csv(header=("a", "b", "a ")), "'a' is there twice"),
    "a name twice in a sheet": (lambda: Excel(header=("a", "a")), r"Excel\(header=...\): the name 'a'"),
    "no fields": (lambda: FixedWidth({}), "must name every field"),
    "a width of nothing": (lambda: FixedWidth({"a": 0, "b": 2}), "a number of characters from 1"),
    "an open field that is not the last": (lambda: FixedWidth({"a": None, "b": 2}), "only the last one may be None"),
    "fewer lines than none": (lambda: FixedWidth({"a": 1}, skip_lines=-1), "skip_lines=-1"),
    "a path with a gap": (lambda: Json(records="data..items"), "names joined by dots"),
    "no path": (lambda: Json(records=""), "names joined by dots"),
    "a decimal point of another kind": (lambda: source("a", decimal="·"), "decimal='·' must be"),
    "thousands of two characters": (lambda: source("a", thousands=", "), "thousands=', ' must be one character"),
    "a digit between thousands": (lambda: source("a", thousands="0"), "no letter or digit"),
    "a word for a missing value that is no tuple": (lambda: source("a", missing="NA"), "missing='NA' must be a tuple"),  # type: ignore[arg-type]
    "a column of bronze without a name": (lambda: source("", "a"), r'such as source\("unnamed", ""\)'),
    "a blank word for a missing value": (lambda: source("a", missing=("NA", " ")), "texts that are not blank"),
    "one character for decimals and thousands": (lambda: source("a", decimal=",", thousands=","), "another one than"),
}


@pytest.mark.parametrize(("declare", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_an_option_that_cannot_work_is_refused_where_it_is_declared(
    declare: Callable[[], object], message: str
) -> None:
    with pytest.raises(ContractError, match=message) as error:
        declare()
    assert "\n" not in str(error.value)


def _feed(form: Format | None = None, dtype: dy.Column | None = None, **said: Any) -> Feed:
    class Things(Contract):
        """One thing."""

        at = dy.Date(nullable=False, metadata=source("at", **({} if dtype else said)))
        price = dtype or dy.Decimal(18, 2, nullable=False)

    return Feed("things", Things, "Things.", "team:x", business_date="at", format=form)


@pytest.mark.parametrize("said", [{"rounded": True}, {"decimal": ","}, {"thousands": "'"}])
def test_what_is_said_of_numbers_is_refused_for_a_date(said: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=r"Things\.at: .*not for Date"):
        _feed(**said)


def test_rounding_is_for_decimals_only() -> None:
    with pytest.raises(ContractError, match=r"Things\.price: rounded=True is for decimals, not for Int64"):
        _feed(dtype=dy.Int64(metadata=source("price", rounded=True)))


def test_versions_are_what_they_were_without_options_and_others_with_each() -> None:
    plain = _feed()
    # As computed before there was anything to declare of a format: lakes hold them.
    assert (plain.version, plain.reading_version) == ("710a6e5aac0eb7fb", "9f52b163cdc139e8")
    forms: list[Format] = [Csv(), Csv(delimiter=";"), Json(), Excel(), FixedWidth({"at": 10, "price": 4})]
    forms.append(FixedWidth({"price": 10, "at": 4}))
    feeds = [plain, *(_feed(form) for form in forms), _feed(formats=("%Y-%m-%d", "%d/%m/%Y"))]
    assert len({feed.version for feed in feeds}) == len({feed.reading_version for feed in feeds}) == len(feeds)
    rounded = _feed(dtype=dy.Decimal(18, 2, nullable=False, metadata=source("price", rounded=True)))
    assert rounded.version != plain.version
    assert rounded.reading_version == plain.reading_version  # bronze does not depend on it
    words = [("NA",), ("NULL",), ("NA", "NULL")]
    versions = {_feed(dtype=dy.Decimal(18, 2, metadata=source("price", missing=each))).version for each in words}
    assert len(versions - {plain.version}) == len(words)
    assert "price_scale" in plain.rules
    assert "price_scale" not in rounded.rules
