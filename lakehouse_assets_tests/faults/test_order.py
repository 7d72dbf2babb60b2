"""Whatever the order, the repetition and the runs between: the tables follow from what is live, and from nothing else.

Each version of an object is seen by an ingest, as landing keeps the latest only. Where all versions of a key are good,
those that were overwritten unseen must not matter either.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import UNDATED
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish as publish_parts
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Tell
from lakehouse_assets_tests.faults.reading import Tables, differences, tables_of, unsettled
from lakehouse_assets_tests.retail import day, line, sales_csv, zipped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
_EXAMPLES = 500 if EVERYTHING else 6
_DAYS = ("2011-03-01", "2011-03-02", "2011-03-03")

BLOCKS: dict[str, tuple[str, list[dict[str, str | None]]]] = {
    **{f"few {at}": (date, day(date, 2)) for at, date in enumerate(_DAYS)},
    **{f"many {at}": (date, day(date, 22)) for at, date in enumerate(_DAYS)},
    **{
        f"bad {at}": (date, [line(InvoiceDate=f"{date} 12:00:00", Quantity="1.5")]) for at, date in enumerate(_DAYS[:2])
    },
    "equal": (_DAYS[0], [line(**{**record, "StockCode": " 85123a "}) for record in day(_DAYS[0], 2)]),
    "undated": (UNDATED, [line(InvoiceDate="no day")]),
    "early": ("1999-12-31", day("1999-12-31", 1)),
}
"""Records to make files of, each with their partition."""

Content = tuple[str, ...]
"""A file: names of blocks, in order."""


@dataclass(frozen=True)
class Version:
    """One version of a landed object: what is in it, by the rest of the source key; None is what will be refused."""

    sources: Mapping[str, Content | None]
    junk: bytes = b""

    @property
    def good(self) -> bool:
        return all(content is not None for content in self.sources.values())

    @property
    def data(self) -> bytes:
        members = {name: self.junk if content is None else csv_of(content) for name, content in self.sources.items()}
        return members[""] if "" in members else zipped({name.removeprefix("!"): d for name, d in members.items()})


def csv_of(content: Content) -> bytes:
    return sales_csv([record for block in content for record in BLOCKS[block][1]])


# Few of them, so that the same content comes under several keys, is replaced, and comes back.
CONTENTS: tuple[Content, ...] = (
    (),
    ("few 0",),
    ("few 1",),
    ("few 0", "few 1"),
    ("few 0", "few 0", "equal"),
    ("equal", "many 2"),
    ("many 0", "bad 0"),
    ("bad 0",),
    ("bad 1", "few 0"),
    ("many 1", "undated"),
    ("few 2", "early", "undated"),
)
contents = st.sampled_from(CONTENTS)
refusals = st.sampled_from([b"", b"not,sales\n1,2\n"])
maybe = st.one_of(contents, contents, contents, st.none())
plain = st.builds(lambda content, junk: Version({"": content}, junk), maybe, refusals | st.just(b"PK\x03\x04 cut"))
archives = st.builds(Version, st.dictionaries(st.sampled_from(["!a.csv", "!b.csv"]), maybe, min_size=1), refusals)
versions = st.one_of(*(st.lists(kind, min_size=1, max_size=3) for kind in (plain, archives, plain | archives)))


@dataclass(frozen=True)
class Story:
    """Versions of objects by key, the order in which they land, and what is done after each landing."""

    objects: Mapping[str, list[Version]]
    landings: list[str]
    actions: list[str]
    batch_bytes: int
    batch_rows: int


@st.composite
def stories(draw: st.DrawFn) -> Story:
    objects = draw(st.dictionaries(st.sampled_from(["a", "b.csv", "c.zip"]), versions, min_size=1))
    landings = draw(st.permutations([key for key, found in objects.items() for _ in found]))
    acts = st.sampled_from(["", "", "ingest", "half", "run", "run", "repeat", "again"])
    actions = draw(st.lists(acts, min_size=len(landings), max_size=len(landings)))
    sizes = draw(st.sampled_from([1, 4_000, 2**20])), draw(st.sampled_from([1, 30, 10**6]))
    return Story(objects, list(landings), actions, *sizes)


@dataclass
class Played:
    """A lake that a story happens to, and what it last published of each date."""

    lake: Lake
    published: dict[str, list[str]] = field(default_factory=dict)

    def act(self, action: str, key: str, data: bytes) -> None:
        match action:
            case "ingest":
                retail.ingest(self.lake)
            case "half":
                retail.ingest(self.lake)
                self._stop_after_a_batch()
            case "run" | "again":
                retail.ingest(self.lake)
                retail.publish(self.lake, force=action == "again")
                retail.build(self.lake)
            case "repeat":
                retail.land(self.lake, key, data)
        self._remember()

    def _stop_after_a_batch(self) -> None:
        feed = retail.sales(self.lake)
        state = FeedState.read(self.lake, feed, self.lake.ledger_of(feed))
        list(islice(publish_parts(self.lake, feed, state.pending, "test"), 1))

    def _remember(self) -> None:
        feed = retail.sales(self.lake)
        state = FeedState.read(self.lake, feed, self.lake.ledger_of(feed))
        silver = rows_by_date(tables_of(self.lake, "silver")["silver.sales"])
        for partition, value in state.inputs.items():
            if state.silver.get(partition) == value:
                self.published[partition] = silver.get(partition, [])


def play(story: Story, root: str) -> Played:
    """Let a story happen, and run to the end."""
    played = Played(lake_at(root, ingest_batch_bytes=story.batch_bytes, publish_batch_rows=story.batch_rows))
    landed: Counter[str] = Counter()
    for key, action in zip(story.landings, story.actions, strict=True):
        if landed[key] and not all(version.good for version in story.objects[key]):
            retail.ingest(played.lake)
        data = story.objects[key][landed[key]].data
        landed[key] += 1
        retail.land(played.lake, key, data)
        played.act(action, key, data)
    played.act("run", "", b"")
    return played


def live_of(story: Story) -> dict[str, Content]:
    """Return what is live by source key, worked out from the words alone.

    A version takes the place of the one before: what it lacks is gone, what it holds but is refused stays as it was. A
    version of which nothing is good changes nothing.
    """
    live: dict[str, Content] = {}
    for key, found in story.objects.items():
        now: dict[str, Content] = {}
        for version in found:
            good = {name: content for name, content in version.sources.items() if content is not None}
            if good:
                now = {name: content for name, content in now.items() if name in version.sources} | good
        live |= {key + name: content for name, content in now.items()}
    return live


def expected_ledger(live: Mapping[str, Content]) -> list[tuple[str, str, str, int]]:
    """Return partition, content, smallest key and rows of everything that is live."""
    found: dict[str, tuple[str, Content]] = {}
    for key, content in sorted(live.items(), reverse=True):
        found[sha256(csv_of(content)).hexdigest()] = (key, content)
    return sorted(
        (partition, digest, key, rows)
        for digest, (key, content) in found.items()
        for partition, rows in rows_of(content).items()
    )


def rows_of(content: Content) -> Counter[str]:
    rows: Counter[str] = Counter()
    for block in content:
        rows[BLOCKS[block][0]] += len(BLOCKS[block][1])
    return rows


def reference(live: Mapping[str, Content], root: str) -> Lake:
    """Return a lake in which nothing but what is live ever landed, all at once, and that ran once."""
    lake = lake_at(root)
    archives: dict[str, dict[str, bytes]] = {}
    for source, content in live.items():
        key, separator, member = source.partition("!")
        if separator:
            archives.setdefault(key, {})[member] = csv_of(content)
        else:
            retail.land(lake, key, csv_of(content))
    for key, members in archives.items():
        retail.land(lake, key, zipped(members))
    retail.run(lake)
    return lake


def rows_by_date(rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for date, row in rows:
        found.setdefault(date, []).append(row)
    return found


def wrong(story: Story, played: Played, expected: Lake) -> list[str]:
    """Return what differs from the tables that follow from what is live."""
    lake = played.lake
    feed = retail.sales(lake)
    ledger = lake.ledger_of(feed)
    told = []
    if (found := sorted(ledger.live.select("part", "source_hash", "source_key", "rows").rows())) != (
        live := expected_ledger(live_of(story))
    ):
        told.append(f"live is {found} instead of {live}")
    held = FeedState.read(lake, feed, ledger).held
    event(f"held dates: {len(held)}")
    tables, wanted = tables_of(lake), tables_of(expected)
    # A held date shows what was published last; before the first time, nothing.
    silver = rows_by_date(wanted["silver.sales"]) | {date: played.published.get(date, []) for date in held}
    wanted = dict(wanted) | {"silver.sales": sorted((date, row) for date, rows in silver.items() for row in rows)}
    compared = {"bronze.sales", "silver.sales", "quarantine.sales", "ops.accounting"}
    if not any(played.published.get(date) for date in held):
        compared |= {name for name in tables if name.startswith("gold.")}
    told += differences({n: tables[n] for n in compared}, {n: wanted[n] for n in compared})
    return told + unsettled(lake) + not_gold_of(lake, tables)


def not_gold_of(lake: Lake, tables: Tables) -> list[str]:
    """Return what of gold is not what its SQL makes of all of silver, built anew."""
    for model in lake.registry.models.values():
        list(build_model(lake, model, list(ModelState.read(lake, model).inputs), force=True))
    return differences(tables_of(lake, "gold"), {n: rows for n, rows in tables.items() if n.startswith("gold.")})


_GONE_THEN_REFUSED = Story(
    {"a": [Version({"!b.csv": ("few 0",)}), Version({"!a.csv": ()}), Version({"!a.csv": (), "!b.csv": None})]},
    ["a", "a", "a"],
    ["", "", ""],
    batch_bytes=1,
    batch_rows=1,
)
"""A member that a later version lacked does not come back because a still later one of it is refused."""


def test_any_order_repetition_and_runs_give_the_tables_of_what_is_live(tell: Tell) -> None:
    tried = Counter[str]()

    # The small size is the same every time, so that a red build can be repeated; the large one looks further.
    @settings(
        max_examples=_EXAMPLES,
        derandomize=not EVERYTHING,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(stories())
    @example(_GONE_THEN_REFUSED)
    def any_story(story: Story) -> None:
        tried["examples"] += 1
        tried["landings"] += len(story.landings)
        with tempfile.TemporaryDirectory() as folder:
            told = wrong(story, play(story, f"{folder}/played"), reference(live_of(story), f"{folder}/reference"))
        assert not told, "\n".join(told)

    try:
        any_story()
    finally:
        tell(f"{tried['examples']} stories of {tried['landings']} landings tried")
