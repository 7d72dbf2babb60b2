"""A `lakehouse` on the PATH of a shell script of which each call is forked after the imports, and is otherwise real.

Called in the folder of a copy of the package's source, it is that of the copy.
"""

import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lakehouse_assets_tests.forked import Forked, with_source_at

# Isolated and without site-packages: it starts in some milliseconds.
_SCRIPT = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    answer = asked.makefile("rw")
    answer.write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]) + "\\n")
    answer.flush()
    code, out, err = json.loads(answer.readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


class _Call(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        arguments, folder, env = json.loads(self.rfile.readline())
        begin = with_source_at if Path(folder, "lakehouse_assets").exists() else os.chdir
        done = Forked(*arguments, env=env, before=partial(begin, Path(folder))).finish()
        self.wfile.write(json.dumps([done.returncode, done.stdout, done.stderr]).encode() + b"\n")


@contextmanager
def forked_command(folder: Path) -> Iterator[Path]:
    """Put the command into a folder while the block runs; give the folder to put first on the PATH."""
    folder.mkdir()
    address = str(folder / "calls")
    command = folder / "lakehouse"
    command.write_text(_SCRIPT.format(python=sys.executable, address=address), encoding="utf-8")
    command.chmod(0o700)
    with socketserver.ThreadingUnixStreamServer(address, _Call) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder
        server.shutdown()
