"""Text decoded in another encoding than its own is told from text in many languages, and said where drift is."""

# ruff: noqa: RUF001 - signs that look like others are what this is about

from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Csv, Feed, Format, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.parsing.plausible_text import garbled_words
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, land

GARBLED = [
    *["dŽcor", "MŸller", "canÕt", "OÕBrien", "cafŽ", "na•ve", "S‹o Paulo"],  # Mac Roman
    *["d‚cor", "na‹ve"],  # of DOS
    *["cafÃ©", "itâ€™s", "25Â°C"],  # UTF-8
    *["d\x8ecor", "d\ufffdcor"],
]
SOUND = [
    *["décor", "ÉCOLE", "O’Carroll", "L’Oréal™", "25°C", "£5", "½lb", "a–b", "„so“", "«là»", "wait…what", "x²", "1ª"],
    *["ŠKODA Škoda", "Ångström", "GRÖSSE", "İstanbul", "Ελλάδα", "Москва", "東京", "שלום", "👍🏽ok", "piñata 5”"],
]


@pytest.mark.parametrize("text", GARBLED)
def test_signs_and_capitals_inside_of_words_are_seen(text: str) -> None:
    assert garbled_words(pl.Series(["plain", None, f"a {text} b"])) == [
        next(w for w in text.split() if not w.isascii())
    ]


@pytest.mark.parametrize("text", SOUND)
def test_words_of_any_language_are_not(text: str) -> None:
    assert garbled_words(pl.Series([text, f"a {text} b"])) == []


def test_one_odd_word_among_many_sound_ones_is_a_slip_and_no_encoding() -> None:
    assert garbled_words(pl.Series(["dŽcor", *["décor"] * 20])) == []


class People(Contract):
    """A person's order."""

    id = dy.String(nullable=False)
    article = dy.String(nullable=False)
    name = dy.String(nullable=False, metadata=source("name", personal=True))


@pytest.mark.parametrize("form", [None, Csv(encoding="mac_roman")])
def test_drift_shows_words_but_of_no_personal_column(tmp_path: Path, form: Format | None) -> None:
    feed = Feed("people", People, "People.", "team:x", format=form)
    at = lake_at(str(tmp_path / "lake"))
    lake = Lake(at.store, at.settings, Registry([feed], []))
    text = "id,article,name\n" + "".join(f"{n},Décor {n},Zoé Müller\n" for n in range(50))
    land(lake, "x.csv", text.encode("mac_roman"), feed.name)
    drifted = [line for batch in ingest(lake, feed=feed.name) for line in batch.drifted]
    if form is not None:
        assert drifted == []
        return
    [line] = drifted
    assert line == (
        "x.csv: implausible characters: article (such as 'DŽcor'), name: perhaps its encoding is another one; "
        "declare it, such as format=Csv(encoding='mac_roman')"
    )
