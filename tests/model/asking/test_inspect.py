"""The command inspect, the whole way."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ray_qa.cli.main import main

CONTEXT = "In 1815 the river rose by 3.5 metres and the old bridge at Ulm was carried away. " * 3
SMALL = ["--max-tokens", "40", "--stride", "8", "--max-question-tokens", "12", "--max-answer-tokens", "10"]
HOSTILE = "</span><script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">"


@pytest.fixture
def inspect(tiny_reader_folder: Path) -> list[str]:
    return ["inspect", "--question", "Which bridge?", "--model", str(tiny_reader_folder), *SMALL]


def test_the_table_has_all_windows_labels_pairs_and_the_answer(
    inspect: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*inspect, "--context", CONTEXT, "--answer", "Ulm@59"]) == 0
    shown = capsys.readouterr().out
    windows = int(re.findall(r"window 1 of (\d+)", shown)[0])
    assert windows > 2
    assert len(re.findall(r"label: start_positions \d+, end_positions \d+", shown)) == windows
    assert 0 < shown.count("not all of it, in this window: the CLS/BOS token") < windows
    assert "best pairs of start and end" in shown
    assert shown.splitlines()[-2] == "Which bridge?"


def test_json_holds_all_of_it(inspect: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*inspect, "--context", CONTEXT, "--n-best", "4", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert len(seen["best"]) == 4
    assert seen["margin"] == pytest.approx(
        seen["best"][0]["span"]["start_score"] + seen["best"][0]["span"]["end_score"] - seen["null_score"]
    )
    assert all(window["label"] is None for window in seen["windows"])


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--answer", "Ulm"], "`answer` must be a text of the context, but 'Ulm' is at several places in it; say at"),
        (["--answer", "Bonn"], "`answer` must be a text of the context, but 'Bonn' is not in it"),
        (["--html", "."], "`html` must be a file to write, but . is a folder"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    inspect: list[str], capsys: pytest.CaptureFixture[str], flags: list[str], problem: str
) -> None:
    assert main([*inspect, "--context", CONTEXT, *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"ray-qa inspect: {problem}")
    assert captured.err.count("\n") == 1


def test_a_browser_shows_the_page_and_runs_nothing_of_its_texts(inspect: list[str], tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    page = tmp_path / "page.html"
    assert main([*inspect, "--context", f"{HOSTILE} {CONTEXT}", "--answer", "img", "--html", str(page)]) == 0
    alone = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [chromium, *alone, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    assert "<title>Which bridge?</title>" in done.stdout
    assert "<script" not in done.stdout
    assert "<img" not in done.stdout
    assert done.stdout.count('class="t ') == page.read_text(encoding="utf-8").count('class="t ')
