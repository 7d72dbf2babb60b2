"""What the Dagster UI shows of a table: schema, lineage, previews, plots. Not here: what the table holds."""

import base64
import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from lakehouse_assets.contracts.declare import Column, Feed, Model, Table
from lakehouse_assets.contracts.lineage import Lineage
from lakehouse_assets.storage.delta_types import spark_type
from lakehouse_assets.storage.stores import Store

PREVIEW_ROWS = 5
_WIDTH, _HEIGHT, _PAD = 360, 90, 4


def schema(columns: Mapping[str, Column]) -> dg.TableSchema:
    """Return columns with types, descriptions and nullability."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=spark_type(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
                tags={"personal": ""} if column.personal else {},
            )
            for name, column in columns.items()
        ]
    )


def metadata_of(table: Table, store: Store, lineage: Lineage, sql: str | None = None) -> dict[str, Any]:
    """Return the metadata of a table's definition: the same for every partition."""
    found: dict[str, Any] = {
        "dagster/column_schema": schema(table.columns),
        "dagster/table_name": table.full_name,
        "dagster/uri": store.uri(table.path),
        "partitioning": table.partitioning.value,
    }
    if lineage:
        found["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                name: [dg.TableColumnDep(asset_key=dg.AssetKey(path.split("/")), column_name=c) for path, c in pairs]
                for name, pairs in lineage.items()
                if pairs
            }
        )
        found["column lineage"] = dg.MetadataValue.md(_lineage_table(lineage))
    if sql is not None:
        found["sql"] = dg.MetadataValue.md(f"```sql\n{sql.strip()}\n```")
    return found


def links(declared_in: type, sql: Path | None = None, **assets: str) -> dict[str, Any]:
    """Return links: to the files in which a table is declared, and to related assets by their paths.

    Args:
        declared_in: A class of the table's module.
    """
    found: dict[str, Any] = {
        name: dg.MetadataValue.asset(dg.AssetKey(path.split("/"))) for name, path in assets.items()
    }
    found["declared in"] = dg.MetadataValue.path(str(sys.modules[declared_in.__module__].__file__))
    return found | ({"sql file": dg.MetadataValue.path(str(sql))} if sql else {})


def _lineage_table(lineage: Lineage) -> str:
    rows = []
    for name, pairs in lineage.items():
        origins = ", ".join("`" + path.replace("/", ".") + f".{column}`" for path, column in pairs)
        rows.append(f"| `{name}` | {origins or '(constant)'} |")
    return "\n".join(["| column | computed from |", "| --- | --- |", *rows])


def preview(table: Table, frame: pl.DataFrame, hidden: AbstractSet[str] = frozenset()) -> dg.TableMetadataValue:
    """Return some rows, personal data masked.

    Args:
        hidden: Columns with personal data, besides those that are declared so.
    """
    hidden = hidden | {name for name, column in table.columns.items() if column.personal}
    rows = [
        dg.TableRecord({name: "(personal data)" if name in hidden else _cell(value) for name, value in row.items()})
        for row in frame.head(PREVIEW_ROWS).iter_rows(named=True)
    ]
    return dg.MetadataValue.table(rows, schema=schema(table.columns))


def _cell(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - any column
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def sparkline(points: Sequence[tuple[str, float]], title: str) -> dg.MarkdownMetadataValue:
    """Return a small line plot over time as inline SVG, which the UI renders; with its ends and its maximum.

    Args:
        points: ISO date or time and value, in their order.
    """
    values = [value for _, value in points]
    low, high = min(0.0, *values), max(*values, 1e-9)
    moments = [dt.datetime.fromisoformat(date) for date, _ in points]
    days = [(moment - moments[0]) / dt.timedelta(days=1) for moment in moments]
    step = (_WIDTH - 2 * _PAD) / (days[-1] or 1)
    scale = (_HEIGHT - 2 * _PAD) / (high - low)
    places = zip(days, values, strict=True)
    line = " ".join(f"{_PAD + day * step:.1f},{_HEIGHT - _PAD - (v - low) * scale:.1f}" for day, v in places)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT + 32}" font-family="sans-serif" '
        f'font-size="11"><text x="{_PAD}" y="12">{title}, highest {high:,.0f}</text>'
        f'<g transform="translate(0,16)"><polyline fill="none" stroke="#4f43dd" points="{line}"/></g>'
        f'<text x="{_PAD}" y="{_HEIGHT + 28}">{points[0][0]}</text>'
        f'<text x="{_WIDTH - _PAD}" y="{_HEIGHT + 28}" text-anchor="end">{points[-1][0]}</text></svg>'
    )
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def plot_of(model: Model, rows: pl.DataFrame) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the plot that a model declares, from its date and plotted column; nothing for one without."""
    if model.plotted is None:
        return {}
    over, drawn = model.plotted
    sums = rows.drop_nulls(over).group_by(over).agg(pl.col(drawn).sum().cast(pl.Float64)).sort(over)
    points = [(str(date), float(value or 0)) for date, value in sums.iter_rows()]
    return {f"daily {drawn}": sparkline(points, f"{drawn} by {over}")} if points else {}


def feed_tags(feed: Feed) -> dict[str, str]:
    """Return the tags of a feed's assets: its own, and whether it carries personal data."""
    personal = any(origin.personal for origin in feed.sources.values())
    return dict(feed.tags) | {"feed": feed.name} | ({"personal-data": ""} if personal else {})
