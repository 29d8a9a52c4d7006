from __future__ import annotations

import json
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from ray_qa.cli.main import main
from ray_qa.reporting.report import REPORT
from tests.unit.exporting.annotated import without_scores
from tests.unit.reporting.outputs import many_rows, with_settings


def test_the_page_lies_beside_the_run_and_its_parts_are_read_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = many_rows(tmp_path / "out", 20)
    assert main(["report", "--input", str(folder)]) == 0
    assert capsys.readouterr().out == f"20 rows in {folder / REPORT}\n"
    assert (folder / REPORT).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert ds.dataset(folder).count_rows() == 20


def test_the_page_may_lie_elsewhere_and_replaces_one_that_is_there(tmp_path: Path) -> None:
    folder, page = many_rows(tmp_path / "out", 4), tmp_path / "new" / "page.html"
    for _ in range(2):
        assert main(["report", "--input", str(folder), "--output", str(page)]) == 0
    assert page.exists()
    assert not (folder / REPORT).exists()


def test_the_summary_is_for_programs_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = many_rows(tmp_path / "out", 4)
    assert main(["report", "--input", str(folder), "--log-format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"rows": 4, "output": str(folder / REPORT), "unfinished": None}


def test_rows_whose_scores_are_no_numbers_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = many_rows(tmp_path / "out", 10)
    assert main(["report", "--input", str(folder)]) == 0
    assert "no numbers" not in capsys.readouterr().err  # one row has failed
    without_scores(folder, 1)
    assert main(["report", "--input", str(folder)]) == 0
    assert (
        "the scores of 2 rows are no numbers; they are left out of what the page tells of margins"
        in capsys.readouterr().err
    )


def test_an_unfinished_output_wants_partial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = many_rows(tmp_path / "out", 10)
    (folder / "part-0000001.parquet").unlink()
    assert main(["report", "--input", str(folder)]) == 2
    assert "has 4 of 5 parts; run the same annotate command again" in capsys.readouterr().err
    assert main(["report", "--input", str(folder), "--partial"]) == 0
    shown = capsys.readouterr()
    assert "NOT FINISHED" in shown.err
    assert shown.out.startswith("not finished: ")


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("out/report.html", "must not lie among the parts, whose readers it would break"),
        (".", "must be a file to write, but . is a folder"),
    ],
)
def test_a_page_that_would_be_in_the_way_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    many_rows(tmp_path / "out", 4)
    assert main(["report", "--input", "out", "--output", output]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("settings", [{"wide": True}])
def test_the_wide_form_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, bool]
) -> None:
    folder = with_settings(many_rows(tmp_path / "out", 4), **settings)
    assert main(["report", "--input", str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / REPORT).exists()


def test_gold_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = many_rows(tmp_path / "out", 4)
    assert main(["report", "--input", str(folder), "--gold", str(tmp_path / "none.parquet")]) == 2
    assert "`gold`" in capsys.readouterr().err
