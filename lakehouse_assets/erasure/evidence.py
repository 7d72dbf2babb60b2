"""The evidence of erasures: which lines were taken out of which content.

One small object per content, named by the hashes before and after. Not here: who was erased.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache

from lakehouse_assets.storage.stores import Store, store_for


@dataclass(frozen=True)
class Erased:
    """What was taken out of one content, or landed object: its SHA-256 before and after, and the blank lines in it.

    Attributes:
        corrected: Those of the lines that only a correction made a person's: the content has other values.
        refused: It was refused when it came, and stays so: the reason may be gone with the lines.
        manifest: For an object that came with a manifest: SHA-256 of the manifest.
        held: What the object, before anything was taken out, did not keep of that manifest.
    """

    before: str
    after: str
    lines: tuple[int, ...] = ()
    corrected: tuple[int, ...] = ()
    refused: bool = False
    manifest: str | None = None
    held: str | None = None


@dataclass(frozen=True)
class Evidence:
    """The evidence of a feed.

    Attributes:
        before: Where the evidence lies, by the hash before; `after` by the hash after.
    """

    store: Store
    feed: str
    before: Mapping[str, list[str]] = field(default_factory=dict)
    after: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, store: Store, feed: str) -> "Evidence":
        """List the evidence of a feed."""
        before: dict[str, list[str]] = {}
        after: dict[str, list[str]] = {}
        for stored in store.list(_folder(feed)):
            hashes = stored.path.rpartition("/")[2].removesuffix(".json").split("-")
            for index, content in zip((before, after), hashes, strict=False):
                index.setdefault(content, []).append(stored.path)
        return cls(store, feed, before, after)

    def of_before(self, content: str) -> list[Erased]:
        """Return what was taken out of a content, or object, given the hash that it came with."""
        return [_read(self.store.root, path) for path in self.before.get(content, [])]

    def of_after(self, content: str) -> list[Erased]:
        """Return what was taken out of a content, or object, given the hash that it has since."""
        return [_read(self.store.root, path) for path in self.after.get(content, [])]

    def blank_lines(self, content: str) -> frozenset[int]:
        """Return the lines of a content that are blank since an erasure."""
        return frozenset(line for erased in self.of_after(content) for line in erased.lines)

    def record(self, erased: Erased) -> None:
        """Keep the evidence of one content. Write it before the content: after a crash, the same is done again."""
        of_manifest = f"-{erased.manifest}" if erased.manifest else ""
        path = f"{_folder(self.feed)}/{erased.before}-{erased.after}{of_manifest}.json"
        if self.store.stat(path) is None:
            self.store.create(path, json.dumps(asdict(erased)).encode())


def reports(feed: str) -> str:
    """Return the folder of the reports of finished erasures. A report's name starts with its decision's id."""
    return f"erasures/{feed}/reports"


def _folder(feed: str) -> str:
    return f"erasures/{feed}/contents"


@lru_cache(maxsize=10_000)
def _read(root: str, path: str) -> Erased:
    """Evidence never changes, so each is read once by a process."""
    content = json.loads(store_for(root).read(path))
    return Erased(**{**content, "lines": tuple(content["lines"]), "corrected": tuple(content["corrected"])})
