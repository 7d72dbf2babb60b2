"""The image as far as it can be had without a container engine: what its Dockerfile says, and its wheel, installed."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lakehouse_assets.lake_settings import PROJECT

DEPLOY = PROJECT / "deploy"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile and their arguments, in order."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ").splitlines()
    return [(words[0], " ".join(words[1:])) for line in lines if (words := line.split())]


def last(name: str) -> str:
    """Return the arguments of the last instruction of a kind: the one that holds for the image."""
    return [arguments for found, arguments in instructions() if found == name][-1]


def command() -> list[str]:
    """Return the command that the image runs by default: the code location."""
    words: list[str] = json.loads(last("CMD"))
    return words


def documented(process: str) -> list[str]:
    """Return the command of a process, as docs/image.md has it in its table."""
    page = (PROJECT / "docs" / "image.md").read_text(encoding="utf-8")
    [found] = re.findall(rf"^\| {process} \| `([^`]+)` \|", page, re.MULTILINE)
    return str(found).split()


def packed(folder: Path) -> Path:
    """Build the wheel from a copy of what the Dockerfile copies, without the network; return it."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, source)
    shutil.copytree(PROJECT / "lakehouse_assets", source / "lakehouse_assets", ignore=_compiled)
    quiet = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *quiet, "--no-build-isolation", "--wheel-dir", str(folder), str(source)],
        check=True, timeout=120,
    )  # fmt: skip
    shutil.rmtree(source)
    [wheel] = folder.glob("*.whl")
    return wheel


# The superuser writes everywhere, whatever the mode of a folder is: without this right it is a user as any other.
_UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
_compiled = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and beside it what the tests' own environment has installed."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Installed":
        """Build and install the wheel."""
        wheel = packed(folder)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=60)
        made = cls(folder / "venv")
        pip = [sys.executable, "-m", "pip", "--python", str(made.program("python")), "install"]
        quiet = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-compile")
        subprocess.run([*pip, *quiet, str(wheel)], check=True, timeout=120)
        # A path of that file is searched last, and the editable install in it is not followed.
        (made.packages / "tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        return made

    @property
    def packages(self) -> Path:
        """The folder of installed packages."""
        [found] = self.folder.glob("lib/python*/site-packages")
        return found

    def program(self, name: str) -> Path:
        """Return a program of the environment."""
        return self.folder / "bin" / name

    def started(self, words: list[str], folder: Path, out: IO[bytes], **environment: str) -> "subprocess.Popen[bytes]":
        """Start a program of the environment, or of the tests' own one, with the packages of this one.

        Args:
            out: Where it writes to.
            environment: All of its settings.
        """
        program, *arguments = words
        at = next(
            path for path in (self.folder / "bin", Path(sysconfig.get_path("scripts"))) if (path / program).exists()
        )
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        script = [] if program == "python" else [str(at / program)]
        return subprocess.Popen(
            [*_UNPRIVILEGED, str(self.program("python")), *script, *arguments],
            cwd=folder, env=kept | {"PATH": path, "HOME": str(folder)} | environment,
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip

    def said(self, words: list[str], folder: Path, **environment: str) -> tuple[int, str]:
        """Return the exit code of a program, and what it says."""
        with tempfile.TemporaryFile() as out:
            code = self.started(words, folder, out, **environment).wait(120)
            out.seek(0)
            return code, out.read().decode()
