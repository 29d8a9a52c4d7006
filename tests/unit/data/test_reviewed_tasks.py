from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.gold import read_gold
from ray_qa.data.row_streams import stream_rows
from ray_qa.errors import InputError
from ray_qa.preparation.config import PrepareConfig
from ray_qa.preparation.prepare import prepare
from ray_qa.sampling.config import SampleConfig
from ray_qa.sampling.sample import sample
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output

TEXT = "Köln 🙂 liegt am Rhein."


def region(start: int, end: int, **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": ["Answer"]}
    return {"id": "x", "from_name": "answer", "to_name": "text", "type": "labels", "value": value} | more


def task(own_id: object, *results: list[Any] | None, **data: Any) -> dict[str, Any]:
    """A task with an annotation for each result; ``None`` is one that was skipped."""
    annotations = [{"id": 1, "was_cancelled": result is None, "result": result or []} for result in results]
    return {"id": 70, "data": {"text": TEXT, "question": "Wo?", "id": own_id, **data}, "annotations": annotations}


def export(folder: Path, tasks: list[Any]) -> str:
    (folder / "export.json").write_text(json.dumps(tasks))
    return str(folder / "export.json")


def rows_of(path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.concat_tables(stream_rows(path, "input"), promote_options="permissive").to_pylist()
    return rows


def test_reviewed_tasks_are_rows_with_gold_answers(tmp_path: Path) -> None:
    path = export(tmp_path, [task("a", [region(7, 12), region(16, 22)]), task("b", [])])
    first, second = rows_of(path)
    assert first["answers"] == {"text": ["liegt", "Rhein."], "answer_start": [7, 16]}
    assert second == {"id": "b", "question": "Wo?", "context": TEXT, "answers": {"text": [], "answer_start": []}}
    assert read_gold(path, "whatever").by_id() == {"a": ("liegt", "Rhein."), "b": ()}


def test_tasks_that_nobody_has_reviewed_are_left_out_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = [task("a", []), task("b"), task("c", None), task("d", None, [region(0, 4)]), task("e", [], [region(0, 4)])]
    path = export(tmp_path, tasks)
    assert [row["id"] for row in rows_of(path)] == ["a", "d", "e"]
    rows_of(export(tmp_path, tasks[:2]))
    assert caplog.messages == [
        f"2 tasks of {path} have not been reviewed, or were skipped, and are left out",
        f"1 task of {path} has several annotations; the first of each counts",
        f"1 task of {path} has not been reviewed, or was skipped, and is left out",
    ]


def test_what_is_no_answer_is_passed_over_and_a_missing_text_is_cut_out(tmp_path: Path) -> None:
    other = region(0, 4, from_name="ner")
    bare = region(7, 12)
    del bare["value"]["text"]
    choice = {"from_name": "quality", "value": {"choices": ["good"]}}
    (row,) = rows_of(export(tmp_path, [task(5, [other, choice, bare])]))
    assert (row["id"], row["answers"]) == ("5", {"text": ["liegt"], "answer_start": [7]})


def test_a_task_without_an_id_of_its_own_has_that_of_the_task(tmp_path: Path) -> None:
    without = task("a", [])
    del without["data"]["id"]
    assert [row["id"] for row in rows_of(export(tmp_path, [without]))] == ["70"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ([task("a", []), {"id": 1}], "task 2 has no annotations"),
        ([task("a", []), 7], "task 2 has no annotations: 7"),
        (
            [{"id": 1, "annotations": [{"result": []}], "data": {"text": "a"}}],
            "task 1 has no question, as tasks have that `ray-qa export` makes of a wide output; review those that",
        ),
        ([task("a", [], question=None)], "task 1 has None as 'question' of its data, where a text must be"),
        ([task("a", [], text=3)], "task 1 has 3 as 'text' of its data, where a text must be"),
        ([task("a", [{"from_name": "answer", "value": {"start": "0"}}])], "task 1 has a region without start and end"),
        ([task("a", [{"from_name": "answer"}])], "task 1 has a region without start and end"),
    ],
)
def test_what_is_no_reviewed_task_is_refused_in_one_line(tmp_path: Path, broken: list[Any], says: str) -> None:
    path = export(tmp_path, broken)
    with pytest.raises(InputError) as caught:
        rows_of(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"`input` must have rows that fit one table, but in {path} {says}")


def test_tasks_of_which_none_is_reviewed_are_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^`gold` must have rows, but .* has none$"):
        read_gold(export(tmp_path, [task("a"), task("b", None)]), "id")


MINIMAL = {
    "id": 3, "text": "x", "question": "?", "answer": [{"start": 0, "end": 1, "text": "x", "labels": ["answer"]}],
    "annotator": 1, "annotation_id": 7, "created_at": "2026-11-28T06:45:21Z", "lead_time": 3.2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        (
            [{"data": {"text": "x", "question": "?"}, "predictions": []}],
            "has tasks that nobody has reviewed; review them in Label Studio, and export them as JSON",
        ),
        ([MINIMAL], "is Label Studio's JSON-MIN; export as JSON, which says where answers lie"),
        ([], "has none"),
    ],
)
def test_what_label_studio_writes_otherwise_is_refused_with_what_to_do(
    tmp_path: Path, tasks: list[Any], says: str
) -> None:
    path = export(tmp_path, tasks)
    with pytest.raises(InputError) as caught:
        read_gold(path, "id")
    assert caught.value.problems == (f"`gold` must have rows, but {path} {says}",)
    with pytest.raises(InputError) as caught:
        prepare(PrepareConfig(input=path, output=str(tmp_path / "rows")))
    assert caught.value.problems == (f"`input` must have rows, but {path} {says}",)


def test_rows_that_only_look_a_little_like_tasks_stay_rows(tmp_path: Path) -> None:
    for row in ({"id": "1", "data": {"text": "x"}}, {"id": "1", "data": "x", "predictions": ["y"]}, {"annotator": 1}):
        assert rows_of(export(tmp_path, [row])) == [row]


def test_tasks_that_sample_wrote_are_refused_until_they_are_reviewed(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS)
    sample(SampleConfig(input=str(annotated), output=str(tmp_path / "tasks.json"), random=9))
    with pytest.raises(
        InputError, match=r"^`gold` must have rows, but .*tasks.json has tasks that nobody has reviewed"
    ):
        read_gold(str(tmp_path / "tasks.json"), "id")


def test_what_sample_writes_comes_back_when_it_is_reviewed(tmp_path: Path) -> None:
    """People accept what was filled in, but for one answer that they take away."""
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS)
    sample(SampleConfig(input=str(annotated), output=str(tmp_path / "tasks.json"), random=9))
    tasks = json.loads((tmp_path / "tasks.json").read_bytes())
    for number, each in enumerate(tasks):
        (prediction,) = each.pop("predictions")
        kept = [] if each["data"]["id"] == "b" else prediction["result"]
        each |= {"id": number, "annotations": [{"was_cancelled": False, "result": kept}]}
    path = export(tmp_path, tasks)
    assert read_gold(path, "id").by_id() == {"a": ("oxygen",), "b": (), "d": (), "e": ()}
    prepare(PrepareConfig(input=path, output=str(tmp_path / "rows")))
    rows = pq.read_table(tmp_path / "rows").to_pylist()
    assert [row["context"] for row in rows] == [row["context"] for row in ROWS.to_pylist() if row["id"] != "c"]
    assert rows[0]["answers"] == {"text": ["oxygen"], "answer_start": [20]}
