"""What waits for another table: models, because one that they read does not match its declaration, and feeds' records.

Its new contract was refused or is not yet applied, so a declared column has no values. Not here: what is pending.
"""

from collections.abc import Iterator

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline import reference_values
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.schema_evolution import differences_of


def reason_to_wait(lake: Lake, model: Model) -> str | None:
    """Return why nothing can be built of a model now, in one line; None when it can."""
    for name in model.upstream:
        if why := _unlike_its_declaration(lake, lake.registry.table(name)):
            return f"it is not rebuilt, and keeps its present rows: {why}"
    return None


def reason_for_feed_to_wait(lake: Lake, feed: Feed) -> str | None:
    """Return why nothing can be published of a feed now, in one line; None when it can."""
    return reference_values.obstacle(lake, feed)


def waiting_feeds(lake: Lake) -> Iterator[str]:
    """Yield a line per feed whose records wait in quarantine for what they reference, or that has to wait itself."""
    for feed in lake.registry.feeds.values():
        if not feed.awaited:
            continue
        if why := reason_for_feed_to_wait(lake, feed):
            yield f"{feed.silver.full_name}: {why}"
        elif missing := FeedState.of(lake, feed).missing:
            awaited = " and ".join(f"{one.feed}.{one.target}" for one in feed.awaited.values())
            yield (
                f"{feed.silver.full_name}: records of {counted(len(missing), feed.layout.unit)} wait in quarantine "
                f"for values of {awaited}. They are published by themselves when these come; silver.missing_references "
                "lists them"
            )


def waiting_models(lake: Lake) -> Iterator[str]:
    """Yield a line per model with pending work that has to wait: the model and the reason."""
    for model in lake.registry.models.values():
        if ModelState.read(lake, model).pending and (why := reason_to_wait(lake, model)):
            yield f"{model.table.full_name}: {why}"


def _unlike_its_declaration(lake: Lake, table: Table) -> str | None:
    if table.layer == "bronze" or not delta.exists(lake.store, table.path):
        return None
    try:
        changes = differences_of(lake.store, table.path, table.types, table.partitioning)
    except SchemaMismatchError as error:
        return str(error)
    if not changes:
        return None
    return (
        f"{table.full_name} does not yet have the column {min(changes)!r} as it is declared. "
        f"It is published first: `lakehouse run` does so, or says what is in its way."
    )
