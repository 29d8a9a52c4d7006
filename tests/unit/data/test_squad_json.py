from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.squad_json import SquadRow, load_json, read_squad_json
from ray_qa.errors import InputError

answers = st.lists(st.fixed_dictionaries({"text": st.text(max_size=4), "answer_start": st.integers(0, 9)}), max_size=3)
questions = st.fixed_dictionaries({"id": st.text(max_size=4), "question": st.text(max_size=4), "answers": answers})
paragraphs = st.fixed_dictionaries({"context": st.text(max_size=4), "qas": st.lists(questions, max_size=3)})
articles = st.fixed_dictionaries({"title": st.text(max_size=4), "paragraphs": st.lists(paragraphs, max_size=3)})


def written(folder: Path, document: object) -> str:
    path = folder / "squad.json"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return str(path)


def squad(*qas: object) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"paragraphs": [{"context": "In Köln", "qas": [*qas]}]}]}


@given(st.lists(articles, max_size=3))
def test_every_question_of_every_paragraph_is_a_row_in_order(data: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = list(read_squad_json(written(Path(folder), {"version": "1.1", "data": data}), "train"))
    assert rows == [
        SquadRow(id=qa["id"], question=qa["question"], context=paragraph["context"], answers=qa["answers"])
        for article in data
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


def test_both_versions_are_read_and_what_they_add_is_left_out(tmp_path: Path) -> None:
    gold = {"text": "Köln", "answer_start": 3}
    path = written(
        tmp_path,
        squad(
            {"id": "v1", "question": "Wo?", "answers": [gold, gold]},
            {"id": "v2", "question": "Wo?", "answers": [gold], "is_impossible": False},
            {"id": "no", "question": "Wer?", "answers": [], "is_impossible": True, "plausible_answers": [gold]},
            {"answers": []},
        ),
    )
    assert list(read_squad_json(path, "train")) == [
        SquadRow(id="v1", question="Wo?", context="In Köln", answers=[gold, gold]),
        SquadRow(id="v2", question="Wo?", context="In Köln", answers=[gold]),
        SquadRow(id="no", question="Wer?", context="In Köln", answers=[]),
        SquadRow(id=None, question=None, context="In Köln", answers=[]),
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "squad.json has no list 'data'"),
        ({"Data": []}, "squad.json has no list 'data'"),
        ({"data": {}}, "squad.json has no list 'data'"),
        ({"data": [{"paragraphs": []}, {}]}, "data[1] of {path} has no list 'paragraphs'"),
        ({"data": ["x"]}, "data[0] of {path} has no list 'paragraphs'"),
        ({"data": [{"paragraphs": [{"context": "c"}]}]}, "data[0].paragraphs[0] of {path} has no list 'qas'"),
        (squad({"answers": []}, {"id": "1"}), "data[0].paragraphs[0].qas[1] of {path} has no list 'answers'"),
        (squad({"answers": None}), "data[0].paragraphs[0].qas[0] of {path} has no list 'answers'"),
        (squad("x"), "data[0].paragraphs[0].qas[0] of {path} has no list 'answers'"),
    ],
)
def test_a_missing_list_is_named_with_its_place(tmp_path: Path, document: object, message: str) -> None:
    path = written(tmp_path, document)
    with pytest.raises(InputError) as error:
        list(read_squad_json(path, "eval"))
    assert str(error.value).startswith("`eval` must be SQuAD JSON, but ")
    assert str(error.value).endswith(message.format(path=path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "paragraphs", "qas", "answers", "context"]), inner, max_size=4)
    ),
)


@given(json_values)
def test_any_json_is_read_or_refused_in_one_line(document: object) -> None:
    problem = "`train` must be SQuAD JSON, but"
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows = list(read_squad_json(written(Path(folder), document), "train"))
            assert all(isinstance(row.answers, list) for row in rows)
        except InputError as error:
            problem = str(error)
    assert problem.startswith("`train` must be SQuAD JSON, but")
    assert len(problem.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": "K\xf6ln"}', b"[" * 100_000, b"1" * 5_000, b'{"a": 1} {}'])
def test_what_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=r"^`gold` must be a list, but .*x\.json is not JSON: .+") as error:
        load_json(str(tmp_path / "x.json"), "gold", "a list")
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.json"):
        with pytest.raises(InputError, match=f"^`gold` must be a list, but {path} cannot be read: .+"):
            load_json(str(path), "gold", "a list")


def test_json_may_begin_with_a_byte_order_mark_and_pairs_may_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": 1, "a": "東京"}', encoding="utf-8-sig")
    assert load_json(str(path), "gold", "a list") == {"a": "東京"}
    assert load_json(str(path), "gold", "a list", read_object=tuple) == (("a", 1), ("a", "東京"))
