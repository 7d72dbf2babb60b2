"""The wheel holds all that the lake needs: it works in an environment of its own, from any folder."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests.deploy.image import Installed

pytestmark = pytest.mark.slow


def test_the_wheel_holds_every_file_of_the_package_and_no_other(installed: Installed) -> None:
    [wheel] = installed.folder.parent.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "lakehouse_assets"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert packed == {name for name in listed if (PROJECT / name).exists()}


def test_its_definitions_are_valid_in_another_folder(installed: Installed, tmp_path: Path) -> None:
    where = (
        "from lakehouse_assets.lake_settings import PROJECT; import lakehouse_assets.settings as s; "
        "print(s.__file__, PROJECT, s.settings().athena_sql)"
    )
    _, said = installed.said(["python", "-c", where], tmp_path)
    file, project, athena = said.split()
    assert Path(file).is_relative_to(installed.packages)
    assert Path(project) == tmp_path
    assert len(list(Path(athena).rglob("*.sql"))) >= 6

    code, said = installed.said(["dagster", "definitions", "validate", "-m", "lakehouse_assets.definitions"], tmp_path)
    assert (code, "All code locations passed" in said) == (0, True), said
    assert list(tmp_path.iterdir()) == []
