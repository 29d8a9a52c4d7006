"""``ray-qa report`` of an output in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import RayQaError
from ray_qa.reporting.config import ReportConfig
from ray_qa.reporting.report import report
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote


def test_the_page_lies_in_the_output_or_where_it_is_wanted(annotated: Path, folder: Remote, tmp_path: Path) -> None:
    summary = report(ReportConfig(input=f"{folder}/annotated"))
    assert (summary.rows, summary.output) == (5, f"{folder}/annotated/.ray_qa/report.html")
    page = objects.read(folder / "annotated/.ray_qa/report.html").decode()
    report(ReportConfig(input=str(annotated), output=str(tmp_path / "page.html")))
    here = (tmp_path / "page.html").read_bytes().decode()
    assert page.replace(f"{folder}/annotated", "FOLDER") == here.replace(str(annotated), "FOLDER")
    for output in (f"{folder}/new/page.html", str(tmp_path / "of_bucket.html")):
        report(ReportConfig(input=f"{folder}/annotated", output=output))
    assert (
        objects.read(folder / "new/page.html").decode() == page == (tmp_path / "of_bucket.html").read_bytes().decode()
    )


@pytest.mark.usefixtures("annotated")
def test_gold_answers_are_read_from_the_bucket(folder: Remote) -> None:
    objects.publish(folder / "gold.jsonl", b'{"id": "a", "answers": {"text": ["oxygen"], "answer_start": [18]}}\n')
    report(ReportConfig(input=f"{folder}/annotated", gold=f"{folder}/gold.jsonl", output=f"{folder}/page.html"))
    assert b"gold.jsonl" in objects.read(folder / "page.html")


@pytest.mark.usefixtures("annotated")
def test_an_unfinished_output_and_a_page_among_the_parts_are_refused(folder: Remote) -> None:
    with pytest.raises(RayQaError, match=r"^`output` must"):
        report(ReportConfig(input=f"{folder}/annotated", output=f"{folder}/annotated/page.html"))
    places.delete([folder / "annotated" / "_SUCCESS"])
    with pytest.raises(RayQaError, match=r"^`input` must be finished, but"):
        report(ReportConfig(input=f"{folder}/annotated"))
    assert report(ReportConfig(input=f"{folder}/annotated", partial=True)).unfinished is not None
