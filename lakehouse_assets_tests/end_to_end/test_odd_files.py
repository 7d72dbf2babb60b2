"""From `discover` to gold without touching the draft: files as strangers write them, each with exact figures."""

import importlib
import json
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.conftest import SHARED, Cli
from lakehouse_assets_tests.end_to_end.odd_files import COUNT, ODD_FILES
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.retail import ingest, land, publish

MODEL = '''
import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class Revenue(dy.Schema):
    """One row."""

    amount = dy.Decimal(38, 4, nullable=False, description="Sum of the amounts.")


MODEL = Model(name="revenue", schema=Revenue, description="Revenue.", owner="team:x")
'''


def _discovered(cli: Cli, lake: Lake, package: Path, paths: list[Path], name: str) -> str:
    drafted = cli(lake, "discover", *paths, "--feed", name)
    assert drafted.returncode == 0, drafted.stderr
    (package / f"{name}.py").write_text(drafted.stdout, encoding="utf-8")
    registry_of.cache_clear()
    importlib.invalidate_caches()
    return drafted.stdout


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", pytest.param("s3", marks=IN_FULL)])
def test_every_odd_file_comes_from_discover_to_gold_as_it_says(
    place: str, cli: Cli, package: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lake: Lake = request.getfixturevalue("s3_lake" if place == "s3" else "lake")
    chosen = ODD_FILES if place == "folder" else {name: ODD_FILES[name] for name in ("mac_roman", "workbook")}
    files = {}
    for name, odd in chosen.items():
        files[name] = tmp_path / f"{name}.{odd.suffix}"
        files[name].write_bytes(odd.data)
        draft = _discovered(cli, lake, package, [files[name]], name)
        assert [words for words in odd.said if words not in draft] == [], draft
    (package / "revenue.py").write_text(MODEL)
    (package / "revenue.sql").write_text("SELECT sum(betrag) AS amount FROM silver.mac_roman")
    for name, file in files.items():
        assert cli(lake, "land", name, file).returncode == 0

    ran = cli(lake, "run")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    lake = Lake(store_for(lake.settings.root), Settings(root=lake.settings.root), registry_of(package.name))
    for name, odd in chosen.items():
        silver = delta.scan(lake.store, lake.registry.feed(name).silver.path, {}).collect().sort("_line")
        assert silver.select(odd.columns).rows() == [odd.record(at) for at in range(COUNT)], name
    total = sum(ODD_FILES["mac_roman"].record(at)[3] for at in range(COUNT))
    assert json.loads(cli(lake, "query", "FROM gold.revenue", "--format", "json").stdout) == [{"amount": float(total)}]
    assert cli(lake, "verify", "--deep").returncode == 0
    assert "implausible" not in ran.stdout + cli(lake, "query", "SELECT drift FROM ops.ledger").stdout


@pytest.mark.slow
def test_the_real_dumps_come_from_discover_to_silver_untouched(cli: Cli, lake: Lake, package: Path) -> None:
    dumps = {path.stem: path for path in sorted((SHARED / "data" / "bestbuy").glob("*.json"))}
    if not dumps:
        pytest.skip(f"the real data is not at {SHARED / 'data' / 'bestbuy'}")
    for name, file in dumps.items():
        _discovered(cli, lake, package, [file], name)
    for name, file in dumps.items():
        assert cli(lake, "land", name, file).returncode == 0
    assert cli(lake, "run").returncode == 0
    for name, file in dumps.items():
        records = json.loads(file.read_text(encoding="utf-8"))
        found = json.loads(cli(lake, "query", f"FROM silver.{name}", "--format", "json").stdout)
        assert sorted(str(row["id"]) for row in found) == sorted(
            {json.dumps(record, sort_keys=True): str(record["id"]) for record in records}.values()
        )
    stores = {row["id"]: row for row in json.loads(cli(lake, "query", "FROM silver.stores", "--format", "json").stdout)}
    for record in json.loads(dumps["stores"].read_text(encoding="utf-8")):
        assert float(stores[record["id"]]["location_lat"]) == record["location"]["lat"]


@pytest.mark.slow
def test_a_year_of_real_files_comes_from_discover_to_silver_untouched(
    cli: Cli, lake: Lake, package: Path, real_days: list[Path]
) -> None:
    folder = real_days[0].parent
    draft = _discovered(cli, lake, package, [folder], "retail")
    assert f"of 24 of {len(real_days)} files" in draft
    lake = Lake(lake.store, lake.settings, registry_of(package.name))
    for file in real_days:
        land(lake, file.name, file.read_bytes(), "retail")
    ingest(lake, feed="retail")
    outcomes = publish(lake, feed="retail").values()
    assert {outcome.verdict for outcome in outcomes} == {"published"}
    counts = [(outcome.valid, outcome.quarantined, outcome.duplicates) for outcome in outcomes]
    assert [sum(count) for count in zip(*counts, strict=True)] == [536_641, 0, 5_268]
