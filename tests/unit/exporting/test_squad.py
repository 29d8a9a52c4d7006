from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.errors import InputError
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.evaluation.evaluate import evaluate
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import export
from ray_qa.exporting.squad import no_answer_probability
from ray_qa.runs import row_ids
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output

SCORES = st.floats(-1e6, 1e6)


def squad(annotated: Path, output: Path, **settings: Any) -> Any:
    export(ExportConfig(input=str(annotated), to="squad", output=str(output), overwrite=True, **settings))
    return json.loads(output.read_text())


def with_ids(column: pa.Array, folder: Path) -> Path:
    return write_output(folder, ROWS.set_column(0, "id", column), ANSWERS)


def test_evaluate_gives_the_predictions_the_figures_that_it_gives_the_folder(annotated: Path, tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "gold.parquet")
    predictions = tmp_path / "predictions.json"
    squad(annotated, predictions)
    scores = [
        evaluate(EvaluateConfig(predictions=str(path), gold=str(tmp_path / "gold.parquet"))).scores
        for path in (annotated, predictions)
    ]
    assert scores[0] == scores[1]
    assert (scores[0].total, scores[0].missing, scores[0].extra) == (5, 0, 0)
    assert 0 < scores[0].exact < scores[0].f1 < 100


def test_texts_are_in_the_order_of_rows_and_plain_ascii(annotated: Path, tmp_path: Path) -> None:
    texts = squad(annotated, tmp_path / "out.json", spans=True)
    assert list(texts.items()) == [("a", "oxygen"), ("b", "in 1902"), ("c", ""), ("d", "日本"), ("e", "👩‍👩‍👧 fits")]
    assert (tmp_path / "out.json").read_bytes().isascii()  # the official scripts open it as the locale has it


def test_the_probability_of_no_answer_is_beside_it(annotated: Path, tmp_path: Path) -> None:
    squad(annotated, tmp_path / "out.json", na_probs=str(tmp_path / "na.json"))
    found = json.loads((tmp_path / "na.json").read_text())
    margins = {"a": 1.0, "b": 1.0, "d": -0.25, "e": -3.0}
    assert found == {"c": 1.0} | {each: pytest.approx(1 / (1 + math.exp(margin))) for each, margin in margins.items()}
    assert list(found) == list("abcde")


@given(start=SCORES, end=SCORES, null=SCORES)
def test_above_one_half_is_what_the_default_threshold_leaves_unanswered(start: float, end: float, null: float) -> None:
    probability = no_answer_probability(start, end, null)
    assert 0 <= probability <= 1
    margin = start + end - null
    assert (probability > 0.5) == (margin < 0) or abs(margin) < 1e-15


@given(st.lists(st.floats(-700, 700), min_size=2, max_size=2, unique=True))
def test_the_probability_falls_as_the_margin_grows(margins: list[float]) -> None:
    low, high = (no_answer_probability(margin, 0.0, 0.0) for margin in sorted(margins))
    assert low >= high
    if min(margins) > 0 and max(margins) - min(margins) > 1e-6:
        assert low > high


def test_integers_are_ids_too(tmp_path: Path) -> None:
    annotated = with_ids(pa.array([3, 1, 4, 15, 9], pa.uint8()), tmp_path / "integers")
    assert list(squad(annotated, tmp_path / "out.json")) == ["3", "1", "4", "15", "9"]


def test_ids_in_a_dictionary_are_ids_too(tmp_path: Path) -> None:
    annotated = with_ids(pa.array(list("vwxyz")).dictionary_encode(), tmp_path / "dictionary")
    assert list(squad(annotated, tmp_path / "out.json")) == list("vwxyz")


@pytest.mark.parametrize(
    ("column", "line"),
    [
        (pa.array(["a", "b", "c", "d", "a"]), "`id_column` must have every id once, but 'id' repeats 'a'"),
        (pa.array(["a", "b", "c", None, "e"]), "`id_column` must have an id in every row, but 'id' has none in row 4"),
        (pa.array([1.0, 2.0, 3.0, 4.0, 5.0]), "`id_column` must hold texts or integers, but 'id' is double"),
        (pa.array([True, False, True, True, True]), "`id_column` must hold texts or integers, but 'id' is bool"),
    ],
)
def test_ids_that_do_not_tell_rows_apart_are_refused(column: pa.Array, line: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        squad(with_ids(column, tmp_path / "annotated"), tmp_path / "out.json")
    assert caught.value.problems == (line,)
    assert not (tmp_path / "out.json").exists()


def test_ids_whose_hashes_are_equal_are_told_apart(
    annotated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_ids, "hash", lambda _: 7, raising=False)
    assert np.unique([row_ids.hash(each) for each in "ab"]).size == 1  # type: ignore[attr-defined]
    assert len(squad(annotated, tmp_path / "out.json")) == 5


def test_an_id_column_that_is_not_there_is_refused(annotated: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^`id_column` must name a column of {annotated}, but is 'key'; it has id, "):
        squad(annotated, tmp_path / "out.json", id_column="key")
