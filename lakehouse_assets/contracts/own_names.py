"""Names that the declaration of a feed must not use: those of the lake's own, and two that only case tells apart.

Delta tables, and most readers of them, take such two for one. Not here: any other argument.
"""

import re
from collections.abc import Iterable, Mapping

from lakehouse_assets.contracts.source import Contract, ContractError, Source

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
    headers = dict[str, str]()
    for name, origin in sources.items():
        if (taken := origin.headers[0]).lower() in own or taken.startswith("_"):
            msg = (
                f"{contract.__name__}.{name}: the header {taken!r} is a name of the lake's own; put another "
                f"name before it: source('{name}', {taken!r})."
            )
            raise ContractError(msg)
        if (other := headers.setdefault(taken.lower(), taken)) != taken:
            msg = (
                f"{contract.__name__}.{name}: only case tells the headers {other!r} and {taken!r} apart, and no table "
                f"holds both; put another name before one of them: source('{name}_field', {taken!r})."
            )
            raise ContractError(msg)
    names = dict[str, str]()
    for name in contract.columns():
        if (other := names.setdefault(name.lower(), name)) != name:
            msg = f"{contract.__name__}.{name}: only case tells it from {other}, and no table holds both; rename one."
            raise ContractError(msg)
    if odd := next((n for n in contract.columns() if n.startswith("_") or n.lower() in {*_COLUMNS, *typed}), None):
        msg = f"{contract.__name__}.{odd}: the name is of the lake's own; give the column another one."
        raise ContractError(msg)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", feed):
        msg = f"feed {feed!r}: a name is lower-case letters, digits and underscores."
        raise ContractError(msg)
