"""What may be said of the first line of an object: the names of columns are quoted, a first record never is.

A file that came without its header has a record in that place, and a message that quotes it would carry a person's
values into logs and into Dagster.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

_SHOWN = 8
_LONGEST = 40


def is_header(names: Iterable[str], known: Iterable[str]) -> bool:
    """Return whether a first line names columns: some name that is expected stands in it."""
    line = "\0".join(names).casefold()
    return any(name.casefold() in line for name in known if name)


def found(names: Sequence[str], known: Iterable[str]) -> str:
    """Say which columns an object has, as a part of a sentence."""
    if names and not is_header(names, known):
        return (
            "none of the contract's names is there: perhaps the header is missing, or a title or comments stand above "
            'it, or the records are inside of a JSON document (format=Json(records="..."))'
        )
    shown = ", ".join(repr(name[:_LONGEST]) for name in names[:_SHOWN]) or "none"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"the columns found are {shown}{more}"


def repeated(names: Sequence[str], known: Iterable[str]) -> str | None:
    """Return why an object is rejected whose columns have the same name twice; None when they do not."""
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is None:
        return None
    what = (
        f"the column {twice[:_LONGEST]!r}" if is_header(names, known) else f"a name of column {names.index(twice) + 1}"
    )
    return f"{what} is there twice; give each column a name of its own and land it again."
