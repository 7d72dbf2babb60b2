"""What is on the page, in its order: a heading, a text and a table for each figure.

Not here: figures, charts, colours.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    """One section of the page. In its title and text, names in braces stand for values of its figure.

    Attributes:
        name: The figure that it shows.
        columns: Name of each column of its table, and what stands over it.
        empty: What to say where there is no row.
    """

    name: str
    title: str
    text: str
    columns: Mapping[str, str]
    empty: str = "There is nothing to show yet."

    def html(self, figure: Mapping[str, Any], *, has_chart: bool) -> str:
        """Return the section as HTML; the page fills the chart and the table.

        A chart has a table of the same figures for whoever cannot see it.
        """
        title, text = (html.escape(words.format_map(figure)) for words in (self.title, self.text))
        note = html.escape(figure.get("left_out", ""))
        head = "".join(
            f'<th scope="col" data-column="{name}">{html.escape(t)}</th>' for name, t in self.columns.items()
        )
        table = f'<table data-rows="{self.name}"><thead><tr>{head}</tr></thead><tbody></tbody></table>'
        shown = f'<div class="wide" role="region" tabindex="0" aria-label="{title}: the figures">{table}</div>'
        if has_chart:
            alternative = f"Chart: {title}. The table below has the same figures."
            shown = (
                f'<div class="chart" id="chart-{self.name}" role="img" aria-label="{alternative}"></div>'
                f"<details><summary>{title}: the figures</summary>{shown}</details>"
            )
        return (
            f'<section id="{self.name}" aria-labelledby="title-{self.name}">'
            f'<h2 id="title-{self.name}">{title}</h2><p>{text} {note}</p>'
            f'<p class="empty" hidden>{html.escape(self.empty)}</p><div class="filled">{shown}</div></section>'
        )


SECTIONS = (
    Section(
        "daily_sales",
        "Sales and net by {step}",
        "For the dates and the country chosen above. Net is sales, returns and adjustments together.",
        {
            "dt": "Date",
            "sales": "Sales",
            "returns": "Returns",
            "net": "Net",
            "units": "Units",
            "invoices": "Invoices",
        },
    ),
    Section(
        "sales_forecast",
        "Net sales to expect",
        "Learnt from the dates through {trained}; drawn behind the sales by day while all countries are chosen."
        " Bounds are sums over groups of countries and products, so together they are wider than they say.",
        {
            "dt": "Date",
            "net": "Net expected",
            "low_80": "80 %, from",
            "high_80": "80 %, to",
            "low_95": "95 %, from",
            "high_95": "95 %, to",
        },
        empty="There is no forecast for what is chosen.",
    ),
    Section(
        "product_performance",
        "Products with the largest sales",
        "All dates and countries.",
        {
            "stock_code": "Code",
            "description": "Product",
            "sales": "Sales",
            "units": "Units",
            "invoices": "Invoices",
            "return_rate": "Returned",
        },
    ),
    Section(
        "customer_insights",
        "Customers by segment",
        "All dates and countries. What makes a segment stands in the dictionary: lakehouse dictionary.",
        {"segment": "Segment", "customers": "Customers", "monetary": "Sales", "high_risk": "High churn risk"},
    ),
    Section(
        "cohort_retention",
        "Customers who come back",
        "Of the customers who first bought in a month, the share that buys in each month since.",
        {
            "cohort": "First month",
            "months_since": "Months since",
            "customers": "Customers",
            "active": "Active",
            "retention": "Share",
        },
    ),
    Section(
        "basket_pairs",
        "Products bought together",
        "The pairs with the largest lift: how many times more often than by chance.",
        {
            "stock_code": "Product",
            "other_stock_code": "With",
            "baskets": "Baskets",
            "confidence": "Of those with the first",
            "lift": "Lift",
        },
    ),
    Section(
        "freshness",
        "How fresh the data is",
        "As of {made}, when this page was made.",
        {
            "table": "Table",
            "newest": "Newest date",
            "written": "Last written",
            "due": "Next date is due",
            "late": "Late",
        },
    ),
    Section(
        "quality",
        "Data quality by date",
        "Share of a date's records that keep the contract. A date below the gate is held: the last good version stays.",
        {"feed": "Feed", "part": "Date", "score": "Score"},
    ),
    Section(
        "held",
        "Held back",
        "Partitions that the gate holds until a file or a decision mends them: lakehouse status says what to do.",
        {"feed": "Feed", "part": "Partition", "score": "Score", "held": "Valid records held"},
        empty="Nothing is held.",
    ),
    Section(
        "quarantine_by_rule",
        "Records in quarantine, by rule",
        "What keeps records out of the tables, and since when.",
        {"feed": "Feed", "rule": "Rule", "records": "Records", "latest": "Latest date"},
        empty="No record is in quarantine.",
    ),
    Section(
        "dictionary",
        "What the figures mean",
        "From the contracts of the tables; lakehouse dictionary also has their rules.",
        {"table": "Table", "column": "Column", "meaning": "Meaning"},
    ),
    Section(
        "queries",
        "How the figures are computed",
        "The SQL that makes each table.",
        {"table": "Table", "sql": "SQL"},
    ),
)
