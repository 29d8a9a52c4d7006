from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_qa.annotation.card import write_card
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import EngineUsed, note_engine
from ray_qa.annotation.output import Plan, read_plan
from ray_qa.data.parts import part_path
from ray_qa.runs.cards import CARD, is_our_card
from ray_qa.runs.part_labels import Counts
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output

COUNTS = Counts(rows=5, answered=2, no_answer=2, failed=1, windows=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_output(tmp_path / "out", ROWS, ANSWERS)


def config(folder: Path, *, card: bool = True) -> AnnotateConfig:
    return AnnotateConfig(input="/in/rows.parquet", output=str(folder), model="owner/reader", card=card)


def plan(folder: Path) -> Plan:
    found = read_plan(folder)
    assert found is not None
    return found


def test_the_card_tells_of_the_columns_counts_model_and_engine(folder: Path) -> None:
    note_engine(folder, EngineUsed(arithmetic="torch in float32 on cpu"))
    write_card(config(folder), plan(folder), COUNTS)
    text = (folder / CARD).read_text()
    for field in pq.read_schema(part_path(folder, 0)):
        assert f"| {field.name} | " in text
    for told in ("| rows | 5 |", "owner/reader", "torch in float32 on cpu", "| stride | 128 |", "of rows.parquet."):
        assert told in text
    assert is_our_card(folder / CARD)


def test_no_card_is_written_where_none_is_asked_for(folder: Path) -> None:
    write_card(config(folder, card=False), plan(folder), COUNTS)
    assert not (folder / CARD).exists()


def test_a_card_of_ours_is_renewed_though_none_is_asked_for(folder: Path) -> None:
    write_card(config(folder), plan(folder), Counts(rows=4, failed=4))
    write_card(config(folder, card=False), plan(folder), COUNTS)
    assert "| rows | 5 |" in (folder / CARD).read_text()


def test_a_persons_card_is_left_alone_and_that_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ray_qa")
    (folder / CARD).write_text("mine")
    write_card(config(folder, card=False), plan(folder), COUNTS)
    assert caplog.messages == []
    write_card(config(folder), plan(folder), COUNTS)
    assert (folder / CARD).read_text() == "mine"
    assert caplog.messages == [f"{folder}/README.md is not as ray-qa wrote it, and is left as it is"]
