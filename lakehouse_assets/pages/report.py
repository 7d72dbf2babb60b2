"""The page of the business, `pages/report.html`: one file without network, kept like a catalog after each publish.

Not here: its figures, its charts, what is on it.
"""

import html
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed, keep, kept
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.pages import figures
from lakehouse_assets.pages.sections import SECTIONS
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage import delta_log

PATH = "pages/report.html"
_STATE, _SPECIFICATIONS = "pages/report.json", "pages/charts.json"
_LIBRARIES = ("altair", "vl_convert")
_MADE_OF = ("report.html", "report.css", "report.js", "charts.py", "figures.py", "freshness.py", "sections.py")


def can_be_made() -> bool:
    """Return whether the libraries of the extra `pages` are installed. Imports none of them."""
    return all(find_spec(name) is not None for name in _LIBRARIES)


class Report:
    """The asset `pages/report`: one page, which nobody else writes."""

    group = "pages"
    name = "report"
    description = "The business on one page: sales, products, customers, baskets and data quality. It needs no network."
    is_shared = False
    follows = ()

    def tables(self, lake: Lake) -> list[Table]:
        return [model.table for model in figures.models(lake)]

    def state(self, lake: Lake) -> CatalogState:
        paths = [ACCOUNTING.path, *(table.path for table in self.tables(lake))]
        versions = {path: delta_log.read(lake.store, path).version for path in paths}
        written = {path: version for path, version in versions.items() if version >= 0}
        inputs = {WHOLE: fingerprint([written, _template_version()])} if written else {}
        return CatalogState(inputs, kept(lake.store, _STATE).get("built", {}) if lake.store.stat(PATH) else {})

    def refresh(self, lake: Lake) -> Refreshed:
        now = self.state(lake)
        shown = figures.read(lake)
        lake.store.replace(PATH, page(lake, shown).encode())
        keep(lake.store, _STATE, built=now.inputs)
        return Refreshed(lake.store.uri(PATH), {"figures": figures.headlines(shown)})

    def problems(self, lake: Lake) -> Iterator[Problem]:  # noqa: ARG002 - one that is gone is pending
        yield from ()

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:  # noqa: ARG002 - each refresh leaves it out by itself
        yield from ()


def page(lake: Lake, shown: Mapping[str, Any]) -> str:
    """Return the page as HTML.

    Args:
        shown: What `figures.read` returned.
    """
    specs = {name: spec for name, spec in _specifications(lake).items() if name in shown}
    sections = [one.html(shown[one.name], has_chart=one.name in specs) for one in SECTIONS if one.name in shown]
    parts = {
        "title": html.escape("The business at a glance"),
        "css": _text("report.css"),
        "charts": _libraries(lake),
        "js": _text("report.js"),
        "data": _json(shown),
        "specs": _json(specs),
        "sections": "\n".join(sections),
    }
    text = _text("report.html")
    for name, value in parts.items():
        text = text.replace(f"<!--{name}-->", value, 1)
    return text


def _json(value: object) -> str:
    """Return JSON that may stand inside of an HTML script element."""
    return json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template_version() -> int:
    return fingerprint([_text(name) for name in _MADE_OF])


def _specifications(lake: Lake) -> dict[str, Any]:
    """Return the specification of every chart. Altair takes a second to say them, so the lake keeps what it said."""
    made_of = fingerprint([_text("charts.py"), version("altair")])
    found = kept(lake.store, _SPECIFICATIONS)
    if found.get("made_of") != made_of:
        from lakehouse_assets.pages.charts import specifications  # noqa: PLC0415 - it needs altair

        found = {"made_of": made_of, "charts": specifications()}
        keep(lake.store, _SPECIFICATIONS, **found)
    charts: dict[str, Any] = found["charts"]
    return charts


def _libraries(lake: Lake) -> str:
    """Return the JavaScript that draws charts. To put it together takes seconds, so the lake keeps it."""
    path = f"pages/charts-{version('vl-convert-python')}.js"
    if not lake.store.stat(path):
        import vl_convert  # noqa: PLC0415 - only where it is put together

        script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
        lake.store.replace(path, script.encode())
    return lake.store.read(path).decode()
