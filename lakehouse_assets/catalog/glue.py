"""The Glue Data Catalog, where Athena and others find the lake's tables: compare first, write only what differs.

Only tables that bear the lake's mark are ever written or removed. `catalog.glue.json` keeps what the last refresh
wrote: so a refresh reads the schemas of changed tables only, and a check tells a change by hand from a pending one.
Not here: what stands in a table's entry, and the calls.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.catalog.glue_calls import IN_PARALLEL, GlueCalls, MissingError, RaceError, pause
from lakehouse_assets.catalog.glue_tables import (
    MARK,
    NoPlaceInGlueError,
    Wanted,
    differences,
    entry,
    is_ours,
    merged,
    shape,
    tables_of,
    wanted,
)
from lakehouse_assets.catalog.lake_formation import GOVERNED, PersonalTag, open_columns
from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed, keep, kept
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Table
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage.stores import StorageError

_STATE = "catalog.glue.json"
_LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")
_ATTEMPTS = 8


@dataclass(frozen=True)
class _Known:
    """What the last refresh kept of a table: what its entry follows from, and the entry, as fingerprints."""

    basis: int
    shape: int


@dataclass(frozen=True)
class GlueCatalog:
    """The catalog `catalog/glue`: a database per layer, whose names begin with the prefix.

    Attributes:
        personal_tag: The tag by which Lake Formation knows which columns are personal; empty where it does not.
    """

    prefix: str
    personal_tag: str = ""
    group = "catalog"
    name = "glue"
    description = "A database per layer in the Glue Data Catalog, with every stored table, for Athena and others."
    is_shared = True
    follows = ()

    def tables(self, lake: Lake) -> list[Table]:
        return tables_of(lake)

    def state(self, lake: Lake) -> CatalogState:
        asked = wanted(lake, self.prefix, self.personal_tag)
        said = [self.prefix, _calls(lake).region, [one.basis for one in asked]]
        inputs = {WHOLE: fingerprint(said)} if any(one.is_stored for one in asked) else {}
        return CatalogState(inputs, kept(lake.store, _STATE).get("built", {}))

    def refresh(self, lake: Lake) -> Refreshed:
        now, known, calls = self.state(lake), _known(lake), _calls(lake)
        asked = wanted(lake, self.prefix, self.personal_tag)
        tag = PersonalTag(self.personal_tag, calls.region) if self.personal_tag else None
        there = self._there(calls)
        for database in sorted({one.database for one in asked}):
            if there[database] is None:
                calls.create_database(database, f"Tables of the lake at {lake.settings.root}.")
        with ThreadPoolExecutor(IN_PARALLEL) as pool:
            done = list(
                pool.map(lambda one: _bring(lake, calls, one, _in(there, one), known.get(one.name), tag), asked)
            )
        held = {".".join(one.name): [one.basis, did.shape] for one, did in zip(asked, done, strict=True) if did.shape}
        keep(lake.store, _STATE, built=now.inputs, tables=held)
        lists = {title: [did.told for did in done if did.what == title] for title in _TOLD}
        counts = {"tables": len(held), "writes": sum(did.is_write for did in done)}
        uri = f"glue://{calls.region or 'default'}/{self.prefix}_*"
        return Refreshed(uri, {title: lines for title, lines in lists.items() if lines}, counts)

    def problems(self, lake: Lake) -> Iterator[Problem]:
        known, calls = _known(lake), _calls(lake)
        is_pending = bool(self.state(lake).pending)
        there = self._there(calls)
        asked = wanted(lake, self.prefix, self.personal_tag)
        for one in asked:
            found, name = _in(there, one), ".".join(one.name)
            try:
                if found is not None and not is_ours(lake, found):
                    yield Problem(name, _foreign(lake, found))
                elif one.name in known and found is None:
                    yield Problem(
                        name, "it is missing in Glue, and was there; `lakehouse run catalog.glue` puts it back"
                    )
                elif one.name in known and found is not None:
                    yield from _changed(lake, one, found, known[one.name])
                elif not is_pending:
                    entry(lake, one)  # what the last refresh could not register, it says why
            except NoPlaceInGlueError as error:
                yield Problem(name, str(error))
        for database, name in self._undeclared(lake, there):
            what = "no module declares it any more; `lakehouse catalog --remove` takes it out of Glue, the files stay"
            yield Problem(f"{database}.{name}", what, is_error=False)

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:
        if lake.registry.broken:
            msg = f"Nothing was removed from Glue: what is declared is not known. {lake.registry.broken[0]}"
            raise ContractError(msg)
        calls = _calls(lake)
        for database, name in self._undeclared(lake, self._there(calls)):
            calls.delete(database, name)
            yield f"{database}.{name}"

    def _there(self, calls: GlueCalls) -> dict[str, dict[str, Any] | None]:
        """Return the tables that are in Glue, by database; None for a database that is not there."""
        return {f"{self.prefix}_{layer}": calls.tables(f"{self.prefix}_{layer}") for layer in _LAYERS}

    def _undeclared(self, lake: Lake, there: dict[str, dict[str, Any] | None]) -> Iterator[tuple[str, str]]:
        """Yield the tables of this lake that no module declares; none while it is not known what is declared."""
        declared = {(f"{self.prefix}_{table.layer}", table.name.lower()) for table in tables_of(lake)}
        for database, tables in there.items() if not lake.registry.broken else ():
            for name, found in (tables or {}).items():
                if is_ours(lake, found) and (database, name) not in declared:
                    yield database, name


def registered(lake: Lake) -> dict[tuple[str, str], int]:
    """Return the tables that the last refresh left in Glue, by database and name, with what it said of each."""
    return {name: known.shape for name, known in _known(lake).items()}


_CREATED, _UPDATED, _MENDED, _LEFT = "registered", "updated", "put right after a change by hand", "left alone"
_TOLD = (_CREATED, _UPDATED, _MENDED, _LEFT)


@dataclass(frozen=True)
class _Did:
    """What a refresh did with one table. `shape` is what Glue holds now, as a fingerprint; 0 for nothing of ours."""

    what: str
    told: str
    shape: int

    @property
    def is_write(self) -> bool:
        return self.what in {_CREATED, _UPDATED, _MENDED}


def _bring(
    lake: Lake,
    calls: GlueCalls,
    one: Wanted,
    found: Any | None,  # noqa: ANN401
    known: _Known | None,
    tag: PersonalTag | None,
) -> _Did:
    """Have Glue hold a table as the lake says it.

    Args:
        found: What Glue holds under its name.
        known: What the last refresh kept of it.
        tag: What its columns are to bear.
    """
    name = ".".join(one.name)
    said: dict[str, Any] | None = None
    for attempt in range(_ATTEMPTS):
        if found is not None and not is_ours(lake, found):
            return _Did(_LEFT, f"`{name}`: {_foreign(lake, found)}", 0)
        holds = fingerprint(shape(found)) if found is not None else 0
        if known is not None and known == _Known(one.basis, holds):
            return _Did("", name, holds)
        try:
            said = said or entry(lake, one)
        except NoPlaceInGlueError as error:
            return _Did(_LEFT, str(error), 0)
        wanted_shape = fingerprint(shape(said))
        if holds == wanted_shape:
            _tag(lake, one, said, tag)
            return _Did("", name, holds)
        try:
            if found is None:
                calls.create(one.database, said)
            else:
                calls.update(one.database, merged(said, found))
        except (RaceError, MissingError) as error:
            if found is None and isinstance(error, MissingError):
                msg = f"The database {one.database} went out of Glue while its tables were written; `lakehouse run`."
                raise StorageError(msg) from error
            pause(attempt)
            found = calls.table(*one.name)
        else:
            _tag(lake, one, said, tag)
            by_hand = known is not None and known.shape != holds
            how = "it was gone" if found is None else differences(shape(found), shape(said))
            what = _MENDED if by_hand else _CREATED if found is None else _UPDATED
            return _Did(what, f"`{name}`" if what == _CREATED else f"`{name}`: {how}", wanted_shape)
    msg = f"{name} was changed in Glue {_ATTEMPTS} times while it was written; find who writes it, then run again."
    raise StorageError(msg)


def _tag(lake: Lake, one: Wanted, said: Mapping[str, Any], tag: PersonalTag | None) -> None:
    """Have Lake Formation know which columns are personal; after Glue has them, and before the refresh keeps that."""
    if tag is not None and one.table.layer in GOVERNED:
        columns = [*said["StorageDescriptor"]["Columns"], *said["PartitionKeys"]]
        tag.put(*one.name, (column["Name"] for column in columns), open_columns(lake.registry, one.table))


def _changed(lake: Lake, one: Wanted, found: Any, known: _Known) -> Iterator[Problem]:  # noqa: ANN401 - as Glue has it
    """Yield that a table of ours is neither as the last refresh left it nor as the next one would."""
    now = shape(found)
    if fingerprint(now) != known.shape and (how := differences(now, shape(entry(lake, one)))):
        what = f"it was changed in Glue by hand ({how}); `lakehouse run catalog.glue` writes it anew"
        yield Problem(".".join(one.name), what, is_error=False)


def _foreign(lake: Lake, found: Any) -> str:  # noqa: ANN401 - as Glue has it
    owner = found.get("Parameters", {}).get(MARK)
    whose = f"it belongs to the lake at {owner}" if owner else "somebody else made it"
    return (
        f"a table of this name is in Glue, and {whose}. It is left alone, and the lake's own table is not in Glue; "
        f"rename or remove that one, set its parameter {MARK} to {lake.settings.root} if the lake may write it, or "
        "choose another LAKEHOUSE_GLUE_PREFIX"
    )


def _in(there: dict[str, dict[str, Any] | None], one: Wanted) -> Any | None:  # noqa: ANN401 - as Glue has it
    return (there[one.database] or {}).get(one.name[1])


def _calls(lake: Lake) -> GlueCalls:
    return GlueCalls(lake.store.options.get("AWS_REGION"))


def _known(lake: Lake) -> dict[tuple[str, str], _Known]:
    rows = kept(lake.store, _STATE).get("tables", {}).items()
    return {(database, table): _Known(*said) for name, said in rows for database, _, table in [name.partition(".")]}
