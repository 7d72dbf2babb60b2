"""How large a task of ECS a run asks for, by run tags that other launchers ignore.

Not here: launching, and how often the same work is asked for.
"""

from collections.abc import Iterable

import dagster as dg

MEMORY_EXCEEDED_TAG = "lakehouse/memory_exceeded"
"""On a run whose task was killed because it needed more memory than it had: how much that was, in MiB."""
MEMORY_TAG = "ecs/memory"
_MIB = 2**20
_SIZES = (
    (128 * _MIB, "2048", "8192"),
    (1024 * _MIB, "4096", "16384"),
    (None, "8192", "32768"),
)
"""Landed bytes from which on a run gets more: units of CPU (1,024 are one CPU) and MiB of memory, as Fargate has them.

The largest is for what ran out of memory in the one before.
"""


def killed_with(runs: Iterable[dg.DagsterRun]) -> list[int]:
    """Return the memory in MiB of each of some runs whose task had too little of it."""
    return [int(run.tags[MEMORY_EXCEEDED_TAG]) for run in runs if MEMORY_EXCEEDED_TAG in run.tags]


def size_tags(landed_bytes: int, exceeded: int = 0) -> dict[str, str]:
    """Return the tags that ask for a task; none for little work, which takes the launcher's default.

    Args:
        landed_bytes: What an ingest reads; 0 for other waves.
        exceeded: The memory in MiB that was too little for this work; 0 if none was.
    """
    if exceeded:
        cpu, memory = next(((cpu, memory) for _, cpu, memory in _SIZES if int(memory) > exceeded), _SIZES[-1][1:])
        return _tags(cpu, memory)
    fitting = [(cpu, memory) for least, cpu, memory in _SIZES if least is not None and landed_bytes >= least]
    return _tags(*fitting[-1]) if fitting else {}


def _tags(cpu: str, memory: str) -> dict[str, str]:
    return {"ecs/cpu": cpu, MEMORY_TAG: memory}
