"""The machine a comparison ran on: its processor, and what that has for fast arithmetic."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A processor; ``flags`` are those of ``FLAGS`` that it has."""

    processor: str
    cores: int
    flags: tuple[str, ...]
    system: str

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes in bfloat16 natively."""
        return any(flag in self.flags for flag in BFLOAT16_FLAGS)

    @property
    def in_words(self) -> str:
        """The machine as a line for people."""
        return f"{', '.join((self.processor, f'{self.cores} cores', *self.flags))}; {self.system}"


def this_machine() -> Machine:
    """The machine at hand."""
    cpuinfo = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    return read_machine(cpuinfo, cores=os.cpu_count() or 1, system=f"{platform.system()} {platform.machine()}")


def read_machine(cpuinfo: str, *, cores: int, system: str) -> Machine:
    """What ``/proc/cpuinfo`` says."""
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    return Machine(
        processor=model[1] if model else platform.processor() or "unknown processor",
        cores=cores,
        flags=tuple(flag for flag in FLAGS if flag in has),
        system=system,
    )
