"""What is prepared for a session's workers is made once, and what is half made is never taken for whole."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse_assets_tests.prepared import Once

WORKERS = 4


def made(folder: Path, log: Path, what: str, breaks: int = 0) -> tuple[Path, str]:
    """Note that it began, and break in the midst of it the first times."""
    with log.open("a") as file:
        file.write(f"{what}\n")
    assert list(folder.iterdir()) == []
    (folder / "half").touch()
    if len(log.read_text().splitlines()) <= breaks:
        raise OSError(what)
    return folder, what


def test_workers_that_ask_at_once_get_what_one_of_them_made(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ThreadPoolExecutor(WORKERS) as workers:
        got = list(workers.map(lambda _: Once(tmp_path)(made, log, "a lake"), range(WORKERS)))
    [(folder, what)] = set(got)
    assert what == "a lake"
    assert (folder / "half").exists()
    assert log.read_text() == "a lake\n"


def test_of_other_inputs_another_is_made(tmp_path: Path) -> None:
    once, log = Once(tmp_path), tmp_path / "log"
    assert [once(made, log, what)[1] for what in ("one", "other", "one")] == ["one", "other", "one"]
    assert log.read_text() == "one\nother\n"


def test_what_was_left_half_made_is_made_anew_in_an_empty_folder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(OSError, match="a lake"):
        Once(tmp_path)(made, log, "a lake", breaks=1)
    folder, _ = Once(tmp_path)(made, log, "a lake", breaks=1)
    assert log.read_text() == "a lake\n" * 2
    assert len(list(tmp_path.glob("*/half"))) == 2
    assert Once(tmp_path)(made, log, "a lake", breaks=1)[0] == folder
