"""What processes cost: the processor time of a tree of them, from /proc; zero where there is none to read.

What a child used that has ended is counted with its parent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Name a process and all below it that live now."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return [pid]
    return [pid, *(below for child in text.split() for below in tree(int(child)))]


def cpu_s(pids: Iterable[int]) -> float:
    """Sum the processor seconds that these processes and their ended children used so far, user and system."""
    return sum(map(_cpu_s, pids))


def _cpu_s(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * _TICK_S
