"""The local catalog: one DuckDB file with a view per table, for any tool that reads DuckDB.

The file is replaced as a whole, so a reader sees one consistent set of table versions. A lake on S3 has none: reading
it would need an extension that is downloaded; AWS engines read the Delta tables themselves.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from lakehouse_assets.catalog.duckdb_select import select_of
from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.contracts.sql_text import literal
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage import delta_log
from lakehouse_assets.storage.stores import StorageError

if TYPE_CHECKING:
    import duckdb

PATH = "catalog.duckdb"
_STATE = "catalog.json"
_LOCK = f".{PATH}.lock"
# Of all rebuilds that wait for one another: one takes seconds.
_LONGEST_WAIT_SECONDS = 600.0


class DuckDbViews:
    """The catalog `catalog/duckdb`: one file, which nobody else writes."""

    group = "catalog"
    name = "duckdb"
    description = "One DuckDB file with a view per table, for any tool that speaks DuckDB. A lake on S3 has none."
    is_shared = False
    follows = ()

    def tables(self, lake: Lake) -> list[Table]:
        return _tables(lake)

    def state(self, lake: Lake) -> CatalogState:
        return state(lake)

    def refresh(self, lake: Lake) -> Refreshed:
        if lake.settings.is_s3:
            root = lake.settings.root
            msg = f"{root} has no DuckDB catalog: ask `lakehouse query`, or any engine that reads Delta on S3."
            raise StorageError(msg)
        return Refreshed(lake.store.uri(PATH), {"views": [f"`{name}`" for name in rebuild(lake)]})

    def problems(self, lake: Lake) -> Iterator[Problem]:
        if problem := damage(lake):
            yield Problem("", f"{problem}; `lakehouse run` writes it anew")
            return
        now = state(lake)
        if now.inputs and not now.pending:
            for view, reason in unreadable_views(lake):
                yield Problem(view, f"it cannot be read: {reason}")

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:  # noqa: ARG002 - each refresh leaves it out by itself
        yield from ()


def state(lake: Lake) -> CatalogState:
    """Return the versions of all tables now, and those that the catalog shows; nothing is pending on S3."""
    built: dict[str, int] = {}
    if lake.store.stat(_STATE) and damage(lake) is None:
        built = json.loads(lake.store.read(_STATE))["built"]
    versions = {} if lake.settings.is_s3 else _versions(lake)
    return CatalogState({WHOLE: fingerprint([versions, _signature(lake)])} if versions else {}, built)


def rebuild(lake: Lake) -> list[str]:
    """Write the catalog anew and return the names of its views.

    A view names every file of its table, which takes a while: that of a table that is as it was is taken over.
    Two processes write one after the other: the later one shows whatever was committed before it.
    """
    with _only_writer(lake):
        return _rebuilt(lake)


@contextmanager
def _only_writer(lake: Lake) -> Iterator[None]:
    lock = FileLock(lake.store.uri(_LOCK), timeout=_LONGEST_WAIT_SECONDS)
    try:
        lock.acquire()
    except OSError as error:
        why = error.strerror or f"another process has held it for {_LONGEST_WAIT_SECONDS:.0f} seconds"
        msg = (
            f"{lake.store.uri(_LOCK)}: {why}. {PATH} stays as it is; tables are not touched. End that process or check "
            "the folder, then `lakehouse run` writes the catalog."
        )
        raise StorageError(msg) from error
    try:
        yield
    finally:
        lock.release()


def _rebuilt(lake: Lake) -> list[str]:
    import duckdb  # noqa: PLC0415 - not at import of the code location

    now, bases = state(lake), _bases(lake)
    views: list[str] = []
    kept = _views_of_broken(lake)
    last, known = _last(lake, bases)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / PATH
        if last is not None:
            file.write_bytes(last)
        with duckdb.connect(str(file)) as connection:
            for table in _tables(lake):
                views.append(table.full_name)
                if known.get(table.full_name) == bases[table.full_name]:
                    continue
                connection.sql(f'CREATE SCHEMA IF NOT EXISTS "{table.layer}"')
                connection.sql(f'CREATE OR REPLACE VIEW "{table.layer}"."{table.name}" AS {select_of(lake, table)}')
                comment = literal(table.description)
                connection.sql(f'COMMENT ON VIEW "{table.layer}"."{table.name}" IS {comment}')
            for name, text in lake.registry.views.items():
                if name not in kept:
                    # Always: it would not be read once a table below it has another column.
                    connection.sql(f"CREATE OR REPLACE VIEW {name} AS {text}")
                    views.append(name)
            views += _create(connection, kept)
        data = file.read_bytes()
    lake.store.replace(PATH, data)
    about = {"built": now.inputs, "sha256": hashlib.sha256(data).hexdigest(), "views": {} if kept else bases}
    lake.store.replace(_STATE, json.dumps(about).encode())
    return views


def _bases(lake: Lake) -> dict[str, int]:
    """Return what each view follows from, as fingerprints by name: the files of its table and the declaration."""
    of_tables = {
        table.full_name: fingerprint([lake.store.root, delta_log.read(lake.store, table.path).identity, declaration])
        for table, declaration in zip(_tables(lake), _declarations(lake), strict=True)
    }
    return of_tables | {name: fingerprint(text) for name, text in lake.registry.views.items()}


def _last(lake: Lake, bases: dict[str, int]) -> tuple[bytes | None, dict[str, int]]:
    """Return the catalog as the last run wrote it and what its views followed from; nothing where it cannot go on.

    Args:
        bases: The views to write, as `_bases` returns them: those of the last catalog must be the same ones.
    """
    if lake.registry.broken or not lake.store.stat(_STATE) or damage(lake) is not None:
        return None, {}
    known: dict[str, int] = json.loads(lake.store.read(_STATE)).get("views", {})
    return (lake.store.read(PATH), known) if known.keys() == bases.keys() else (None, {})


def _views_of_broken(lake: Lake) -> dict[str, str]:
    """Return the SQL of views that stay as they are: of tables whose declarations cannot be loaded, and over them."""
    import duckdb  # noqa: PLC0415

    if not lake.registry.broken or not lake.store.stat(PATH) or damage(lake) is not None:
        return {}
    known = {table.full_name for table in _tables(lake)}
    with duckdb.connect(lake.store.uri(PATH), read_only=True) as connection:
        there = connection.sql("SELECT schema_name || '.' || view_name, sql FROM duckdb_views() WHERE NOT internal")
        return {name: statement for name, statement in there.fetchall() if name not in known}


def _create(connection: "duckdb.DuckDBPyConnection", statements: dict[str, str]) -> list[str]:
    """Create views, those over others after them, and return their names. One over what is gone is left out."""
    import duckdb  # noqa: PLC0415

    left, made = dict(statements), [""]
    while left and made:
        made = []
        for name, statement in left.items():
            connection.sql(f'CREATE SCHEMA IF NOT EXISTS "{name.split(".")[0]}"')
            with suppress(duckdb.CatalogException):
                connection.sql(statement)
                made.append(name)
        left = {name: statement for name, statement in left.items() if name not in made}
    return [name for name in statements if name not in left]


def damage(lake: Lake) -> str | None:
    """Return how the catalog differs from the one that the last run wrote; None when it does not."""
    if not lake.store.stat(_STATE):
        return None
    if not (stored := lake.store.stat(PATH)):
        return f"{PATH} is missing"
    try:
        about = json.loads(lake.store.read(_STATE))
    except ValueError:
        return f"{_STATE} is no JSON"
    # A writer may be killed between the two files.
    if about.get("sha256") != _sha256(lake.store.uri(PATH), stored.token, lambda: lake.store.read(PATH)):
        return f"{PATH} is not the file that {_STATE} speaks of"
    return None


_DIGESTS: dict[str, tuple[str, str]] = {}


def _sha256(uri: str, token: str, read: Callable[[], bytes]) -> str:
    """Return the hash of a file, which a process reads once in each version: it grows with the number of files."""
    if _DIGESTS.get(uri, ("", ""))[0] != token:
        _DIGESTS[uri] = token, hashlib.sha256(read()).hexdigest()
    return _DIGESTS[uri][1]


def unreadable_views(lake: Lake) -> Iterator[tuple[str, str]]:
    """Yield the views of a local catalog that cannot be read, each with the reason."""
    import duckdb  # noqa: PLC0415

    with duckdb.connect(lake.store.uri(PATH), read_only=True) as connection:
        for name in (*(table.full_name for table in _tables(lake)), *lake.registry.views):
            try:
                connection.sql(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608 - names of our own
            except duckdb.Error as error:
                yield name, str(error).splitlines()[0]


def _tables(lake: Lake) -> list[Table]:
    return [*(table for table in lake.registry.tables() if table.layer != "bronze"), ACCOUNTING]


def _versions(lake: Lake) -> dict[str, str]:
    found = ((table.path, delta_log.read(lake.store, table.path).version) for table in _tables(lake))
    return {path: f"{path}/_delta_log/{version:020}.json" for path, version in found if version >= 0}


def _signature(lake: Lake) -> list[str]:
    return [lake.store.root, *lake.registry.views.values(), *_declarations(lake)]


def _declarations(lake: Lake) -> list[str]:
    return [f"{t.full_name} {t.description} {sorted(t.columns)} {t.partitioning}" for t in _tables(lake)]
