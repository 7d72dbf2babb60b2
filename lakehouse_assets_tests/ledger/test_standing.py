"""What is live after any history is what a model by the book says, however the history was batched."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.ledger.ledger import Entry, FeedLedger, ObjectVersion
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.ledger.versions import live, parts, recorded, states, version_of


class Model:
    """The live set by the book: versions are applied one by one, and a rejection changes nothing of its key."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, tuple[int, str]]] = {}

    def apply(self, number: int, version: ObjectVersion) -> None:
        if all(entry.reason for entry in version.entries):
            return
        before = self.objects.get(version.object_key, {})
        after = {}
        for entry in version.entries:
            if entry.source_hash is not None:
                after[entry.source_key] = (number, entry.source_hash.removeprefix("hash-"))
            elif entry.source_key in before:
                after[entry.source_key] = before[entry.source_key]
        self.objects[version.object_key] = after

    @property
    def standing(self) -> dict[str, tuple[int, str]]:
        return {key: found for members in self.objects.values() for key, found in members.items()}

    def live(self) -> set[tuple[str, str, str, int]]:
        keys: dict[str, str] = {}
        for key, (_, content) in sorted(self.standing.items(), reverse=True):
            keys[content] = key
        return {
            (partition, content, key, rows)
            for content, key in keys.items()
            for partition, rows in parts(content).items()
        }

    def state(self, number: int, entry: Entry) -> str:
        if entry.reason:
            return "rejected"
        if self.standing.get(entry.source_key, (0, ""))[0] != number:
            return "superseded"
        twins = [key for key, (_, content) in self.standing.items() if entry.source_hash == f"hash-{content}"]
        return "accepted" if entry.source_key == min(twins) else "alias"


CONTENTS = st.one_of(st.none(), st.text("abc", max_size=2).map(lambda text: "".join(sorted(text))))

VERSIONS = st.one_of(
    st.builds(version_of, st.sampled_from(["k", "m", "z"]), CONTENTS),
    st.builds(
        lambda members: version_of("z", {f"z!{name}": content for name, content in members.items()}),
        st.dictionaries(st.sampled_from("xy"), CONTENTS, min_size=1),
    ),
)


@pytest.mark.slow
@given(versions=st.lists(VERSIONS, max_size=10), cuts=st.sets(st.integers(1, 9), max_size=2))
@settings(max_examples=60, deadline=None)
def test_any_history_in_any_batches_gives_the_live_set_of_its_latest_versions(
    versions: list[ObjectVersion], cuts: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    bounds = [0, *sorted(cut for cut in cuts if cut < len(versions)), len(versions)]
    batches = [versions[start:end] for start, end in pairwise(bounds) if start < end]
    ledger = recorded(store_for(str(tmp_path_factory.mktemp("ledger"))), *batches)
    model = Model()
    for number, version in enumerate(versions, start=1):
        model.apply(number, version)
    assert live(ledger) == model.live()
    assert states(ledger) == sorted(
        {
            (number, entry.source_key, model.state(number, entry))
            for number, version in enumerate(versions, start=1)
            for entry in version.entries
        }
    )


@pytest.mark.slow
@given(versions=st.lists(VERSIONS, max_size=8), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_different_keys_does_not_matter(
    versions: list[ObjectVersion], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = data.draw(st.permutations([version.object_key for version in versions]))
    queues = {key: iter([v for v in versions if v.object_key == key]) for key in keys}
    shuffled = [next(queues[key]) for key in keys]
    found = [
        recorded(store_for(str(tmp_path_factory.mktemp("ledger"))), *([order] if order else []))
        for order in (versions, shuffled)
    ]
    assert found[0].live.equals(found[1].live)


HELD_VERSIONS = st.builds(
    lambda version, content, held: replace(version, object_hash=content, held=held),
    VERSIONS,
    st.sampled_from("ab"),
    st.sampled_from([None, "the totals differ"]),
)


@pytest.mark.slow
@given(versions=st.lists(HELD_VERSIONS, max_size=6))
@settings(max_examples=30, deadline=None)
def test_what_is_live_is_the_same_computed_step_by_step_and_at_once(
    versions: list[ObjectVersion], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = recorded(store_for(str(tmp_path_factory.mktemp("ledger"))), *([version] for version in versions))
    assert ledger.live.equals(FeedLedger(ledger.rows).live)
