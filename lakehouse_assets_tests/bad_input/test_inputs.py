"""Every input of the corpus ends where docs/bad-input.md says, beside a good file that loses nothing.

What is refused whole leaves no record, so all of that lands in one lake; each other input has a lake of its own.
"""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.bad_input import confined, table
from lakehouse_assets_tests.bad_input.inputs import CORPUS
from lakehouse_assets_tests.bad_input.outcome import GOOD, GOOD_KEY, disagreements, land_both, process, read
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import land, sales_csv

_PEAK_BYTES = 9 * 2**30 // 10
_CPU_SECONDS = 60 if EVERYTHING else 30
_SMALL = [name for name in table.rows() if name in CORPUS and not CORPUS[name].is_huge]
_COVERED = {name for name in _SMALL[::8] if "10,000" not in name}  # what is as wide as that takes seconds
_HUGE = [name for name in table.rows() if name in CORPUS and CORPUS[name].is_huge]
_REFUSED = {
    name: f"bad/{at:03}.{CORPUS[name].suffix}"
    for at, name in enumerate(_SMALL)
    if table.rows()[name].ends_as == "rejected" and not CORPUS[name].landed and not CORPUS[name].limit
}
"""Keys of what is refused whole, which sort before that of the good file."""
_ALONE = [name for name in _SMALL if EVERYTHING or name not in _REFUSED]  # `FAULTS=all`: each in a lake of its own


@pytest.fixture(scope="module")
def refused(once: Once) -> Lake:
    """All that is refused whole, beside one good file. Read only."""
    return lake_at(once(_refused))


def _refused(folder: Path) -> str:
    lake = lake_at(str(folder / "lake"))
    for name, key in _REFUSED.items():
        land(lake, key, CORPUS[name].make())
    land(lake, GOOD_KEY, sales_csv(GOOD))
    process(lake)
    return lake.settings.root


def test_the_page_names_exactly_the_inputs_that_are_generated() -> None:
    assert sorted(table.rows()) == sorted(CORPUS)
    assert {row.ends_as for row in table.rows().values()} == {"accepted", "quarantine", "rejected"}


def test_a_reason_is_promised_for_whatever_is_not_accepted() -> None:
    assert [row.name for row in table.rows().values() if (row.ends_as == "accepted") == bool(row.words)] == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow(covered=name in _COVERED)) for name in _ALONE]
)
def test_ends_where_the_page_says_and_the_good_file_is_published(name: str, tmp_path: Path) -> None:
    made, row = CORPUS[name], table.rows()[name]
    lake = lake_at(str(tmp_path / "lake"), **({"max_source_bytes": made.limit} if made.limit else {}))
    data = made.make()
    land_both(lake, made, data)
    process(lake)
    wrong = disagreements(row, made, data, read(lake, made.key))
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("name", _REFUSED)
def test_is_refused_beside_the_others_and_the_good_file_is_published(name: str, refused: Lake) -> None:
    made = CORPUS[name]
    wrong = disagreements(table.rows()[name], made, made.make(), read(refused, _REFUSED[name]))
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", _HUGE)
def test_large_ends_where_the_page_says_in_bounded_memory_and_time(name: str, tmp_path: Path) -> None:
    made, row = CORPUS[name], table.rows()[name]
    lake = lake_at(str(tmp_path / "lake"), **({"max_source_bytes": made.limit} if made.limit else {}))
    data = made.make()
    land_both(lake, made, data)
    done = confined.run(lake, timeout_s=5 * _CPU_SECONDS)
    assert done.returncode == 0, f"the process died ({done.returncode}): {done.stderr[-1_000:]}"
    cost = confined.Cost.read(done.stdout)
    wrong = disagreements(row, made, data, read(lake, made.key))
    if cost.peak_bytes > _PEAK_BYTES:
        wrong.append(f"the peak was {cost.peak_bytes / 2**30:.2f} GiB")
    if cost.cpu_seconds > _CPU_SECONDS:
        wrong.append(f"it took {cost.cpu_seconds:.0f} s of processor time")
    assert not wrong, "\n".join(wrong)
