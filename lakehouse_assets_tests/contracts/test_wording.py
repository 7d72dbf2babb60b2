"""Partitions and counts are said as a person says them."""

import pytest

from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.contracts.wording import counted, in_words


@pytest.mark.parametrize(
    ("partitions", "words"),
    [
        ([WHOLE], "the whole table"),
        (["2011-05-29"], "2011-05-29"),
        (["2011-05-29", "2011-05-30"], "2 dates, 2011-05-29 .. 2011-05-30"),
        (["2011-05-29", UNDATED], "2011-05-29 and records without a date"),
        ([UNDATED, "2011-05-30", "2011-05-29"], "2 dates, 2011-05-29 .. 2011-05-30 and records without a date"),
        ([UNDATED], "records without a date"),
        (["bucket=00", "bucket=07"], "2 buckets of keys"),
    ],
)
def test_partitions_in_words(partitions: list[str], words: str) -> None:
    assert in_words(partitions) == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 dates"), (1, "1 date"), (1234, "1,234 dates")])
def test_a_number_with_what_it_counts(number: int, words: str) -> None:
    assert counted(number, "date") == words
