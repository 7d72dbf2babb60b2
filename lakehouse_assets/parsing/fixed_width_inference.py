"""Where the fields of lines without a delimiter begin, from what is blank in every line, and what their names are."""

import re

from lakehouse_assets.contracts.declare import FixedWidth

_SHORTEST = 8
_FEWEST = 3
_MOST_TITLES = 3


def fixed_width(lines: list[str], at: list[int], encoding: str | None) -> tuple[FixedWidth, tuple[str, ...]] | None:
    """Return the format of lines with fields at fixed places, and what a person is to know of it; None for other lines.

    Args:
        lines: Those that are not empty.
        at: The place of each in the file, from 0: `skip_lines` counts empty ones too.
        encoding: The encoding to declare.
    """
    titles = _titles(lines)
    rest = lines[titles:]
    is_named = bool(rest) and not _has_digit(rest[0]) and any(map(_has_digit, rest[1:]))
    body = rest[1:] if is_named else rest
    if len(body) < _FEWEST or min(map(len, body)) < _SHORTEST:
        return None
    shortest, longest = min(map(len, body)), max(map(len, body))
    starts = _starts_below(rest[0], body) if is_named else _starts(body)
    if len(starts) == 1:
        return None
    names = _names(rest[0], starts) if is_named else []
    names = names or [f"column_{number}" for number in range(1, len(starts) + 1)]
    starts = _with_room(starts, body)
    ends = [*starts[1:], longest if longest == shortest else None]
    widths = {name: end and end - start for name, start, end in zip(names, starts, ends, strict=True)}
    notes = ["The fields stand at fixed places, guessed from blanks in every line: check the names and `widths`."]
    if titles:
        first = "The first line looks like a title" if titles == 1 else f"The first {titles} lines look like titles"
        notes.append(f"{first}, so the records begin below the line of names that follows: check `skip_lines`.")
    skipped = at[titles + 1] if is_named else 0
    return FixedWidth(widths, skip_lines=skipped, encoding=encoding), tuple(notes)


def _names(header: str, starts: list[int]) -> list[str]:
    """Return the names above the fields, or its words if it is not written in columns; none if neither names all."""
    names = _cut(header, starts)
    words = header.split()
    is_torn = any(len(header[start - 1 : start + 1].strip()) == 2 for start in starts[1:])  # noqa: PLR2004 - both sides
    if len(words) == len(starts) and (is_torn or not all(names)):
        names = words
    return names if all(names) and len(set(names)) == len(names) else []


def _titles(lines: list[str]) -> int:
    """Return how many lines at the top are titles: words in no columns, above a line of names for all columns."""
    for titles in range(1, min(_MOST_TITLES, len(lines) - _FEWEST - 1) + 1):
        header, body = lines[titles], lines[titles + 1 :]
        if _has_digit(header) or not all(map(_has_digit, body)):
            continue
        starts = _starts_below(header, body)
        names = _cut(header, starts)
        is_header = len(starts) > 1 and all(names) and len(set(names)) == len(names)
        if is_header and not any(_stands_in(line, starts) for line in lines[:titles]):
            return titles
    return 0


def _stands_in(line: str, starts: list[int]) -> bool:
    """Return whether a line has a value in every field, and no word over the border of two."""
    return all(_cut(line, starts)) and all(line[start - 1] == " " for start in starts[1:])


def _starts_below(header: str, body: list[str]) -> list[int]:
    """Return where the fields begin: with the names where these are wider than the values, if no field is lost so."""
    return max(_starts([header, *body]), _starts(body), key=len)


def _starts(lines: list[str]) -> list[int]:
    """Return where the fields begin: behind places that are blank in every line."""
    shortest = min(map(len, lines))
    blank = [all(line[at] == " " for line in lines) for at in range(shortest)]
    firsts = [at for at in range(shortest) if not blank[at] and (at == 0 or blank[at - 1])]
    return [0, *firsts[1:]]  # what is blank before all fields belongs to the first one


def _with_room(starts: list[int], body: list[str]) -> list[int]:
    """Return the starts, moved left where a field grows to the left: a longer number than these needs the blanks there.

    Such are fields that end at one place in every line and do not begin at one, behind fields that end at one, too.
    """
    ends = [*(_end_before(start, body) for start in starts[1:]), max(map(len, body))]
    moved = [
        ended if _is_filled(body, ended - 1) and _is_filled(body, end - 1) and not _is_filled(body, start) else start
        for start, ended, end in zip(starts[1:], ends, ends[1:], strict=False)
    ]
    return [0, *moved]


def _end_before(start: int, body: list[str]) -> int:
    return max(len(line[:start].rstrip()) for line in body)


def _is_filled(body: list[str], at: int) -> bool:
    return all(line[at : at + 1].strip() for line in body)


def _cut(line: str, starts: list[int]) -> list[str]:
    return [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _has_digit(line: str) -> bool:
    return re.search("[0-9]", line) is not None
