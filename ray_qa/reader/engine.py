"""Which engine runs a model on a CPU, and in which arithmetic: what ``auto`` stands for, and why."""

from __future__ import annotations

from dataclasses import dataclass

from ray_qa.reader.cpu import ARM_BFLOAT16, EIGHT_BITS, X86_BFLOAT16, cpu_features
from ray_qa.reader.openvino_conversion import CONVERTIBLE, is_installed
from ray_qa.settings import AUTO

GAINS_FROM_BFLOAT16 = {"torch": X86_BFLOAT16 | ARM_BFLOAT16, "openvino": X86_BFLOAT16}
"""Instructions with which an engine is faster in bfloat16 than in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuEngine:
    """What runs the forward pass: ``backend`` is torch or openvino, ``dtype`` its arithmetic; ``why`` in words."""

    backend: str
    dtype: str
    why: str


def engine_on_cpu(kind: str, backend: str, dtype: str) -> CpuEngine:
    """Settle what is ``auto`` for the CPU at hand.

    OpenVINO runs what it is known to convert, where it is installed. Arithmetic is bfloat16 where the CPU has
    instructions for it and the engine gains from them, else float32; int8 only where it is asked for.

    Args:
        kind: the model's, as its configuration names it (``model_type``).
        backend: ``auto``, ``torch`` or ``openvino``.
        dtype: ``auto``, ``float32``, ``bfloat16``, ``float16`` or ``int8``.
    """
    reasons = []
    if backend == AUTO:
        backend, reason = _automatic_backend(kind, dtype)
        reasons.append(reason)
    if dtype == AUTO:
        native = cpu_features() & GAINS_FROM_BFLOAT16[backend]
        dtype = "bfloat16" if native else "float32"
        has = f"has {min(native)}" if native else "has no bfloat16 of its own"
        reasons.append(f"this CPU {has}")
    if dtype == "int8" and not cpu_features() & EIGHT_BITS:
        reasons.append("slower than float32 on this CPU, which has neither VNNI nor AMX")
    return CpuEngine(backend=backend, dtype=dtype, why="; ".join(reasons) or "as asked for")


def _automatic_backend(kind: str, dtype: str) -> tuple[str, str]:
    if dtype == "int8":
        return "openvino", "int8 is OpenVINO's"
    if dtype == "float16":
        return "torch", "OpenVINO has no float16 on CPUs"
    if dtype == "bfloat16" and not cpu_features() & X86_BFLOAT16:
        return "torch", "OpenVINO computes in bfloat16 only where the CPU does"
    if not is_installed():
        return "torch", "OpenVINO, which is faster, is not installed (pip install 'ray_qa[openvino]')"
    if kind not in CONVERTIBLE:
        return "torch", f"OpenVINO is not known to convert {kind} models"
    return "openvino", "OpenVINO is installed and converts this model"
