"""Scrubbing a lake's Dagster instance: a person's value goes from what runs, events, ticks and logs say.

Here is what knows the instance's files: SQLite databases, logs, outputs of ops. What the value is and which mark stands
for it is the caller's; so are the tables of the lake. Nothing goes that the UI shows: every run and every event stays,
with the mark where the value was.
"""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dagster._core.instance.ref import InstanceRef

from lakehouse_assets.orchestration.redaction import Redaction
from lakehouse_assets.orchestration.scrubbed_database import ScrubbedDatabase

_SQLITE = b"SQLite format 3\0"
_BESIDE = re.compile(r"-(wal|shm|journal)$")
_TEMPORARY, _UNFINISHED = ".scrubbing", ".scrub-is-unfinished"
_ON_DISK = {"LocalComputeLogManager", "NoOpComputeLogManager", "LocalArtifactStorage"}


@dataclass(frozen=True)
class Scrubbed:
    """What was scrubbed, or would be.

    Attributes:
        changed: Texts changed, by file relative to the instance's folder; a file rewritten, renamed or removed is one.
        unsearched: What was not searched or could not be cleaned, a sentence each: which, what follows, what to do.
    """

    changed: dict[str, int] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)


def scrub(home: Path, redact: Callable[[str], str], *, dry_run: bool = False) -> Scrubbed:
    """Put a mark in place of a person's value in all that an instance keeps below its folder, and drop the old bytes.

    Dagster may be running. What a process still holds in memory it may write again, and the log that a step is writing
    is replaced under it: what it prints after that is lost. If interrupted, repeat it.

    Args:
        home: Folder of the instance as `instance.prepare_home` leaves it; it need not exist.
        redact: Takes a text that a person could read; returns it with marks, or as it is if the value is not in it.
        dry_run: Count the same, change nothing.
    """
    work = _Scrubbing(home.absolute(), Redaction(redact), dry_run=dry_run)
    if home.is_dir():
        unfinished = work.home / _UNFINISHED
        work.thorough = unfinished.exists()
        if not dry_run:
            unfinished.touch()
        work.configuration()
        work.folder(work.home, set())
        if not (dry_run or work.done.unsearched):
            unfinished.unlink()
    return work.done


class _Scrubbing:
    """One pass over an instance."""

    def __init__(self, home: Path, redaction: Redaction, *, dry_run: bool) -> None:
        self.home, self.redaction, self.dry_run = home, redaction, dry_run
        self.done = Scrubbed()
        self.thorough = False  # whether an earlier pass may have left old bytes where every row is clean

    def configuration(self) -> None:
        """Say what the configuration keeps elsewhere than below the folder."""
        config = self.home / "dagster.yaml"
        if not config.exists():
            return
        try:
            ref = InstanceRef.from_dir(str(self.home))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it: where the instance is, is not known
            why = type(error).__name__
            self._unsearched(config, f"cannot be read ({why}), so what is kept elsewhere was not searched; mend it")
            return
        kept: dict[str, list[str]] = {}
        for what, data in (
            ("runs", ref.run_storage_data or ref.storage_data),
            ("events", ref.event_storage_data or ref.storage_data),
            ("ticks", ref.schedule_storage_data or ref.storage_data),
            ("logs", ref.compute_logs_data),
            ("outputs of ops", ref.local_artifact_storage_data),
        ):
            if data is None:
                continue
            folder = data.config_dict.get("base_dir") or str(self.home)
            if isinstance(folder, dict):
                folder = os.environ.get(folder.get("env", ""), "an unknown folder")
            if "Sqlite" not in data.class_name and data.class_name not in _ON_DISK:
                module = data.config_dict.get("module_name", data.module_name).partition(".")[0]
                kept.setdefault(f"by {module}", []).append(what)
            elif not (self._is_below(Path(folder)) or self._is_below(Path(folder).resolve())):
                kept.setdefault(f"in {folder}", []).append(what)
        for where, those in kept.items():
            what = f"the instance's {', '.join(those)} are kept {where}"
            self._unsearched(config, f"{what}, which was not searched and may still hold the value; erase it there")

    def folder(self, folder: Path, seen: set[Path]) -> None:
        """Scrub all files below a folder; what is linked there belongs to the instance, too."""
        if (real := folder.resolve()) in seen:
            return
        seen.add(real)
        for path in sorted(folder.iterdir()):
            try:
                if path.is_dir():
                    self.folder(path, seen)
                elif path.is_file() and path != self.home / "dagster.yaml":  # a number in it may be anybody's
                    self._file(path)
                self._name(path)
            except FileNotFoundError:
                continue  # Dagster removed it
            except OSError as error:
                why = error.strerror or error
                self._unsearched(path, f"cannot be used ({why}), so it may still hold the value; permit it and repeat")

    def _name(self, path: Path) -> None:
        if (name := self.redaction.plain(path.name).replace("/", "_")) == path.name or not path.exists():
            return
        if not self._is_storage(path):
            self._unsearched(path, "its name holds the value; rename or delete it")
            return
        self._changed(path, 1)
        while (target := path.with_name(name)).exists():
            name += "_"
        if not self.dry_run:
            path.rename(target)

    def _file(self, path: Path) -> None:
        if path.name.endswith(_TEMPORARY):  # of a pass that was killed
            if not self.dry_run:
                path.unlink()
            return
        if (beside := _BESIDE.search(path.name)) and _is_sqlite(path.with_name(path.name[: beside.start()])):
            return
        if _is_sqlite(path):
            self._database(path)
            return
        data = path.read_bytes()
        if path.suffix == ".db" and data:
            self._unsearched(path, "is no SQLite database, so what it holds is not known; restore or delete it")
        try:
            clean = self.redaction.content(data, self.redaction.plain)
        except ValueError as error:
            self._unsearched(path, f"cannot be unpacked ({error}), so it may still hold the value; delete it")
            return
        if clean is None and not self._is_storage(path):
            self._unsearched(path, "holds the value in a form that cannot be rewritten; delete it")
        elif clean != data:
            self._changed(path, 1)
            if not self.dry_run:
                _replace(path.resolve(), clean)

    def _database(self, path: Path) -> None:
        def changed(texts: int) -> None:
            self._changed(path, texts)

        def unsearched(what: str) -> None:
            self._unsearched(path, what)

        ScrubbedDatabase(path, self.redaction, changed, unsearched).scrub(thorough=self.thorough, dry_run=self.dry_run)

    def _is_below(self, path: Path) -> bool:
        return path.is_relative_to(self.home) or path.is_relative_to(self.home.resolve())

    def _is_storage(self, path: Path) -> bool:
        """Return whether a file is of a run, a log or an output of an op: nobody reads the latter in this project."""
        return path.relative_to(self.home).parts[0] == "storage"

    def _changed(self, path: Path, texts: int) -> None:
        if texts:
            name = self.redaction.plain(str(path.relative_to(self.home)))
            self.done.changed[name] = self.done.changed.get(name, 0) + texts

    def _unsearched(self, path: Path, what: str) -> None:
        if (told := self.redaction.plain(f"{path}: {what}.")) not in self.done.unsearched:
            self.done.unsearched.append(told)


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _replace(path: Path, content: bytes | None) -> None:
    """Put content in a file's place at once, or nothing."""
    if content is None:
        path.unlink()
        return
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    temporary.touch(0o600)
    temporary.write_bytes(content)
    shutil.copymode(path, temporary)
    temporary.replace(path)
