"""The dashboard asks for what is told, and for all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ray_qa

TELEMETRY = Path(ray_qa.__file__).parent / "cluster" / "telemetry.py"
DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana.json"


def test_the_dashboard_shows_exactly_the_metrics_that_are_told() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    names = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in re.findall(r"ray_(qa_\w+)", asked)}
    assert names == set(re.findall(r'"(qa_\w+)"', TELEMETRY.read_text()))
