from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from huggingface_hub import DatasetCard

from ray_qa.data.schemas import ADDED_FIELDS, MENTIONS_FIELD, N_BEST_FIELD
from ray_qa.records import Question
from ray_qa.runs.data_card import MEANINGS, MOST_QUESTIONS, SET_MEANING, WIDE_MEANING, DataCard, data_card
from tests.unit.finetuning.test_model_card import HOSTILE, Page

CARD = DataCard(
    data_files="part-*.parquet",
    schema=pa.schema([("id", pa.string()), ("answers", pa.struct([("text", pa.list_(pa.string()))])), *ADDED_FIELDS]),
    prefix="",
    counts={"rows": 1_200, "answered": 1_000, "no_answer": 200},
    model="deepset/roberta-base-squad2",
    weights_sha256="0123456789abcdef" * 4,
    inputs=("/data/questions.parquet",),
    settings={"null_threshold": 0.5, "always_answer": False, "keep": [], "prefix": "", "calibration": None},
    engine="OpenVINO in float32 on cpu",
)
METADATA = {
    "configs": [{"config_name": "default", "data_files": "part-*.parquet"}],
    "task_categories": ["question-answering"],
    "tags": ["ray_qa"],
}


def metadata(text: str) -> Any:
    """The front matter, as the hub's own library reads it."""
    return DatasetCard(text).data.to_dict()  # type: ignore[no-untyped-call]


def test_the_hub_learns_which_files_hold_the_rows() -> None:
    assert metadata(data_card(CARD)) == METADATA


def test_every_column_is_listed_with_its_type_and_what_it_means() -> None:
    cells = Page(data_card(CARD)).of("td")
    rows = [cells[at : at + 3] for at in range(0, 3 * len(CARD.schema), 3)]
    assert rows[1] == ["answers", "struct<text: list<item: string>>", "of the input"]
    assert [row[:2] for row in rows] == [[field.name, str(field.type)] for field in CARD.schema]
    assert rows[2][2] == "the answer; null unless status is answered"


def test_all_columns_of_annotate_have_a_meaning() -> None:
    assert list(MEANINGS) == [field.name for field in (*ADDED_FIELDS, N_BEST_FIELD, MENTIONS_FIELD)]


def test_columns_with_a_prefix_are_known() -> None:
    schema = pa.schema([("answer", pa.string()), ("qa_answer", pa.string())])
    cells = Page(data_card(replace(CARD, schema=schema, prefix="qa_"))).of("td")
    assert cells[:6] == ["answer", "string", "of the input", "qa_answer", "string", MEANINGS["answer"]]


@pytest.mark.parametrize(
    ("wide", "expected"),
    [
        (True, [["qa_1", "struct", WIDE_MEANING], ["qa_question", "string", "of the input"]]),
        (False, [["qa_1", "struct<answer: string>", "of the input"], ["qa_question", "string", SET_MEANING]]),
    ],
)
def test_the_columns_of_a_question_set_are_known(wide: bool, expected: list[list[str]]) -> None:
    schema = pa.schema([("qa_1", pa.struct([("answer", pa.string())])), ("qa_question", pa.string())])
    card = replace(
        CARD, schema=schema, prefix="qa_", questions=(Question(id="1", text="Who?"),), settings={"wide": wide}
    )
    cells = Page(data_card(card)).of("td")
    assert [cells[:3], cells[3:6]] == expected


def asking(*questions: str, wide: bool = False) -> DataCard:
    """A card of a set whose questions are known as q0, q1 and so on."""
    asked = tuple(Question(id=f"q{number}", text=text) for number, text in enumerate(questions))
    return replace(CARD, questions=asked, prefix="qa_", settings={"wide": wide})


@pytest.mark.parametrize(
    ("wide", "known_by", "said"),
    [
        (False, "q1", "A row holds the answer to one of them."),
        (True, "qa_q1", "The column of that name holds its answer."),
    ],
)
def test_the_questions_of_a_set_are_told_with_what_their_answers_are_known_by(
    wide: bool, known_by: str, said: str
) -> None:
    page = Page(data_card(asking("Who | <b>?", "When?", wide=wide)))
    cells = page.of("td")
    assert "Who | <b>?" in cells
    assert cells[cells.index("When?") - 1] == known_by
    assert any(text.startswith(f"Every context was asked these 2 questions. {said}") for text in page.of("p"))


def test_of_many_questions_the_first_are_told_and_the_rest_counted() -> None:
    page = Page(data_card(asking(*(f"Is it {number}?" for number in range(MOST_QUESTIONS + 3)))))
    assert sum(cell.startswith("Is it") for cell in page.of("td")) == MOST_QUESTIONS
    assert any(text.startswith("And 3 more.") for text in page.of("p"))


@pytest.mark.parametrize(("wide", "rows"), [(False, "1,200"), (True, "600")])
def test_rows_are_those_of_the_files_and_pairs_are_called_so(wide: bool, rows: str) -> None:
    cells = Page(data_card(asking("Who?", "When?", wide=wide))).of("td")
    at = cells.index("rows")
    assert cells[at : at + 4] == ["rows", rows, "pairs of context and question", "1,200"]


@pytest.mark.parametrize("text", HOSTILE)
def test_questions_bring_in_neither_markdown_nor_html(text: str) -> None:
    page, plain = Page(data_card(asking(text))), Page(data_card(asking("Who?")))
    assert (page.tags, page.comments) == (plain.tags, [])


def test_counts_model_and_the_settings_that_were_given_are_told() -> None:
    cells = Page(data_card(CARD)).of("td")
    pairs = dict(zip(cells[3 * len(CARD.schema) :: 2], cells[3 * len(CARD.schema) + 1 :: 2], strict=True))
    assert pairs == {
        "rows": "1,200",
        "answered": "1,000",
        "no answer": "200",
        "model": "deepset/roberta-base-squad2",
        "SHA-256 of its weights": CARD.weights_sha256,
        "computed by": "OpenVINO in float32 on cpu",
        "null_threshold": "0.5",
        "always_answer": "no",
    }


def test_numbers_of_a_calibration_are_told_one_by_one() -> None:
    text = data_card(replace(CARD, settings={"confidence": {"slope": 0.5, "shift": -0.25}}))
    assert "slope 0.5, shift -0.25" in Page(text).of("td")


def test_where_model_and_input_lie_is_not_told() -> None:
    text = data_card(replace(CARD, model="/home/anna/my-reader", inputs=["s3://secret/q.parquet"] * 7))
    assert "/home" not in text
    assert "secret" not in text
    assert "q.parquet, q.parquet and 2 more" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_bring_in_neither_yaml_nor_markdown_nor_html(name: str) -> None:
    plain = Page(data_card(CARD))
    schema = pa.schema([(name, pa.string()), *list(CARD.schema)[1:]])
    settings = {"null_threshold": 0.5, "always_answer": name}
    text = data_card(
        replace(CARD, schema=schema, model=name, inputs=[name], settings=settings, engine=name, unfinished=None)
    )
    assert metadata(text) == METADATA
    page = Page(text)
    assert page.tags == plain.tags
    assert page.comments == []
    assert page.of("td")[0] == "".join(each if each.isprintable() else " " for each in name).strip()


def test_what_is_missing_is_said_first() -> None:
    assert "**Not finished:** 2 of 3 units." in data_card(replace(CARD, unfinished="2 of 3 units"))
