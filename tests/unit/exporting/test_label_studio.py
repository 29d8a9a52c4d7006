from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.errors import InputError
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import export
from ray_qa.outgoing.label_studio import LABELS_CONFIG
from ray_qa.records import Answer
from tests.unit.exporting.annotated import ANSWERS, CONTEXTS, ROWS, answer, write_output

RENAMED = ROWS.rename_columns(["id", "q", "passage", "answers"])
NAMES = {"question_column": "q", "context_column": "passage"}


def tasks(annotated: Path, output: Path, **settings: Any) -> Any:
    config = ExportConfig(input=str(annotated), to="label-studio", output=str(output), overwrite=True, **settings)
    export(config)
    return json.loads(output.read_text("utf-8"))


def code_points(text: str, start: int, end: int) -> str:
    """A range as Label Studio cuts it: ``[...text].slice(start, end)``, over UTF-16 put together to code points."""
    units = text.encode("utf-16-le")
    points, at = [], 0
    while at < len(units):
        size = 4 if 0xD8 <= units[at + 1] < 0xDC else 2
        points.append(units[at : at + size])
        at += size
    return b"".join(points[start:end]).decode("utf-16-le")


def test_a_row_is_a_task_with_its_answer_as_a_prediction(annotated: Path, tmp_path: Path) -> None:
    first, *_ = found = tasks(annotated, tmp_path / "out.json", columns=("id",))
    assert len(found) == 5
    assert first == {
        "data": {"text": CONTEXTS[0], "question": "Which gas is green?", "id": "a"},
        "predictions": [
            {
                "model_version": "owner/reader 0123456789ab",
                "score": 0.75,
                "result": [
                    {
                        "id": "Answer",
                        "from_name": "answer",
                        "to_name": "text",
                        "type": "labels",
                        "value": {"start": 20, "end": 26, "text": "oxygen", "labels": ["Answer"]},
                    }
                ],
            }
        ],
    }


def test_no_answer_is_a_prediction_without_a_region_and_a_failed_row_none(annotated: Path, tmp_path: Path) -> None:
    _, _, failed, no_answer, _ = tasks(annotated, tmp_path / "out.json")
    assert failed["predictions"] == []
    assert failed["data"]["question"] == ""
    assert [prediction["result"] for prediction in no_answer["predictions"]] == [[]]


@settings(max_examples=25, deadline=None)
@given(before=st.text(max_size=9), text=st.text(min_size=1, max_size=9), after=st.text(max_size=9))
def test_regions_cut_the_answer_out_of_the_text_as_label_studio_counts(
    tmp_path_factory: pytest.TempPathFactory, before: str, text: str, after: str
) -> None:
    context = before + text + after
    folder = tmp_path_factory.mktemp("any")
    rows = pa.table({"question": ["?"], "context": [context]})
    (task,) = tasks(write_output(folder / "annotated", rows, [answer(context, text)]), folder / "out.json")
    value = task["predictions"][0]["result"][0]["value"]
    assert code_points(task["data"]["text"], value["start"], value["end"]) == value["text"] == text


def test_an_emoji_before_the_answer_counts_as_one() -> None:
    assert code_points("😀 oxygen", 2, 8) == "oxygen"


def test_the_columns_of_the_run_become_text_and_question(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", RENAMED, ANSWERS, **NAMES)
    data = tasks(annotated, tmp_path / "out.json")[0]["data"]
    assert list(data)[:4] == ["text", "question", "id", "answers"]
    assert not {"q", "passage"} & data.keys()


def test_another_column_of_such_a_name_is_refused_unless_it_is_left_out(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", RENAMED.append_column("text", ROWS["id"]), ANSWERS, **NAMES)
    with pytest.raises(InputError) as caught:
        tasks(annotated, tmp_path / "out.json")
    assert caught.value.problems == (
        "`columns` must leave 'text' out with `to` label-studio, where 'passage' is called 'text' and 'q' is called "
        "'question'",
    )
    assert tasks(annotated, tmp_path / "out.json", columns=("id",))[0]["data"]["text"] == CONTEXTS[0]


def test_an_output_without_contexts_is_refused(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS, keep=("id",))
    with pytest.raises(InputError, match=r"^`to` label-studio must find the column 'context', but `keep` of annotate"):
        tasks(annotated, tmp_path / "out.json")


def test_an_answer_that_is_not_where_its_offsets_say_is_refused(tmp_path: Path) -> None:
    wrong = Answer(status="answered", answer="gas", span="gas", start=0, end=3, confidence=0.5)
    annotated = write_output(tmp_path / "annotated", ROWS, [wrong, *ANSWERS[1:]])
    with pytest.raises(InputError, match=r"^`input` must have answers that are cut out of their contexts, but 'gas'"):
        tasks(annotated, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_the_labelling_configuration_fits_the_tasks(annotated: Path, tmp_path: Path) -> None:
    (task, *_) = tasks(annotated, tmp_path / "out.json", labels_config=str(tmp_path / "labels.xml"))
    root = ElementTree.parse(tmp_path / "labels.xml").getroot()
    region = task["predictions"][0]["result"][0]
    (labels,) = root.iter("Labels")
    assert (labels.get("name"), labels.get("toName")) == (region["from_name"], region["to_name"])
    assert [label.get("value") for label in labels] == region["value"]["labels"]
    shown = {tag.get("value", "")[1:] for tag in root if tag.get("value", "").startswith("$")}
    assert shown <= task["data"].keys()
    assert next(root.iter("Text")).get("name") == region["to_name"]


def test_the_labelling_configuration_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs/output.md").read_text("utf-8")
    assert f"```xml\n{LABELS_CONFIG}```" in text
