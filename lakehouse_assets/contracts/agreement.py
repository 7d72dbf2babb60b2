"""What declared tables have to agree in, one with the other. Each function raises `UnusableError` where they do not.

Not here: what is wrong with a declaration alone.
"""

from collections.abc import Iterable, Mapping

from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import ContractError, Feed, Model
from lakehouse_assets.contracts.references import fault


class UnusableError(ContractError):
    """Some declared tables cannot be used; the others can.

    Attributes:
        tables: The declarations to leave out.
        cause: What is wrong with them.
        follows: Nothing is wrong with them, but with a table that they read.
    """

    def __init__(self, cause: Exception | str, *tables: Feed | Model, follows: bool = False) -> None:
        super().__init__(str(cause))
        self.cause = cause if isinstance(cause, Exception) else ContractError(cause)
        self.tables, self.follows = tables, follows


def refuse_mixed_periods(feeds: Iterable[Feed], models: Iterable[Model]) -> None:
    """Raise `UnusableError` for a model by date that would find a month's records on its first day only."""
    periods = {t.full_name: feed.partition_by for feed in feeds if feed.business_date for t in feed.tables}
    for model in models:
        found = sorted({periods[name] for name in model.upstream if name in periods})
        if model.date is not None and len(found) > 1:
            msg = (
                f"{model.code} reads tables by {' and by '.join(found)}, and {model.table.full_name} is built date by "
                "date; declare one partition_by for all, or leave out its date, so that it is built whole"
            )
            raise UnusableError(msg, model)
        if model.date is not None and found:
            periods[model.table.full_name] = found[0]


def refuse_dates_of_no_table(feeds: Iterable[Feed], models: Iterable[Model]) -> None:
    """Raise `UnusableError` for a model by date that reads no table by date: none of its dates would ever be built."""
    tables = [*(table for feed in feeds for table in feed.tables), *(model.table for model in models)]
    by_date = {table.full_name for table in tables if table.partitioning.is_by_date}
    for model in models:
        if model.date is not None and not by_date.intersection(model.upstream):
            msg = (
                f"{model.code} reads no table by date (it reads {', '.join(model.upstream) or 'none at all'}), so no "
                f"date of {model.table.full_name} would ever be built; leave out date={model.date!r}, so that it is "
                "built whole"
            )
            raise UnusableError(msg, model)


def refuse_shared_paths(models: Iterable[Model]) -> None:
    """Raise `UnusableError` for two models that are served at one path."""
    by_path: dict[str, Model] = {}
    for model in models:
        if model.serving is not None and (other := by_path.setdefault(model.serving.path, model)) is not model:
            msg = f"{other.name!r} and {model.name!r} are both served at {model.serving.path!r}; give one another path"
            raise UnusableError(msg, other, model)


def refuse_references(feeds: Mapping[str, Feed], broken: Iterable[Broken]) -> None:
    """Raise `UnusableError` for references to what no feed has, or one that cannot be loaded."""
    for feed in feeds.values():
        lost = [one for one in feed.awaited.values() if one.feed not in feeds]
        if lost and any(b.may_be_feed for b in broken):
            msg = (
                f"feed {feed.name!r} keeps records in quarantine until {lost[0].feed}.{lost[0].target} has their "
                f"{lost[0].column}, and no module that can be loaded declares it"
            )
            raise UnusableError(msg, feed, follows=True)
    if found := fault(feeds, may_lack=any(b.may_be_feed for b in broken)):
        raise UnusableError(found[0], *found[1])


def refuse_names(feeds: Iterable[Feed], views: Iterable[str]) -> None:
    """Raise `UnusableError` where a feed's table would have the name of another feed's, or of a view."""
    taken = {
        table.full_name: f"a table of the feed {feed.name!r}"
        for feed in feeds
        for table in feed.tables
        if table.name != feed.name
    }
    taken |= dict.fromkeys(views, "a view of the lake's own")
    for feed in feeds:
        if odd := next((table for table in (feed.silver, feed.quarantine) if table.full_name in taken), None):
            msg = f"{odd.full_name} is {taken[odd.full_name]}; give the feed {feed.name!r} another name"
            raise UnusableError(msg, feed)
