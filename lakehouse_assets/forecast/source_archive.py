"""What a container for scripts gets: the two scripts with what they import, and what has to be installed there.

Also the form in which it gives a model back. Not here: the calls that hand them over.
"""

import gzip
import io
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_FOLDER = "forecast"
_MODULES = ("__init__", "series", "models", "backtest", "predict", "train")
SCRIPTS = ("train.py", "predict.py")
_INSTALLED = ("polars", "statsmodels")
"""In the versions that are installed here. numpy and others come with the container, whose own programs need theirs."""


def source_archive() -> bytes:
    """Return the archive of the scripts: these at its top, and the package that they import beside them.

    The scripts are there twice, as a container finds scripts at the top only, and `train` imports `predict`.
    """
    modules = [Path("__init__.py"), *(Path(_FOLDER) / f"{name}.py" for name in _MODULES)]
    files = {f"{_PACKAGE.name}/{path.as_posix()}": (_PACKAGE / path).read_bytes() for path in modules}
    files |= {script: (_PACKAGE / _FOLDER / script).read_bytes() for script in SCRIPTS}
    needed = "".join(f"{name}=={version(name)}\n" for name in _INSTALLED)
    return archive(files | {"requirements.txt": needed.encode()})


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a `.tar.gz` of files by their names. The same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def members(packed: bytes) -> dict[str, bytes]:
    """Return the files of a `.tar.gz` by their names, without folders before them."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        for entry in tar:
            if (file := tar.extractfile(entry)) is not None:
                found[entry.name.removeprefix("./")] = file.read()
    return found
