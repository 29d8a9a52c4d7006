"""What Prometheus finds at Ray's endpoint while a corpus is annotated."""

from __future__ import annotations

import re
import secrets
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cluster import corpora, nodes
from tests.cluster.processes import PATIENCE, driver, wait_until

ROWS = 240
SETTINGS = (
    "--dtype", "float32", "--backend", "torch", "--unit-rows", "4", "--replicas", "1", "--max-tokens", "96", "--stride",
    "24", "--max-question-tokens", "24", "--profile",
)  # fmt: skip


@pytest.mark.slow
def test_rows_windows_tokens_seconds_and_margins_are_told_while_a_run_goes_on(
    tiny_reader_folder: Path, tmp_path: Path
) -> None:
    path = corpora.write(tmp_path / "in.parquet", corpora.plain(ROWS), row_group_size=60)
    token, said = secrets.token_hex(16), tmp_path / "err"
    with (
        nodes.head(tmp_path, token, cpus=2, dashboard=True, RAY_metrics_report_interval_ms="500") as head,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in head.environment.items():
            patch.setenv(name, value)
        flags = [*SETTINGS, "--input", str(path), "--output", str(tmp_path / "out")]
        flags += ["--model", str(tiny_reader_folder), "--ray-address", head.address]
        with driver("annotate", flags, said) as process:
            wait_until(lambda: "ray_qa_margin_bucket" in scraped(head.metrics_port), "some metrics")
            told = scraped(head.metrics_port)
            assert process.wait(PATIENCE) == 0, said.read_text()
    dashboard = (Path(__file__).parents[3] / "deploy" / "grafana.json").read_text()
    asked = set(re.findall(r"ray_qa_\w+", dashboard))
    assert asked
    assert {name for name in asked if f"{name}{{" not in told} == set()
    assert 0 < counted(told, "ray_qa_rows_total") <= ROWS
    assert counted(told, "ray_qa_tokens_total", 'kind="text"') > counted(told, "ray_qa_windows_total") > 0
    assert {"unit", "forward", "write"} <= set(re.findall(r'ray_qa_unit_seconds_count{[^}]*stage="(\w+)"', told))
    assert pq.read_table(tmp_path / "out").num_rows == ROWS


def scraped(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, urllib.error.URLError):
        return ""


def counted(told: str, name: str, label: str = "") -> float:
    """The sum of a metric's samples."""
    samples = re.findall(rf"^{name}{{([^}}]*)}} (\S+)$", told, re.MULTILINE)
    return sum(float(value) for labels, value in samples if label in labels)
