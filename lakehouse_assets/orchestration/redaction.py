"""A redaction of plain text, carried into the forms in which Dagster and its logs keep texts: JSON, escapes, archives.

Nothing here knows a file or a database; `scrubbing` does. A form that cannot be rewritten is left, and told.
"""

import gzip
import io
import json
import pickle
import pickletools
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from dagster._serdes import deserialize_value

_SHORT, _LEVELS = 200, 4
_GZIP, _ZIP = b"\x1f\x8b", b"PK\3\4"
_TAG, _NO_TAG = re.compile(r"[A-Za-z0-9_.-]{1,63}"), re.compile(r"[^A-Za-z0-9_.-]")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt\\\"'/]))")
# Names by which Dagster finds assets, steps and jobs: a mark in one would make it another.
_NAMES = {
    *("asset_key", "asset_keys", "asset_selection", "asset_check_key", "check_key", "check_name"),
    *("step_key", "step_keys_to_execute", "job_name", "pipeline_name", "op_name", "node_name", "node_handle", "handle"),
    *("output_name", "input_name", "run_id", "repository_name", "location_name"),
}
_NOBODYS = {"__class__", "__enum__", "event_type_value", *_NAMES}
# Tags in which Dagster keeps numbers of its own as texts, to read them as numbers again.
_COUNT = re.compile(
    r"\.?dagster/(tick|priority|max_retries|retry_number|max_runtime|asset_evaluation_id|input_event_pointer/.*)"
)


class UnwritableError(Exception):
    """A text holds the value where Dagster could not read the text with a mark."""


def is_count(tag: str, value: object) -> bool:
    """Return whether the value of a tag is a number of Dagster's own: a priority, an event's position."""
    return isinstance(value, str) and value.isdecimal() and _COUNT.fullmatch(tag) is not None


class Redaction:
    """What `redact` does to plain text, done to other forms of it.

    Args:
        redact: Takes a text that a person could read; returns it with marks, or as it is if the value is not in it.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        # Most strings of an event log are short and recur in every event: names of steps, classes, jobs.
        self._short = lru_cache(maxsize=1 << 16)(self._any)

    def text(self, text: str) -> str:
        """Redact a text that may be JSON: then within its strings only, however deep they are nested."""
        return self._short(text) if len(text) < _SHORT else self._any(text)

    def plain(self, text: str) -> str:
        """Redact a text as it is, and as it reads once its escapes, as in JSON or in a `repr`, are undone."""
        clean = self._redact(text)
        return clean if "\\" not in clean else "".join(map(self._line, clean.splitlines(keepends=True)))

    def content(self, data: bytes, text: Callable[[str], str]) -> bytes | None:
        """Redact the text in some bytes, which may be compressed; None if they hold the value in another form.

        Raises:
            ValueError: They are compressed, and damaged.
            UnwritableError: As it says.
        """
        if data.startswith((_GZIP, _ZIP)):
            try:
                return self._gzipped(data, text) if data.startswith(_GZIP) else self._zipped(data, text)
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
                raise ValueError(error) from error
        with suppress(zlib.error):
            inside = zlib.decompress(data)
            clean = self.content(inside, text)
            return data if clean == inside else None if clean is None else zlib.compress(clean)
        if any(self.plain(said) != said for said in _pickled(data)):
            return None
        try:
            before = data.decode()
        except UnicodeDecodeError:
            return self._odd(data)
        after = text(before)
        return data if after == before else after.encode(errors="replace")

    def _line(self, line: str) -> str:
        spelt = line
        for _ in range(_LEVELS):
            spelt = _ESCAPE.sub(_character, spelt).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if (clean := self._redact(spelt)) != spelt:
                return self.plain(clean)
        return line

    def _any(self, text: str) -> str:
        if text.lstrip()[:1] in {"{", "[", '"'}:
            try:
                return self._json(text, json.loads(text))
            except (ValueError, RecursionError):
                pass  # it only begins so
        return text if _MOMENT.fullmatch(text) else self.plain(text)

    def _json(self, text: str, value: Any) -> str:  # noqa: ANN401 - any JSON
        clean = self._walked(value)
        if clean == value:
            return text
        if _is_readable(written := json.dumps(clean)):
            return written
        if _is_readable(tame := json.dumps(self._walked(value, tame=True))):
            return tame
        if _is_readable(text):
            raise UnwritableError
        return written

    def _walked(self, value: Any, *, tame: bool = False) -> Any:  # noqa: ANN401 - any JSON
        """Redact the strings of a value; tame marks have no characters that Dagster refuses in tags of events."""
        if isinstance(value, str):
            clean = self.text(value)
            return clean if not tame or clean == value or not _TAG.fullmatch(value) else _tamed(clean)
        if isinstance(value, list):
            return [self._walked(inner, tame=tame) for inner in value]
        if not isinstance(value, dict) or value.get("__class__") in {"AssetKey", "AssetCheckKey"}:
            return value
        named: dict[str, Any] = {}
        for key, inner in value.items():
            # The names of Dagster's classes, of their fields and of kinds of events are nobody's values.
            name = key if "__class__" in value else self.text(key)
            while name != key and (name in named or name in value):
                name += " "
            own = key in _NOBODYS or is_count(key, inner)
            named[name] = inner if own else self._walked(inner, tame=tame)
        return named

    def _gzipped(self, data: bytes, text: Callable[[str], str]) -> bytes | None:
        inside = gzip.decompress(data)
        clean = self.content(inside, text)
        return data if clean == inside else None if clean is None else gzip.compress(clean, mtime=0)

    def _zipped(self, data: bytes, text: Callable[[str], str]) -> bytes | None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            before = [(member, archive.read(member)) for member in archive.infolist()]
        after = [(member, self.content(content, text)) for member, content in before]
        if after == before:
            return data
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for member, content in after:
                if content is None:
                    return None
                archive.writestr(member, content)
        return written.getvalue()

    def _odd(self, data: bytes) -> bytes | None:
        """Redact what is no UTF-8: a log with some odd bytes in it or in another alphabet, or no text at all."""
        if b"\0" not in data:
            clean = self.plain(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")
            latin = clean.decode("latin-1")
            return clean if (force := self.plain(latin)) == latin else force.encode("latin-1", errors="replace")
        # Without its zeros, a text of two bytes a character reads as one of one.
        readings = [data.decode(errors="replace"), data.decode("latin-1"), data.replace(b"\0", b"").decode("latin-1")]
        return data if all(self.plain(reading) == reading for reading in readings) else None


def _pickled(data: bytes) -> list[str]:
    """Return the texts of a pickle, which is not unpickled: that may run anything."""
    found: list[str] = []
    if data.endswith(pickle.STOP):
        with suppress(Exception):  # a text that ends in a full stop
            for _, said, _ in pickletools.genops(data):
                found += (
                    [said] if isinstance(said, str) else [said.decode("latin-1")] if isinstance(said, bytes) else []
                )
    return found


def _character(escape: re.Match[str]) -> str:
    number = escape[1] or escape[2]
    return chr(int(number, 16)) if number else {"n": "\n", "r": "\r", "t": "\t"}.get(escape[3], escape[3])


def _tamed(mark: str) -> str:
    return _NO_TAG.sub("", mark)[:63] or "-"


def _is_readable(text: str) -> bool:
    """Return whether Dagster can read a text, which only matters where it is one of Dagster's own objects."""
    if not text.startswith('{"__class__"'):
        return True
    try:
        deserialize_value(text)
    except Exception:  # noqa: BLE001 - each class checks its fields in its own way
        return False
    return True
