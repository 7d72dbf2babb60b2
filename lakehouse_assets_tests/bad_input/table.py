"""The tables of docs/bad-input.md, row by row."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bad-input.md"
_INPUTS = ["input", "ends as", "why / reason shown"]
_KEYS = ["key", "in a folder", "on S3", "why / reason shown"]


@dataclass(frozen=True)
class Row:
    """Where one input ends, and the words that the reason shown holds."""

    name: str
    ends_as: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class KeyRow:
    """Where an object under one kind of key ends, in a folder and on S3."""

    name: str
    in_folder: str
    on_s3: str
    words: tuple[str, ...]


_Row = TypeVar("_Row", Row, KeyRow)


@cache
def rows() -> dict[str, Row]:
    """Return the rows about inputs by name."""
    return _unique([Row(name, ends_as, _words(why)) for name, ends_as, why in _cells(_INPUTS)])


@cache
def key_rows() -> dict[str, KeyRow]:
    """Return the rows about keys by name."""
    return _unique([KeyRow(name, folder, s3, _words(why)) for name, folder, s3, why in _cells(_KEYS)])


def _words(why: str) -> tuple[str, ...]:
    return tuple(re.findall(r'"([^"]+)"', why))


def _cells(header: list[str]) -> list[list[str]]:
    found, is_inside = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells == header:
            is_inside = True
        elif not cells:
            is_inside = False
        elif is_inside and set("".join(cells)) != {"-"}:
            found.append(cells)
    return found


def _unique(found: "list[_Row]") -> "dict[str, _Row]":
    by_name = {row.name: row for row in found}
    if len(by_name) != len(found):
        names = [row.name for row in found]
        message = f"{PAGE.name}: {next(name for name in names if names.count(name) > 1)!r} is there twice"
        raise ValueError(message)
    return by_name
