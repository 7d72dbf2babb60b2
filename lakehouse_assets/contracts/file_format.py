"""How the objects of a feed are written, where their content alone does not say it: `Feed(format=Csv(...))`.

A feed without a declared format takes CSV with a header line, JSON and Parquet, as the content of each object says.
Declared options are part of how objects are read: changing one reads the landed objects anew. Not here: the reading,
and how the text of a value becomes a typed value (`source(...)`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakehouse_assets.contracts.source import ContractError


@dataclass(frozen=True)
class Csv:
    """Delimited text.

    Attributes:
        encoding: A codec of Python, such as `mac_roman`; None for UTF-8, or Windows-1252 where it is not UTF-8.
        header: Names of the fields, for files without a header line: their first line is a record. None: the first
            line names the fields.
        delimiter: The character between two fields; None for the one of `,` `;` tab `|` that fits the contract.
        quote: The character around a field that holds a delimiter or a line end; empty when no character does that.
    """

    encoding: str | None = None
    header: tuple[str, ...] | None = None
    delimiter: str | None = None
    quote: str = '"'

    def __post_init__(self) -> None:
        _check_encoding(self)
        if self.header is not None:
            _check_names(self, "header", self.header)
        for name, value in (("delimiter", self.delimiter), ("quote", self.quote)):
            if value is None or (name == "quote" and not value):
                continue
            if len(value) != 1 or value in "\r\n\0":
                msg = f"Csv({name}={value!r}): it must be one character, and no line end; correct it."
                raise ContractError(msg)
        if self.quote and self.quote == self.delimiter:
            msg = f"Csv(quote={self.quote!r}): the delimiter is the same character; correct one of the two."
            raise ContractError(msg)


@dataclass(frozen=True)
class FixedWidth:
    """Lines whose fields stand at fixed places.

    Attributes:
        widths: Each field's name and its width in characters, from the left; the last one may be None: the rest of the
            line. Spaces around a value are no part of it.
        skip_lines: Lines at the top that are no records, such as headings.
        encoding: A codec of Python; None for UTF-8, or Windows-1252 where it is not UTF-8.
    """

    widths: Mapping[str, int | None]
    skip_lines: int = 0
    encoding: str | None = None

    def __post_init__(self) -> None:
        _check_encoding(self)
        _check_names(self, "widths", tuple(self.widths))
        *before, last = self.widths.values()
        if any(width is None or width < 1 for width in before) or (last is not None and last < 1):
            msg = (
                "FixedWidth(widths=...): a width is a number of characters from 1; only the last one may be None, for "
                "the rest of the line. Correct it."
            )
            raise ContractError(msg)
        if self.skip_lines < 0:
            msg = f"FixedWidth(skip_lines={self.skip_lines}): it is a number of lines from 0; correct it."
            raise ContractError(msg)


@dataclass(frozen=True)
class Json:
    """JSON.

    Attributes:
        records: The path to the array of records inside of one object, names joined by dots: `data.items`. None: the
            object is an array of records, or holds one record after the other.
        encoding: A codec of Python; None for UTF-8, or Windows-1252 where it is not UTF-8.
    """

    records: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        _check_encoding(self)
        if self.records is not None and not all(self.records.split(".")):
            msg = f"Json(records={self.records!r}): a path is names joined by dots, such as 'data.items'; correct it."
            raise ContractError(msg)


@dataclass(frozen=True)
class Excel:
    """One sheet of an Excel workbook (`.xlsx`).

    Attributes:
        sheet: Name of the sheet; None for the first one.
        header: Names of the fields, for sheets without a header row. None: the first row that is not blank names them.
    """

    sheet: str | None = None
    header: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.header is not None:
            _check_names(self, "header", self.header)

    @property
    def encoding(self) -> None:
        """A workbook says its encoding itself."""


Format = Csv | FixedWidth | Json | Excel


def _check_encoding(form: Csv | FixedWidth | Json) -> None:
    if form.encoding is None:
        return
    try:
        "".encode(form.encoding)  # fails for codecs of Python that are no text encoding, such as `hex`
    except (LookupError, ValueError):
        msg = (
            f"{type(form).__name__}(encoding={form.encoding!r}): Python knows no text encoding of that name; correct "
            "it, such as 'mac_roman' or 'cp850'."
        )
        raise ContractError(msg) from None


def _check_names(form: object, argument: str, names: Sequence[str]) -> None:
    what = f"{type(form).__name__}({argument}=...)"
    if isinstance(names, str) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        msg = f"{what}: it must name every field, each with a text that is not blank; correct it."
        raise ContractError(msg)
    twice = next((name for name, times in Counter(name.strip() for name in names).items() if times > 1), None)
    if twice is not None:
        msg = f"{what}: the name {twice!r} is there twice; give each field a name of its own."
        raise ContractError(msg)
