"""What a run says to a log collector, from its start over an interruption to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ray_qa.cli.main import main
from ray_qa.runs import live_line
from tests.cluster.conftest import Annotated
from tests.cluster.processes import PATIENCE, driver, wait_until

pytestmark = pytest.mark.slow

OFTEN = "import sys; from ray_qa.runs import live_line; live_line.LOG_SECONDS = 0.2; from ray_qa.cli.main import main; "


def said_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_says_nothing_but_json_with_its_figures_and_run_json_tells_how_it_and_the_one_before_went(
    uninterrupted: Annotated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    output, rows = tmp_path / "out", uninterrupted.rows.num_rows
    flags = [*uninterrupted.flags, "--output", str(output), "--log-format", "json"]
    program = ("-c", f"{OFTEN} sys.exit(main())")
    with driver("annotate", flags, tmp_path / "err", program=program) as process:
        wait_until(lambda: len(list(output.glob("part-*.parquet"))) >= 5, "five parts")
        process.terminate()
        assert process.wait(PATIENCE) == 143
    *said, last = said_in((tmp_path / "err").read_text())
    assert (last["level"], last["message"].partition(";")[0]) == ("warning", "stopped")
    assert {each["command"] for each in [*said, last]} == {"annotate"}
    stages = [each["stage"] for each in said if "stage" in each]
    assert stages[0] == "starting Ray"
    assert stages[-1] == "starting replicas and loading the model"
    _assert_figures(said, rows)

    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.2)
    capfd.readouterr()
    assert main(["annotate", *flags]) == 0
    printed = capfd.readouterr()
    _assert_figures(said_in(printed.err), rows)
    (summary,) = said_in(printed.out)
    assert summary["rows"] == rows == summary["answered"] + summary["no_answer"] + summary["failed"]
    assert 0 < summary["scored_rows"] < rows

    timeline = json.loads((output / ".ray_qa" / "run.json").read_text())["timeline"]
    assert summary["scored_rows"] <= sum(stretch["rows"] for stretch in timeline) <= rows
    assert len(timeline) >= 2  # of both commands
    assert {(stretch["replicas"], stretch["failed"]) for stretch in timeline} == {(1, 0)}


def _assert_figures(said: list[dict[str, Any]], rows: int) -> None:
    scored = [each for each in said if each.get("event") == "progress" and "stage" not in each]
    assert scored
    for each in scored:
        assert each["rows"] == each["answered"] + each["no_answer"] + each["failed"]
        assert 0 < each["unit"] <= each["units"]
        assert (each["rows_total"], each["replicas"]) == (rows, 1)
        assert each["rows_per_second"] > 0
        assert each["seconds_left"] >= 0
