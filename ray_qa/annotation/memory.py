"""What memory this process takes and this machine has, as Linux tells it; elsewhere nothing is known."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

STATUS, PEAK_RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_taken() -> int | None:
    """Bytes that this process has now."""
    return _of_status("VmRSS")


def begin_peak() -> None:
    """Let the peak be that of what comes."""
    with suppress(OSError):
        PEAK_RESET.write_text("5")


def peak_taken() -> int | None:
    """The most bytes that this process has had since :func:`begin_peak`."""
    return _of_status("VmHWM")


def memory_of_machine() -> int | None:
    """Bytes that this machine has, or that a container of it may have."""
    with suppress(OSError, ValueError):
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return min([there, *_limits()])
    return None


def _limits() -> list[int]:
    found = []
    for path in LIMITS:
        with suppress(OSError, ValueError):  # "max" where there is none
            found.append(int(path.read_text()))
    return found


def _of_status(name: str) -> int | None:
    with suppress(OSError):
        if found := re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE):
            return 1024 * int(found[1])
    return None
