"""What QuickSight shows: the sheets of the analysis and of the dashboard, as on the report page.

Not here: the data sets behind it, and who may see it, which `deploy.quicksight` makes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.templates import Template
from lakehouse_assets.pages.sections import SECTIONS

Kinds = Mapping[str, Mapping[str, str]]
"""Table, column, type of the column in QuickSight."""
_TITLES = {section.name: section.title.replace("{step}", "day") for section in SECTIONS}
_MOST_BARS = 15


class OneLine(dict[str, Any]):
    """A part of a template that is written on one line: else the file is too long, and nobody reads it."""


@dataclass(frozen=True)
class Visual:
    """A visual of a sheet.

    Attributes:
        kind: As QuickSight calls it, without `Visual` at its end.
        table: Whose data set it shows.
        by: Columns that the values are cut by.
        values: Columns, each with how its values become one.
        order: The value by which the largest comes first; with `-`, the smallest. Empty for the usual order.
        least: The smallest number of a column that is shown.
        other_title: Where it is not that of the page's section of the table.
    """

    kind: str
    table: str
    by: tuple[str, ...]
    values: Mapping[str, str]
    order: str = ""
    least: Mapping[str, int] = field(default_factory=dict)
    other_title: str = ""

    @property
    def title(self) -> str:
        """What stands over it."""
        return self.other_title or _TITLES[self.table]

    @property
    def id(self) -> str:
        """Its id, and the begin of those of its fields."""
        return f"{self.kind}-{self.table}"

    def column(self, name: str) -> Template:
        """Return how a column is named."""
        return {"DataSetIdentifier": self.table, "ColumnName": name}

    def value_id(self, column: str) -> str:
        """Return the id of a value."""
        return f"{self.id}-{column}-value"


SHEETS = {
    "Sales": (
        Visual("KPI", "daily_sales", (), {"net": "SUM"}, other_title="Net, pounds sterling"),
        Visual("LineChart", "daily_sales", ("dt",), {"sales": "SUM", "net": "SUM"}),
        # Without its bounds: those of some groups may be missing, and a sum would pass over them.
        Visual("LineChart", "sales_forecast", ("date",), {"net": "SUM"}),
    ),
    "Products": (
        Visual("BarChart", "product_performance", ("description",), {"sales": "SUM"}, "sales"),
        Visual(
            "Table", "basket_pairs", ("stock_code", "other_stock_code"),
            {"baskets": "SUM", "confidence": "MAX", "lift": "MAX"}, "lift",
        ),
    ),
    "Customers": (
        Visual("BarChart", "customer_insights", ("segment",), {"segment": "COUNT"}, "segment"),
        Visual(
            "HeatMap", "cohort_retention", ("cohort", "months_since"), {"retention": "MAX"}, least={"months_since": 1}
        ),
    ),
    "Quality": (
        Visual(
            "Table", "accounting", ("feed", "part", "verdict"),
            {"score": "MIN", "landed": "SUM", "valid": "SUM", "quarantined": "SUM", "held": "SUM"}, "-score",
            other_title="Data quality by partition, the worst first",
        ),
        Visual("BarChart", "quarantine_by_rule", ("rule",), {"records": "SUM"}, "records"),
    ),
}  # fmt: skip
"""The visuals of each sheet. One row has each value here, or a sum is meant: a maximum of one value is that value."""


def definition(kinds: Kinds, arns: Mapping[str, Template]) -> Template:
    """Return what is shown of the tables that there are; a sheet without any is left out, as on the page.

    Args:
        arns: Of the data set of each table.
    """
    shown = {sheet: [one for one in visuals if one.table in kinds] for sheet, visuals in SHEETS.items()}
    return {
        "DataSetIdentifierDeclarations": [OneLine(Identifier=name, DataSetArn=arn) for name, arn in arns.items()],
        "Sheets": [
            {"SheetId": sheet, "Name": sheet, "Visuals": [_visual(one, kinds[one.table]) for one in visuals]}
            for sheet, visuals in shown.items()
            if visuals
        ],
        "FilterGroups": [
            group for sheet, visuals in shown.items() for one in visuals for group in _filters(sheet, one)
        ],
    }


def _visual(said: Visual, kinds: Mapping[str, str]) -> Template:
    by = [_dimension(said, column, kinds[column]) for column in said.by]
    values = [_measure(said, column, how, kinds[column]) for column, how in said.values.items()]
    direction = "ASC" if said.order.startswith("-") else "DESC"
    order = [{"FieldSort": {"FieldId": said.value_id(said.order.removeprefix("-")), "Direction": direction}}]
    shown: Template
    match said.kind:
        case "KPI":
            shown = {"FieldWells": {"Values": values}}
        case "LineChart":
            shown = {"FieldWells": {"LineChartAggregatedFieldWells": {"Category": by, "Values": values}}}
        case "HeatMap":
            wells = {"Rows": by[:1], "Columns": by[1:], "Values": values}
            shown = {"FieldWells": {"HeatMapAggregatedFieldWells": wells}}
        case "BarChart":
            limit = {"ItemsLimit": _MOST_BARS, "OtherCategories": "EXCLUDE"}
            shown = {
                "FieldWells": {"BarChartAggregatedFieldWells": {"Category": by, "Values": values}},
                "SortConfiguration": {"CategorySort": order, "CategoryItemsLimit": limit},
                "Orientation": "HORIZONTAL",
            }
        case _:
            shown = {
                "FieldWells": {"TableAggregatedFieldWells": {"GroupBy": by, "Values": values}},
                "SortConfiguration": {"RowSort": order},
            }
    title = {"Visibility": "VISIBLE", "FormatText": {"PlainText": said.title}}
    return {f"{said.kind}Visual": OneLine(VisualId=said.id, Title=title, ChartConfiguration=shown)}


def _dimension(said: Visual, column: str, kind: str) -> Template:
    made: Template = {"FieldId": f"{said.id}-{column}", "Column": said.column(column)}
    match kind:
        case "STRING":
            return {"CategoricalDimensionField": made}
        case "DATETIME":
            return {"DateDimensionField": {**made, "DateGranularity": "DAY"}}
    return {"NumericalDimensionField": made}


def _measure(said: Visual, column: str, how: str, kind: str) -> Template:
    made: Template = {"FieldId": said.value_id(column), "Column": said.column(column)}
    if kind == "STRING":
        return {"CategoricalMeasureField": {**made, "AggregationFunction": how}}
    return {"NumericalMeasureField": {**made, "AggregationFunction": {"SimpleNumericalAggregation": how}}}


def _filters(sheet: str, said: Visual) -> Iterator[Template]:
    for column, least in said.least.items():
        name = f"{said.id}-{column}"
        bound = {"RangeMinimum": {"StaticValue": least}, "IncludeMinimum": True, "NullOption": "NON_NULLS_ONLY"}
        scope = {"SheetId": sheet, "Scope": "SELECTED_VISUALS", "VisualIds": [said.id]}
        yield OneLine(
            FilterGroupId=name,
            CrossDataset="SINGLE_DATASET",
            Status="ENABLED",
            Filters=[{"NumericRangeFilter": {"FilterId": name, "Column": said.column(column), **bound}}],
            ScopeConfiguration={"SelectedSheets": {"SheetVisualScopingConfigurations": [scope]}},
        )
