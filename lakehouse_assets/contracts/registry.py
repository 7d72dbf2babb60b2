"""All declared tables.

A module-level `Feed`, `Model` or asset with a schema anywhere in the declared package is enough.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from lakehouse_assets.contracts import agreement, references
from lakehouse_assets.contracts.agreement import UnusableError
from lakehouse_assets.contracts.as_of import AsOf, joins_of
from lakehouse_assets.contracts.broken import Broken, of_asset, of_table
from lakehouse_assets.contracts.dagster_asset import model_of
from lakehouse_assets.contracts.declare import ContractError, Feed, Model, Table
from lakehouse_assets.contracts.loading import declared
from lakehouse_assets.contracts.reference_rules import Reference
from lakehouse_assets.contracts.views import views_of
from lakehouse_assets.settings import settings


class Registry:
    """The declared feeds and models. Models come in an order in which each follows what it reads.

    Attributes:
        broken: Declarations that cannot be used. Their tables are not known, and must not be taken for removed ones.
    """

    def __init__(self, feeds: list[Feed], models: list[Model], broken: Iterable[Broken] = ()) -> None:
        self.broken = tuple(broken)
        for feed in feeds:
            _derive(feed)
        self.feeds = {feed.name: feed for feed in sorted(feeds, key=lambda feed: feed.name)}
        agreement.refuse_references(self.feeds, self.broken)
        self.views = views_of(self.feeds.values())
        models = [replace(model, views=self.views) for model in models]
        by_name = {model.table.full_name: model for model in sorted(models, key=lambda model: model.name)}
        if len(self.feeds) != len(feeds) or len(by_name) != len(models):
            declared: list[Feed | Model] = [*feeds, *models]
            names = sorted(table.name for table in declared)
            twice = next(name for name in names if names.count(name) > 1)
            msg = f"{twice!r} is declared twice; give one of the two another name"
            raise UnusableError(msg, *(table for table in declared if table.name == twice))
        known = {table.full_name for feed in feeds for table in feed.tables}
        agreement.refuse_names(feeds, self.views)
        agreement.refuse_shared_paths(models)
        for model in models:
            _derive(model)
            if any(b.may_be_feed for b in self.broken) and (view := next(filter(model.reads_view, self.views), None)):
                msg = f"{model.code} reads {view}, which shows all feeds, and one may be in what cannot be loaded"
                raise UnusableError(msg, model, follows=True)
            for name in model.upstream:
                if name not in known and name not in by_name:
                    if any(b.table is None or b.table.split(".")[1] == name.split(".")[1] for b in self.broken):
                        msg = f"{model.code} reads {name}, which no module that can be loaded declares"
                        raise UnusableError(msg, model, follows=True)
                    msg = f"{model.code} reads {name}, which no module declares; correct the name or declare it"
                    raise UnusableError(msg, model)
        order = TopologicalSorter({name: [u for u in m.upstream if u in by_name] for name, m in by_name.items()})
        try:
            self.models = {by_name[name].name: by_name[name] for name in order.static_order()}
        except CycleError as error:
            msg = f"models read each other in a circle: {' -> '.join(error.args[1])}; break it"
            raise UnusableError(msg, *(by_name[name] for name in set(error.args[1]))) from None

        agreement.refuse_mixed_periods(feeds, self.models.values())
        agreement.refuse_dates_of_no_table(feeds, models)
        self._as_of = self._joins_as_of()

    def _joins_as_of(self) -> dict[str, tuple[AsOf, ...]]:
        histories = {feed.history.full_name: feed for feed in self.feeds.values() if feed.history is not None}
        tables = {table.full_name: table for table in self.tables()}
        found = {}
        for model in self.models.values():
            try:
                found[model.name] = joins_of(model, histories, {name: tables[name] for name in model.upstream})
            except ContractError as error:
                raise UnusableError(error, model) from None
        return found

    def as_of(self, model: Model) -> tuple[AsOf, ...]:
        """Return the joins of a model with the versions that held at the times of its rows."""
        return self._as_of.get(model.name, ())

    def references(self, feed: Feed) -> list[Reference]:
        """Return the references of a feed to feeds that can be used."""
        return references.references_of(feed, self.feeds)

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
        for kind in ("bronze", "silver", "history", "quarantine", "by_rule"):
            for feed in self.feeds.values():
                if (table := getattr(feed, kind)) is not None:
                    yield table
        for model in self.models.values():
            yield model.table

    def table(self, full_name: str) -> Table:
        """Return a table by its SQL name. Raises `ContractError` with the known names."""
        known = {table.full_name: table for table in self.tables()}
        if full_name not in known:
            msg = f"there is no table {full_name!r}; {self._known(known)}"
            raise ContractError(msg)
        return known[full_name]

    def feed(self, name: str) -> Feed:
        """Return a feed by name. Raises `ContractError` with the known names."""
        if name not in self.feeds:
            msg = f"there is no feed {name!r}; {self._known(self.feeds)}"
            raise ContractError(msg)
        return self.feeds[name]

    def _known(self, names: Iterable[str]) -> str:
        declared = f"declared are: {', '.join(names)}" if names else "nothing is declared (see LAKEHOUSE_DEFINITIONS)"
        return f"{declared}." if not self.broken else f"{declared}. Some cannot be loaded: see `lakehouse status`."


def _derive(table: Feed | Model) -> None:
    """Have everything computed that follows from a declaration alone, so that a mistake is found now."""
    try:
        if isinstance(table, Feed):
            _ = table.version, table.reading_version, table.rules, table.silver, table.quarantine
        else:
            _ = table.upstream, table.version, table.table
    except Exception as error:
        raise UnusableError(error, table) from error


Check = Callable[["Registry", Model], None]
"""Raises `ContractError` for a model that cannot be used."""


def registry(check: Check | None = None) -> Registry:
    """Return the tables of the package that the settings name."""
    return registry_of(settings().definitions, check)


@lru_cache
def registry_of(package: str, check: Check | None = None) -> Registry:
    """Return the tables that a package declares. Imports its modules; reads no data.

    Args:
        check: What is looked at of each model besides its declaration.
    """
    objects = declared(package, only_tables=True)
    broken = [value for value in objects if isinstance(value, Broken)]
    models = []
    for value in objects:
        try:
            if model := value if isinstance(value, Model) else model_of(value):
                models.append(model)
        except ContractError as error:
            broken.append(of_asset(value, error))
    return _usable([value for value in objects if isinstance(value, Feed)], models, broken, check)


def _usable(feeds: list[Feed], models: list[Model], broken: list[Broken], check: Check | None) -> Registry:
    """Return the tables that can be used: what cannot is left out, and what reads it, until the rest holds together."""
    while True:
        try:
            return _checked(Registry(feeds, models, broken), check)
        except UnusableError as error:
            broken = [*broken, *(of_table(table, error.cause, follows=error.follows) for table in error.tables)]
            out = {(type(table), table.name) for table in error.tables}
            feeds = [feed for feed in feeds if (Feed, feed.name) not in out]
            models = [model for model in models if (Model, model.name) not in out]


def _checked(found: Registry, check: Check | None) -> Registry:
    for model in found.models.values():
        try:
            if check is not None:
                check(found, model)
        except ContractError as error:
            raise UnusableError(error, model) from None
    return found
