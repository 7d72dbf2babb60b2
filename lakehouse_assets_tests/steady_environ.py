"""Variables that tests set, without moving the list of them that native threads read meanwhile.

Polars asks for a variable ten times a second for each store that it ever read from, in a thread of its own. glibc
before 2.41 frees the list when a new variable makes it longer, and who reads it then dies of a segmentation fault.
Tests set variables thousands of times. A run of the product sets none while it reads.
"""

import ctypes
import os
import sys
from collections.abc import Callable

_ROOM = 16_384
_kept: list[object] = []
"""The list and what was added to it: C has their addresses for good."""


def begin() -> Callable[[], None]:
    """Have this process add variables in place, to a list with room; return how to end that."""
    if sys.platform != "linux":
        return lambda: None
    libc, replace = ctypes.CDLL(None), os.putenv
    libc.getenv.restype = ctypes.c_void_p
    before = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")
    variables = (ctypes.c_void_p * _ROOM)()
    at = 0
    while before[at]:
        variables[at] = before[at]
        at += 1
    _kept.append(variables)
    ctypes.c_void_p.in_dll(libc, "environ").value = ctypes.addressof(variables)

    def putenv(name: bytes, value: bytes) -> None:
        if libc.getenv(name) is not None:
            replace(name, value)  # in place
            return
        _kept.append(added := ctypes.create_string_buffer(name + b"=" + value))
        # What is behind the last one is null, so the list has an end at each moment.
        variables[next(at for at in range(_ROOM) if not variables[at])] = ctypes.addressof(added)

    def end() -> None:
        os.putenv = replace

    os.putenv = putenv  # type: ignore[assignment]
    return end
