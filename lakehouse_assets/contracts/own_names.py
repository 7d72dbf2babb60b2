"""Names that a feed's declaration must not use: they are the lake's own, or no table can hold them. Nothing else."""

import re
from collections.abc import Iterable, Mapping

from lakehouse_assets.contracts.source import Contract, ContractError, Source
from lakehouse_assets.contracts.storable import alike

_HEADERS = frozenset({"dt", "rules"})
_COLUMNS = frozenset({"dt"})


def check_names(
    feed: str, contract: type[Contract], sources: Mapping[str, Source], raw: Iterable[str], typed: Iterable[str]
) -> None:
    """Raise `ContractError` where a name cannot be one: of the feed, of a header that is read, of a column.

    Args:
        sources: Columns that are read, by name.
        raw: Partition columns of bronze and quarantine, which hold the headers.
        typed: Partition columns of silver.
    """
    own = {name.lower() for name in (*_HEADERS, *raw)}
    for name, origin in sources.items():
        if (taken := origin.headers[0]).lower() in own or taken.startswith("_"):
            msg = (
                f"{contract.__name__}.{name}: the header {taken!r} is a name of the lake's own; put another "
                f"name before it: source('{name}', {taken!r})."
            )
            raise ContractError(msg)
    if twins := alike(origin.headers[0] for origin in sources.values()):
        one, other = twins
        msg = (
            f"{contract.__name__}: only case tells the headers {one!r} and {other!r} apart, and no table holds both; "
            f"put another name before one of them, such as source('{other}_field', {other!r})."
        )
        raise ContractError(msg)
    if odd := next((n for n in contract.columns() if n.startswith("_") or n.lower() in {*_COLUMNS, *typed}), None):
        msg = f"{contract.__name__}.{odd}: the name is of the lake's own; give the column another one."
        raise ContractError(msg)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", feed):
        msg = f"feed {feed!r}: a name is lower-case letters, digits and underscores."
        raise ContractError(msg)
