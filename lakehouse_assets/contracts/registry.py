"""All declared tables.

A module-level `Feed`, `Model` or asset with a schema anywhere in the declared package is enough.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from lakehouse_assets.contracts.dagster_asset import model_of
from lakehouse_assets.contracts.declare import ContractError, Feed, Model, Table
from lakehouse_assets.contracts.loading import declared
from lakehouse_assets.contracts.views import views_of
from lakehouse_assets.settings import settings


class Registry:
    """The declared feeds and models. Models come in an order in which each follows what it reads."""

    def __init__(self, feeds: list[Feed], models: list[Model]) -> None:
        self.feeds = {feed.name: feed for feed in sorted(feeds, key=lambda feed: feed.name)}
        self.views = views_of(self.feeds.values())
        models = [replace(model, views=self.views) for model in models]
        by_name = {model.table.full_name: model for model in sorted(models, key=lambda model: model.name)}
        if len(self.feeds) != len(feeds) or len(by_name) != len(models):
            names = sorted([feed.name for feed in feeds] + [model.name for model in models])
            twice = next(name for name in names if names.count(name) > 1)
            msg = f"{twice!r} is declared twice; give one of the two another name."
            raise ContractError(msg)
        known = {t.full_name for feed in feeds for t in (feed.silver, feed.quarantine, feed.by_rule, feed.bronze)}
        taken = {feed.by_rule.full_name: f"a table of the feed {feed.name!r}" for feed in feeds}
        taken |= dict.fromkeys(self.views, "a view of the counts by rule")
        if odd := next((feed for feed in feeds if feed.quarantine.full_name in taken), None):
            msg = (
                f"{odd.quarantine.full_name} is {taken[odd.quarantine.full_name]}; give the feed {odd.name!r} another "
                "name."
            )
            raise ContractError(msg)
        for model in models:
            for name in model.upstream:
                if name not in known and name not in by_name:
                    msg = f"{model.code} reads {name}, which no module declares; correct the name or declare it."
                    raise ContractError(msg)
        order = TopologicalSorter({name: [u for u in m.upstream if u in by_name] for name, m in by_name.items()})
        try:
            self.models = {by_name[name].name: by_name[name] for name in order.static_order()}
        except CycleError as error:
            msg = f"models read each other in a circle: {' -> '.join(error.args[1])}; break it."
            raise ContractError(msg) from None

    def levels(self) -> list[list[Model]]:
        """Return the models in waves: those of one wave read only silver and earlier waves."""
        depth: dict[str, int] = {}
        for model in self.models.values():
            depth[model.table.full_name] = 1 + max((depth.get(name, -1) for name in model.upstream), default=-1)
        waves: list[list[Model]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for model in self.models.values():
            waves[depth[model.table.full_name]].append(model)
        return waves

    def tables(self) -> Iterator[Table]:
        """Yield every declared table, layer by layer."""
        for kind in ("bronze", "silver", "quarantine", "by_rule"):
            for feed in self.feeds.values():
                yield getattr(feed, kind)
        for model in self.models.values():
            yield model.table

    def table(self, full_name: str) -> Table:
        """Return a table by its SQL name. Raises `ContractError` with the known names."""
        known = {table.full_name: table for table in self.tables()}
        if full_name not in known:
            msg = f"there is no table {full_name!r}; declared are: {', '.join(known)}."
            raise ContractError(msg)
        return known[full_name]

    def feed(self, name: str) -> Feed:
        """Return a feed by name. Raises `ContractError` with the known names."""
        if name not in self.feeds:
            msg = f"there is no feed {name!r}; declared are: {', '.join(self.feeds)}."
            raise ContractError(msg)
        return self.feeds[name]


def registry() -> Registry:
    """Return the tables of the package that the settings name."""
    return registry_of(settings().definitions)


@lru_cache
def registry_of(package: str) -> Registry:
    """Return the tables that a package declares. Imports its modules; reads no data."""
    objects = declared(package, only_tables=True)
    return Registry(
        [value for value in objects if isinstance(value, Feed)],
        [model for value in objects if (model := value if isinstance(value, Model) else model_of(value))],
    )
