from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.report import report_on
from ray_qa.reporting.report import REPORT
from tests.unit.reporting.outputs import many_rows


def config_of(folder: Path) -> AnnotateConfig:
    return AnnotateConfig(input=("rows.parquet",), output=str(folder), report=True)


def test_the_page_of_an_output_is_made_and_its_place_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    folder = many_rows(tmp_path / "out", 8)
    report_on(config_of(folder))
    assert "Rows to look at" in (folder / REPORT).read_text(encoding="utf-8")
    assert f"the report is {folder / REPORT}" in caplog.text


def test_a_page_that_cannot_be_made_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = many_rows(tmp_path / "out", 8)
    (folder / "part-0000001.parquet").unlink()
    report_on(config_of(folder))
    assert "the report could not be written: `output` must be finished" in caplog.text
    assert not (folder / REPORT).exists()
