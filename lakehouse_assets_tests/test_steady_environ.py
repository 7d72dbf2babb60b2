"""Variables that a test sets reach C and child processes, and the list of them stays where it is."""

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere variables are set as Python does it")


def _list_at() -> int | None:
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ").value


def _in_c(name: str) -> bytes | None:
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(name.encode())  # type: ignore[no-any-return]


def test_the_list_stays_where_it_is_however_many_variables_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = _list_at()
    for at in range(500):
        monkeypatch.setenv(f"STEADY_{at}", "value" * at)
        if at % 3 == 0:
            monkeypatch.delenv(f"STEADY_{at // 2}", raising=False)
    assert _list_at() == begun
    monkeypatch.undo()
    assert _list_at() == begun
    assert not [name for name in os.environ if name.startswith("STEADY_")]
    assert [_in_c(f"STEADY_{at}") for at in range(500)] == [None] * 500


def test_a_variable_is_added_replaced_and_removed_in_c_and_for_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_a_child() -> str:
        return subprocess.run(["sh", "-c", "echo $STEADY"], capture_output=True, text=True, check=True).stdout.strip()

    monkeypatch.setenv("STEADY", "one ü")
    assert (_in_c("STEADY"), in_a_child()) == ("one ü".encode(), "one ü")
    monkeypatch.setenv("STEADY", "another")
    assert (_in_c("STEADY"), in_a_child()) == (b"another", "another")
    monkeypatch.delenv("STEADY")
    assert (_in_c("STEADY"), in_a_child()) == (None, "")
