from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.reader import cpu, engine
from ray_qa.reader.cpu import cpu_features
from ray_qa.reader.engine import engine_on_cpu

AVX2, AVX512_BF16, ARM_BF16 = "flags\t\t: fpu avx2", "flags\t\t: fpu avx2 avx512_bf16", "Features\t: fp asimd bf16"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with OpenVINO, whose CPU is told by the file that this gives."""
    monkeypatch.setattr(cpu, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(engine, "is_installed", lambda: True)
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize(
    ("info", "kind", "backend", "dtype", "settled"),
    [
        (AVX2, "roberta", "auto", "auto", ("openvino", "float32")),
        (AVX512_BF16, "roberta", "auto", "auto", ("openvino", "bfloat16")),
        (ARM_BF16, "roberta", "auto", "auto", ("openvino", "float32")),
        (ARM_BF16, "roberta", "torch", "auto", ("torch", "bfloat16")),
        (AVX512_BF16, "roberta", "torch", "auto", ("torch", "bfloat16")),
        (AVX512_BF16, "roberta", "auto", "float32", ("openvino", "float32")),
        (AVX2, "roberta", "auto", "bfloat16", ("torch", "bfloat16")),
        (AVX2, "roberta", "auto", "float16", ("torch", "float16")),
        (AVX2, "luke", "auto", "auto", ("torch", "float32")),
        (AVX2, "luke", "openvino", "auto", ("openvino", "float32")),
    ],
)
def test_auto_is_openvino_where_it_converts_and_bfloat16_where_the_engine_gains_from_it(
    machine: Path, info: str, kind: str, backend: str, dtype: str, settled: tuple[str, str]
) -> None:
    machine.write_text(f"processor\t: 0\n{info}\nbugs\t\t: avx512_bf16\n")
    found = engine_on_cpu(kind, backend, dtype)
    assert (found.backend, found.dtype) == settled


def test_the_reason_is_told(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write_text(AVX512_BF16)
    assert engine_on_cpu("roberta", "torch", "float32").why == "as asked for"
    assert engine_on_cpu("luke", "auto", "auto").why == (
        "OpenVINO is not known to convert luke models; this CPU has avx512_bf16"
    )
    machine.write_text(AVX2)
    monkeypatch.setattr(engine, "is_installed", lambda: False)
    assert engine_on_cpu("roberta", "auto", "auto").why == (
        "OpenVINO, which is faster, is not installed (pip install 'ray_qa[openvino]'); "
        "this CPU has no bfloat16 of its own"
    )


def test_what_cannot_be_asked_for_is_not_assumed(machine: Path) -> None:
    assert not machine.exists()
    assert cpu_features() == frozenset()
