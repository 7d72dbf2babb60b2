"""The same records give the same tables, in whatever form they land and wherever the lake lies.

On S3 sixteen days of them; `FAULTS=all`: every one of the real days.
"""

from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import Cli, lake_at
from lakehouse_assets_tests.end_to_end.comparing import assert_same, tables
from lakehouse_assets_tests.end_to_end.forms import FORMS, mixed
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.prepared import Once

pytestmark = pytest.mark.slow
# A refused record stands in the first, the clocks change on the second.
CURIOUS = ("2011-08-12", "2011-03-27")
DAYS, BEYOND_ASCII = 16, 10


@pytest.fixture(scope="session")
def sample(real_days: list[Path]) -> list[Path]:
    """The curious days, some with characters beyond ASCII, and the first others."""
    odd = [path for path in real_days if not path.read_bytes().isascii()][:BEYOND_ASCII]
    chosen = {*odd, *(path for path in real_days if path.stem in CURIOUS)}
    return sorted([*chosen, *(path for path in real_days if path not in chosen)][:DAYS])


@pytest.fixture(scope="session")
def expected(sample: list[Path], once: Once) -> dict[str, pl.DataFrame]:
    """The tables of the sample, landed as the files are."""
    return once(_expected, sample)


def _expected(folder: Path, sample: list[Path]) -> dict[str, pl.DataFrame]:
    return tables(of_form("plain", sample, lake_at(str(folder / "lake"))))


def of_form(form: str, days: list[Path], lake: Lake) -> Lake:
    for key, data in FORMS[form](days):
        retail.land(lake, key, data)
    retail.run(lake)
    return lake


def test_the_sample_holds_what_could_differ(expected: dict[str, pl.DataFrame]) -> None:
    assert expected["quarantine.sales"].height == 2
    assert expected["silver.sales"]["description"].str.contains("£").sum() > 0
    assert expected["silver.sales"]["dt"].n_unique() == DAYS


@pytest.mark.parametrize("form", [name for name in FORMS if name != "plain"])
def test_another_form_gives_the_same_tables(
    form: str, sample: list[Path], expected: dict[str, pl.DataFrame], lake: Lake
) -> None:
    assert_same(of_form(form, sample, lake), expected)


def test_days_in_every_form_on_s3_give_the_same_tables(
    request: pytest.FixtureRequest, s3_lake: Lake, cli: Cli, tmp_path: Path
) -> None:
    days, tables = ("real_days", "real_tables") if EVERYTHING else ("sample", "expected")
    land_mixed(s3_lake, request.getfixturevalue(days), cli, tmp_path / "drops")

    ran = cli(s3_lake, "run")

    assert ran.returncode == 0, ran.stderr
    assert_same(s3_lake, request.getfixturevalue(tables))
    force = cli(s3_lake, "run")
    assert (force.returncode, "Nothing is pending" in force.stdout) == (0, True)


def land_mixed(lake: Lake, days: list[Path], cli: Cli, folder: Path) -> None:
    for key, data in mixed(days):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert cli(lake, "land", "sales", folder).returncode == 0
