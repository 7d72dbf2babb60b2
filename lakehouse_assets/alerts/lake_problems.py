"""The error log in the lake itself: a JSON object per problem below `ops/errors/`. Not here: what it says."""

from collections.abc import Iterator

from lakehouse_assets.alerts.problems import Change, Problem
from lakehouse_assets.storage.stores import Store

FOLDER = "ops/errors"
_ATTEMPTS = 20


class LakeProblems:
    """Problems in a lake's storage; a write is conditional on the version that was read."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, asset: str, problem_id: str) -> Problem | None:
        path = _path(asset, problem_id)
        return Problem.from_json(self.store.read(path)) if self.store.stat(path) else None

    def change(self, asset: str, problem_id: str, change: Change) -> None:
        path = _path(asset, problem_id)
        for _ in range(_ATTEMPTS):
            stored = self.store.stat(path)
            known = Problem.from_json(self.store.read(path)) if stored else None
            changed = change(known)
            if changed is None or changed == known:
                return
            data = changed.as_json().encode()
            if self.store.replace(path, data, stored.token) if stored else self.store.create(path, data):
                return
        msg = f"{path}: other writers were faster {_ATTEMPTS} times"
        raise TimeoutError(msg)

    def problems(self, asset: str | None = None) -> Iterator[Problem]:
        for stored in self.store.list(f"{FOLDER}/{asset}" if asset else FOLDER):
            yield Problem.from_json(self.store.read(stored.path))


def _path(asset: str, problem_id: str) -> str:
    return f"{FOLDER}/{asset}/{problem_id}.json"
