"""The commands of docs/review-loop.md, as they stand there: those that need no cluster are run, the others are read."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cli.main import main
from ray_qa.cli.parser import parse
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.settings import Settings
from tests.unit.exporting.annotated import answer, write_output

PAGE = Path(__file__).parents[2] / "docs" / "review-loop.md"
NEED_A_CLUSTER: dict[str, type[Settings]] = {"annotate": AnnotateConfig, "finetune": FinetuneConfig}
TOWNS = [f"Town{number}" for number in range(70)]


def commands() -> list[list[str]]:
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


def annotated(folder: Path) -> None:
    """An output in which every seventh answer is wrong, and every fifth row is rightly left unanswered."""
    contexts = [f"The river 😀 at {town} rose in {1800 + nth}." for nth, town in enumerate(TOWNS)]
    rows = pa.table({"id": TOWNS, "question": [f"When, at {town}?" for town in TOWNS], "context": contexts})
    answers = [
        answer(
            context,
            "river" if nth % 7 == 0 else str(1800 + nth),
            margin=-1.0 if nth % 5 == 0 else 0.25 + nth % 3,
            answered=nth % 5 != 0,
        )
        for nth, context in enumerate(contexts)
    ]
    write_output(folder, rows, answers)


def review(tasks: Path, reviewed: Path) -> None:
    """What a person makes of the tasks, as Label Studio exports it."""
    done = []
    for number, task in enumerate(json.loads(tasks.read_text(encoding="utf-8"))):
        nth, text = TOWNS.index(task["data"]["id"]), task["data"]["text"]
        year = str(1800 + nth)
        begin = text.index(year)
        value = {"start": begin, "end": begin + len(year), "text": year, "labels": ["Answer"]}
        region = {"id": "r", "from_name": "answer", "to_name": "text", "type": "labels", "value": value}
        result = [] if nth % 5 == 0 else [region]
        done.append({"id": number, "data": task["data"], "annotations": [{"id": number, "result": result}]})
    reviewed.write_text(json.dumps(done), encoding="utf-8")


def test_the_walk_from_answers_to_labels_and_back_works_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for command, *flags in commands():
        if command in NEED_A_CLUSTER:
            parse(NEED_A_CLUSTER[command], f"ray-qa {command}", flags)
            if command == "annotate":
                annotated(tmp_path / "answers")
            continue
        assert main([command, *flags]) == 0, capsys.readouterr().err
        ran.append(command)
        if command == "sample":
            assert "<Labels" in Path("labels.xml").read_text(encoding="utf-8")
            review(Path("tasks.json"), Path("reviewed.json"))
    assert ran == ["sample", "evaluate", "calibrate", "rescore", "prepare"]
    gold = pq.read_table("gold").to_pylist()
    assert len(gold) == 60
    for row in gold:
        texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
        assert [row["context"][start : start + len(text)] for text, start in zip(texts, starts, strict=True)] == texts
    assert pq.read_table("better").num_rows == 70
