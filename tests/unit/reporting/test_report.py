from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from ray_qa.cli.main import main
from ray_qa.records import Question
from ray_qa.reporting.report import REPORT
from tests.unit.exporting.annotated import CONTEXTS, FAILED, answer, without_scores, write_output
from tests.unit.reporting.outputs import many_rows


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
    assert shown.out == f"8 rows in {folder / REPORT}\n", "once is enough"


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


@pytest.mark.parametrize("gold", [None, {"7.who": ["oxygen"], "7.2.1": ["green"], "8.who": ["1902"]}])
def test_the_wide_form_gets_the_page_of_the_long_one(tmp_path: Path, gold: dict[str, list[str]] | None) -> None:
    contexts = pa.table({"id": [7, 8], "context": CONTEXTS[:2]})
    asked = (Question(id="who", text="Who?"), Question(id="2.1", text="Anything else?"))
    given = [answer(CONTEXTS[0], "oxygen"), answer(CONTEXTS[0], "blue"), answer(CONTEXTS[1], "1902"), FAILED]
    flags = []
    if gold is not None:
        (tmp_path / "gold.json").write_text(json.dumps(squad(gold)))
        flags = ["--gold", str(tmp_path / "gold.json")]
    pages = []
    for wide in (False, True):
        folder = write_output(tmp_path / "out", contexts, given, asked, wide=wide, prefix="qa_")
        assert main(["report", "--input", str(folder), "--output", str(tmp_path / "page.html"), *flags]) == 0
        pages.append(without_its_minute((tmp_path / "page.html").read_text(encoding="utf-8")))
        shutil.rmtree(folder)
    assert pages[0] == pages[1]
    assert all(text in pages[0] for text in ("Anything else?", "4\N{NO-BREAK SPACE}rows"))


def test_gold_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = many_rows(tmp_path / "out", 4)
    assert main(["report", "--input", str(folder), "--gold", str(tmp_path / "none.parquet")]) == 2
    assert "`gold`" in capsys.readouterr().err


def squad(gold: dict[str, list[str]]) -> dict[str, Any]:
    """Gold answers in SQuAD's form, whose contexts nobody looks at."""
    asked = [
        {"id": name, "question": "?", "answers": [{"text": text, "answer_start": 0} for text in texts]}
        for name, texts in gold.items()
    ]
    return {"data": [{"title": "", "paragraphs": [{"context": "", "qas": asked}]}]}


def without_its_minute(page: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", page)
