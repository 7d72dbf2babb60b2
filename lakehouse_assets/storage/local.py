"""The lake in a local folder."""

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lakehouse_assets.storage.objects import AnotherVersionError, StorageError, Stored


class LocalStore:
    """A lake in a local folder. Hidden files are not objects; a write is a hidden file renamed or linked."""

    options: dict[str, str] = {}  # noqa: RUF012 - shared, empty and never written

    def __init__(self, root: str) -> None:
        self.root = root

    def uri(self, path: str) -> str:
        return f"{self.root}/{path}"

    def read(self, path: str, token: str | None = None) -> bytes:
        try:
            with Path(self.uri(path)).open("rb") as file:
                data = file.read()
                if token not in {None, _stored(path, os.fstat(file.fileno())).token}:
                    raise AnotherVersionError(path)
        except OSError as error:
            msg = f"{self.uri(path)}: {error.strerror}. It could not be read; restore it, or check its permissions."
            raise StorageError(msg) from error
        return data

    def create(self, path: str, data: bytes | Path) -> bool:
        temporary = self._temporary(path, data)
        try:
            os.link(temporary, self.uri(path))
        except FileExistsError:
            return False
        except OSError as error:
            raise self._refused(path, error) from error
        else:
            return True
        finally:
            temporary.unlink()

    def replace(self, path: str, data: bytes | Path, token: str | None = None) -> bool:
        temporary = self._temporary(path, data)
        try:
            if token is not None and ((found := self.stat(path)) is None or found.token != token):
                temporary.unlink()
                return False
            temporary.replace(self.uri(path))
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._refused(path, error) from error
        return True

    def stat(self, path: str) -> Stored | None:
        try:
            found = os.stat(self.uri(path))  # noqa: PTH116 - a Path for each of many objects costs more than the look
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise self._refused(path, error) from error
        return _stored(path, found) if stat.S_ISREG(found.st_mode) else None

    def delete(self, path: str, token: str | None = None) -> bool:
        if token is not None and ((found := self.stat(path)) is None or found.token != token):
            return False
        try:
            Path(self.uri(path)).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            msg = f"{self.uri(path)}: {error.strerror}. It was not removed; check its permissions."
            raise StorageError(msg) from error
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        yield from self._walk(prefix.rstrip("/"), after)

    def folders(self, prefix: str) -> Iterator[str]:
        try:
            with os.scandir(self.uri(prefix)) as entries:
                names = sorted(entry.name for entry in entries if _is_listed(entry) and _is_folder(entry))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            msg = f"{self.uri(prefix)}: {error.strerror}. It could not be listed; check the folder."
            raise StorageError(msg) from error
        yield from (f"{prefix}/{name}" for name in names)

    def _walk(self, folder: str, after: str) -> Iterator[Stored]:
        try:
            with os.scandir(self.uri(folder)) as entries:
                # A folder sorts as its name with the slash, which is where S3 sorts the keys below it.
                names = sorted(
                    (entry.name + "/" * _is_folder(entry), entry.path) for entry in entries if _is_listed(entry)
                )
        except (FileNotFoundError, NotADirectoryError):
            if Path(self.root).is_file():
                msg = f"{self.root}: it is a file, and a lake is a folder. Nothing was read; set LAKEHOUSE_ROOT."
                raise StorageError(msg) from None
            return
        except OSError as error:
            msg = f"{self.uri(folder)}: {error.strerror}. It could not be listed; check the folder."
            raise StorageError(msg) from error
        for name, address in names:
            path = f"{folder}/{name}"
            if name.endswith("/"):
                if path > after or after.startswith(path):
                    yield from self._walk(path.rstrip("/"), after)
            elif path > after:
                try:
                    yield _stored(path, os.stat(address))  # noqa: PTH116 - as in `stat`
                except FileNotFoundError:
                    continue

    def _temporary(self, path: str, data: bytes | Path) -> Path:
        target = Path(self.uri(path))
        temporary = target.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, Path):
                shutil.copyfile(data, temporary)
            else:
                temporary.write_bytes(data)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise self._refused(path, error) from error
        return temporary

    def _refused(self, path: str, error: OSError) -> StorageError:
        return StorageError(
            f"{self.uri(path)}: {error.strerror}. Nothing was written; check the name, the space left and permissions."
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Not through links: one may lead back to a folder above it.
    return entry.is_dir(follow_symlinks=False)


def _is_listed(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is an object or a folder of some: not hidden, no pipe or device, named in Unicode."""
    if entry.name.startswith("."):
        return False
    try:
        entry.name.encode()
        return _is_folder(entry) or entry.is_file()
    except (UnicodeEncodeError, OSError):
        return False


def _stored(path: str, found: os.stat_result) -> Stored:
    # Same size and same mtime do not mean same bytes: a renamed-in file also brings another inode and ctime.
    token = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_ctime_ns:x}-{found.st_size:x}"
    return Stored(path, found.st_size, token)
