"""What the CPU at hand computes natively, as the kernel tells it."""

from __future__ import annotations

import os
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
X86_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})
ARM_BFLOAT16 = frozenset({"bf16"})
EIGHT_BITS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})
"""Instructions that add up products of eight bits without overflow."""


def cpu_features() -> frozenset[str]:
    """The instruction sets of the CPU, by Linux's names; none where they cannot be asked for."""
    try:
        lines = CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":") for line in lines)
    return frozenset(
        word for name, _, words in named if name.strip() in ("flags", "Features") for word in words.split()
    )


def threads_here() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
