"""What the pipeline knows of erasures: an object is cleaned before it is read, and what was taken out is on record."""

import hashlib

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions import recorded
from lakehouse_assets.erasure.protocol import IS_BLANK, Erasures, unfinished
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.sources.manifest import Manifest
from lakehouse_assets.storage.stores import Stored
from lakehouse_assets_tests.retail import land, line, sales, sales_csv

PERSON = "9876543210"
DATA = sales_csv([line(CustomerID="13047"), line(CustomerID=PERSON), line(CustomerID="12583")])
BEFORE = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def erasures(lake: Lake) -> Erasures:
    """The erasure of the person, recorded before anything landed."""
    recorded.record(lake.store, ask(lake, sales(lake), f"customer_id={PERSON}", "a request", "ann").decision)
    return Erasures.load(lake, sales(lake))


def landed(lake: Lake, key: str = "a.csv") -> Stored:
    land(lake, key, DATA)
    stored = lake.store.stat(f"landing/sales/{key}")
    assert stored is not None
    return stored


def test_without_an_erasure_nothing_is_done(lake: Lake) -> None:
    none, stored = Erasures.load(lake, sales(lake)), landed(lake)
    assert not none
    assert none.clean(stored, DATA)[:3] == (stored, DATA, none)
    assert unfinished(lake, sales(lake), recorded.Decisions.load(lake.store, "sales")) == []


def test_a_cleaned_object_has_a_blank_record_and_another_hash(lake: Lake, erasures: Erasures) -> None:
    assert erasures
    now, data, since, found = erasures.clean(landed(lake), DATA)
    after = hashlib.sha256(data).hexdigest()
    assert (lake.store.read(now.path), PERSON.encode() in data, found.records) == (data, False, 1)
    assert (since.has_replaced(BEFORE), since.has_replaced(after), since.has_refused(after)) == (True, False, False)

    records = since.blanked(parse(data, sales(lake), 2**30)[0], after)
    assert records.select(IS_BLANK).to_series().to_list() == [False, True, False]
    assert records.filter(IS_BLANK)["CustomerID"].to_list() == [None]
    assert not since.matches(records).any()
    assert since.clean(now, data).found.data is None


def test_a_dry_run_finds_and_writes_nothing(lake: Lake, erasures: Erasures) -> None:
    stored = landed(lake)
    assert erasures.clean(stored, DATA, dry_run=True).found.records == 1
    assert lake.store.stat(stored.path) == stored
    assert Erasures.load(lake, sales(lake)).evidence.before == {}


def test_what_the_whole_object_did_not_keep_of_its_manifest_counts(lake: Lake, erasures: Erasures) -> None:
    lake.store.create("landing/sales/a.csv.manifest.json", b'{"rows": 3}')
    lake.store.create("landing/sales/b.csv.manifest.json", b'{"rows": 2}')
    kept, broken = (erasures.clean(landed(lake, key), DATA) for key in ("a.csv", "b.csv"))
    digests = {key: hashlib.sha256(f'{{"rows": {rows}}}'.encode()).hexdigest() for key, rows in (("a", 3), ("b", 2))}
    since, after = broken.erasures, hashlib.sha256(kept.data).hexdigest()
    assert since.mismatch(after, Manifest("t", digests["a"]), "2 rows") is None
    assert "the manifest says 2 rows, the object has 3" in str(since.mismatch(after, Manifest("t", digests["b"]), None))
    assert "came after a person was erased" in str(since.mismatch(after, Manifest("t", "another"), None))
    assert since.mismatch("0" * 64, Manifest("t", "another"), "as it is now") == "as it is now"


def test_a_correction_in_another_column_is_nobodys(lake: Lake, erasures: Erasures) -> None:
    records = parse(DATA, sales(lake), 2**30)[0].with_columns(pl.lit(PERSON).alias("Country"))
    assert erasures.matches(records).to_list() == [False, True, False]
