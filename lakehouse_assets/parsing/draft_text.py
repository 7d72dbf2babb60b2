"""The text of a drafted contract module. Not here: what it says of the records."""

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import dataframely as dy

from lakehouse_assets.contracts import declare
from lakehouse_assets.contracts.declare import Format
from lakehouse_assets.parsing.type_inference import Column
from lakehouse_assets.settings import settings

_IMPORTED = {*declare.__all__, "dy"}
_TAKEN = {name for name in dir(dy.Schema) if not name.startswith("__")} | {"dt", "year", "month", "day"} | _IMPORTED
_LONGEST_COMMENT = 110


@dataclass(frozen=True)
class Field:
    """A field of the records, and the column that it becomes.

    Attributes:
        name: The field's name, or the path to it.
        column: The column's name.
    """

    name: str
    column: str
    type: Column
    is_personal: bool


@dataclass(frozen=True)
class Proposal:
    """Arguments of a feed that the records speak for.

    Attributes:
        arguments: As Python writes them, such as `snapshot="latest"`.
        evidence: What speaks for them, in figures.
        is_certain: Whether the draft says them; else they stand in a comment.
        is_layout: Whether they take the place of a business date.
    """

    arguments: tuple[str, ...]
    evidence: str
    is_certain: bool = False
    is_layout: bool = False


@dataclass(frozen=True)
class Draft:
    """What a drafted module says.

    Attributes:
        learned_from: What it was drafted from, in words.
        notes: What a person is to know of all of it.
        proposals: What else the feed may say.
        dated: The column of the business date.
        first_year: The year of the earliest business date, where it lies before the usual one.
    """

    feed: str
    learned_from: str
    fields: tuple[Field, ...]
    form: Format | None = None
    notes: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    dated: str | None = None
    first_year: int | None = None


def snake_case(name: str) -> str:
    """Return a name as a Python identifier and SQL column: lower case, words joined by underscores."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name.strip()))
    plain = unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or ("field" if name.strip() else "unnamed")
    found = f"n{found}" if found[0].isdigit() else found
    return f"{found}_" if keyword.iskeyword(found) or found in _TAKEN else found


def module(draft: Draft) -> str:
    """Return the text of the module."""
    title = "".join(word.capitalize() for word in draft.feed.split("_"))
    title += "Record" * (title in _IMPORTED)
    names = Counter(field.name.strip().lower() for field in draft.fields)
    body = "\n".join(_column(field, is_alone=names[field.name.strip().lower()] == 1) for field in draft.fields)
    imported = {"Contract", "Feed"}
    imported |= {
        name for name, use in (("source", "metadata=source("), ("drop_point_zero", "drop_point_zero,")) if use in body
    }
    if draft.form is not None:
        imported.add(type(draft.form).__name__)
    imports = "import datetime as dt\n\n" if draft.first_year else ""
    comments = "\n".join(_commented(note) for note in (*_heading(draft), *draft.notes))
    return f'''"""The {draft.feed} feed: say what its records are, who sends them and when."""

{comments}

{imports}import dataframely as dy

from lakehouse_assets.contracts.declare import {", ".join(sorted(imported, key=_isort))}


class {title}(Contract):
    """One record of {draft.feed}."""

{body}


FEED = Feed(
    name="{draft.feed}",
    contract={title},
    description="Say in a sentence what these records are.",
    owner="team:data-platform",
{_dates(draft)}{"".join(map(_proposed, draft.proposals))}{_format(draft.form)}    gate=0.95,
)'''


def _isort(name: str) -> tuple[bool, str]:
    return name[0].islower(), name


def _heading(draft: Draft) -> Iterable[str]:
    yield (
        f"Drafted from {draft.learned_from}. Correct types and descriptions, add rules, then put this file into "
        f"{settings().definitions.replace('.', '/')}/silver/{draft.feed}.py: nothing else has to be told about it."
    )


def _dates(draft: Draft) -> str:
    if any(each.is_layout and each.is_certain for each in draft.proposals):
        return ""
    what = "the column whose day partitions the feed; None for a snapshot"
    if draft.dated is None:
        return f"    business_date=None,  # {what}\n"
    lines = [
        f'    business_date="{draft.dated}",  # {what}',
        '    time_zone="UTC",  # of the business; times without offset are local to it',
    ]
    if draft.first_year:
        lines.append(f"    start_date=dt.date({draft.first_year}, 1, 1),  # records of earlier dates are quarantined")
    return "\n".join(lines) + "\n"


def _proposed(proposal: Proposal) -> str:
    """Return the lines of a proposal: the evidence above the arguments, which are a comment unless it is certain."""
    mark = "" if proposal.is_certain else "# "
    evidence = _commented(proposal.evidence).splitlines()
    return "".join(f"    {line}\n" for line in [*evidence, *(f"{mark}{each}," for each in proposal.arguments)])


def _format(form: Format | None) -> str:
    if form is None:
        return ""
    said = []
    for name, field in type(form).__dataclass_fields__.items():
        value = getattr(form, name)
        if name == "widths":
            said.append(f"widths={{{', '.join(f'{quoted(key)}: {width}' for key, width in value.items())}}}")
        elif value != field.default:
            said.append(f"{name}={_literal(value)}")
    return f"    format={type(form).__name__}({', '.join(said)}),\n"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple):
        return f"({', '.join(quoted(each) for each in value)}{',' * (len(value) == 1)})"
    return repr(value)


def _column(field: Field, *, is_alone: bool) -> str:
    name, column = field.name.strip(), field.column
    # In bronze are names of the lake's own, and no two that only case tells apart: such a field has another name there.
    is_taken = name.startswith("_") or name.lower() in {"dt", "rules", ""} or not is_alone
    named = [f"{column}_field", name] if is_taken else [name] * (name != column)
    arguments = [*map(quoted, named), *field.type.options, *["personal=True"] * field.is_personal]
    metadata = f", metadata=source({', '.join(arguments)})" if arguments else ""
    meaning = f"{name or 'The column without a name'}, as landed{'; may be missing' if field.type.nullable else ''}."
    comment = f"    # {field.type.comment}\n" if field.type.comment else ""
    options = f"nullable={field.type.nullable}, description={quoted(meaning)}"
    return f"{comment}    {column} = {field.type.kind}{options}{metadata})"


def _commented(text: str) -> str:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + len(word) > _LONGEST_COMMENT:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line])


def quoted(text: str) -> str:
    """Return text as Python writes it, in double quotes."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain) + '"'
