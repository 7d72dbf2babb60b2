"""The same days of records in other forms: archives, encodings, column orders, formats."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from lakehouse_assets_tests.retail import gzipped, zipped

Objects = Iterator[tuple[str, bytes]]
_SHUFFLED = ("Country", "UnitPrice", "InvoiceNo", "CustomerID", "Description", "InvoiceDate", "Quantity", "StockCode")
_PER_ZIP = 6


def records(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def plain(days: list[Path]) -> Objects:
    """The files as they are."""
    return ((path.name, path.read_bytes()) for path in days)


def zips(days: list[Path]) -> Objects:
    """Several days in each zip, in folders and in no order."""
    for at in range(0, len(days), _PER_ZIP):
        week = days[at : at + _PER_ZIP]
        members = {f"{path.stem[:7]}/{path.name}": path.read_bytes() for path in reversed(week)}
        yield f"weeks/{week[0].stem}.zip", zipped(members)


def gzips(days: list[Path]) -> Objects:
    """One gzip file a day; every other one does not say so in its name."""
    for at, path in enumerate(days):
        yield path.name + ".gz" * (at % 2), gzipped(path.read_bytes())


def windows_1252(days: list[Path]) -> Objects:
    """Windows-1252 with its line ends."""
    for path in days:
        text = path.read_bytes().decode()
        yield path.name, text.replace("\r\n", "\n").replace("\n", "\r\n").encode("cp1252")


def byte_order_mark(days: list[Path]) -> Objects:
    """UTF-8 that says so."""
    return ((path.name, b"\xef\xbb\xbf" + path.read_bytes()) for path in days)


def shuffled(days: list[Path]) -> Objects:
    """Other order of columns, other separator, every value in quotes."""
    for path in days:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, _SHUFFLED, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(records(path))
        yield path.name, buffer.getvalue().encode()


def json_lines(days: list[Path]) -> Objects:
    """An object a line, numbers as numbers, absent values absent, every other day without escapes."""
    for at, path in enumerate(days):
        lines = [json.dumps(_typed(record), ensure_ascii=at % 2 == 0) for record in records(path)]
        yield path.with_suffix(".jsonl").name, "\n".join(lines).encode()


def json_array(days: list[Path]) -> Objects:
    """One array a day, every value a string, empty ones null."""
    for path in days:
        rows = [{name: value or None for name, value in record.items()} for record in records(path)]
        yield path.with_suffix(".json").name, json.dumps(rows, indent=1).encode()


def parquet_text(days: list[Path]) -> Objects:
    """Parquet of strings."""
    for path in days:
        yield path.with_suffix(".parquet").name, _parquet(pl.read_csv(path, infer_schema=False))


def parquet_typed(days: list[Path]) -> Objects:
    """Parquet as a database would write it: integers, floats, timestamps."""
    kinds = {"Quantity": pl.Int32, "UnitPrice": pl.Float64, "CustomerID": pl.Float64}
    for path in days:
        text = pl.read_csv(path, infer_schema=False)
        typed = text.cast(kinds).with_columns(pl.col("InvoiceDate").str.to_datetime(time_unit="us"))  # type: ignore[arg-type]
        yield path.with_suffix(".parquet").name, _parquet(typed)


def mixed(days: list[Path]) -> Objects:
    """Every form in turn, some days of each."""
    forms = list(FORMS.values())
    for at in range(0, len(days), _PER_ZIP):
        yield from forms[at // _PER_ZIP % len(forms)](days[at : at + _PER_ZIP])


def _typed(record: dict[str, str]) -> dict[str, object]:
    numbers = {"Quantity", "UnitPrice", "CustomerID"}
    return {name: json.loads(value) if name in numbers else value for name, value in record.items() if value}


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


FORMS: dict[str, Callable[[list[Path]], Objects]] = {
    form.__name__: form
    for form in (
        plain, zips, gzips, windows_1252, byte_order_mark, shuffled, json_lines, json_array, parquet_text, parquet_typed
    )
}  # fmt: skip
