"""Tables are found where they are declared, in an order in which they can be built."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dataframely as dy
import pytest

import lakehouse_assets.defs.silver
from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.registry import Registry, registry, registry_of
from lakehouse_assets_tests.contracts.orders import orders

pytestmark = pytest.mark.usefixtures("every_table")


class Totals(dy.Schema):
    units = dy.Int64(nullable=False)


class Days(dy.Schema):
    day = dy.Date(nullable=False)


def _model(folder: Path, name: str, *reads: str) -> Model:
    file = folder / f"{name}.sql"
    file.write_text(f"FROM {', '.join(reads)} SELECT 1 AS units" if reads else "SELECT 1 AS units")
    return Model(name=name, schema=Totals, sql=file, description="x", owner="team:x")


@pytest.fixture
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(sys.modules)
    registry_of.cache_clear()
    yield
    registry_of.cache_clear()
    for name in sys.modules.keys() - before.keys():
        if name.startswith("lakehouse_assets.defs.silver."):
            del sys.modules[name]
            monkeypatch.delattr(lakehouse_assets.defs.silver, name.rsplit(".", 1)[1], raising=False)


FLAGS = '''
"""The flags feed."""
import dataframely as dy
from lakehouse_assets.contracts.declare import Contract, Feed, source
from lakehouse_assets.defs.silver.sales import FEED as SALES

class Flags(Contract):
    """One flag."""
    country = dy.String(nullable=False, metadata=source("Country"))

FEED = Feed(name="flags", contract=Flags, description="Flags.", owner=SALES.owner)
'''


@pytest.mark.usefixtures("_forget")
def test_a_new_module_is_enough_to_declare_a_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "flags" not in registry().feeds
    (tmp_path / "flags.py").write_text(FLAGS)
    registry_of.cache_clear()
    folders = [*lakehouse_assets.defs.silver.__path__, str(tmp_path)]
    monkeypatch.setattr(lakehouse_assets.defs.silver, "__path__", folders)
    importlib.invalidate_caches()
    found = registry()
    assert found.feed("flags").description == "Flags."
    assert {"bronze.flags", "silver.flags", "quarantine.flags"} < {table.full_name for table in found.tables()}
    assert list(found.feeds).count("sales") == 1  # imported by the new module, declared once


def test_every_declared_module_has_its_table() -> None:
    package = Path(lakehouse_assets.defs.silver.__file__ or "").parent
    assert sorted(file.stem for file in package.glob("*.py") if file.stem != "__init__") == sorted(registry().feeds)
    gold = package.parent / "gold"
    assert sorted(file.stem for file in gold.glob("*.py") if file.stem != "__init__") == sorted(registry().models)


def test_every_table_and_column_is_described_and_owned() -> None:
    for table in registry().tables():
        assert table.description.endswith("."), table.full_name
        assert table.owner.startswith("team:"), table.full_name
        assert [name for name, column in table.columns.items() if not column.description] == [], table.full_name


def test_models_come_after_what_they_read(tmp_path: Path) -> None:
    chain = [_model(tmp_path, "a", "gold.b"), _model(tmp_path, "b", "gold.c", "silver.orders"), _model(tmp_path, "c")]
    found = Registry([orders()], chain)
    assert list(found.models) == ["c", "b", "a"]
    assert [[model.name for model in wave] for wave in found.levels()] == [["c"], ["b"], ["a"]]


def test_independent_models_share_a_wave(tmp_path: Path) -> None:
    models = [_model(tmp_path, "a", "silver.orders"), _model(tmp_path, "b", "gold.a"), _model(tmp_path, "c")]
    waves = Registry([orders()], models).levels()
    assert [sorted(model.name for model in wave) for wave in waves] == [["a", "c"], ["b"]]


def test_two_feeds_of_one_name_are_refused() -> None:
    with pytest.raises(ContractError, match="'orders' is declared twice; give one of the two another name"):
        Registry([orders(), orders()], [])


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="'a' is declared twice"):
        Registry([], [_model(tmp_path, "a"), _model(tmp_path, "a")])


def test_a_model_that_reads_an_undeclared_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"a.sql reads silver.oders, which no module declares; correct the name"):
        Registry([orders()], [_model(tmp_path, "a", "silver.oders")])


def test_models_that_read_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    models = [_model(tmp_path, "a", "gold.b"), _model(tmp_path, "b", "gold.a")]
    with pytest.raises(ContractError, match=r"models read each other in a circle: gold.\w -> gold.\w -> gold.\w"):
        Registry([], models)


def test_an_unknown_feed_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ContractError, match=r"there is no feed 'sale'; declared are: .*sales"):
        registry().feed("sale")


@pytest.mark.parametrize(("reads", "named"), [((), "none at all"), (("silver.customers",), "silver.customers")])
def test_a_model_by_date_that_reads_no_table_by_date_is_refused(
    tmp_path: Path, reads: tuple[str, ...], named: str
) -> None:
    model = replace(_model(tmp_path, "days", *reads), schema=Days, date="day")
    feeds = list(registry().feeds.values())
    with pytest.raises(ContractError, match=rf"days\.sql reads no table by date \(it reads {named}\).*leave out date"):
        Registry(feeds, [model])
    Registry(feeds, [replace(model, date=None)])
    Registry(feeds, [replace(_model(tmp_path, "days", *reads, "silver.sales"), schema=Days, date="day")])
