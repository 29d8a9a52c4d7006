from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.annotation.forecast import Forecast, forecast
from ray_qa.annotation.forecast_config import PlanConfig
from ray_qa.errors import InputError
from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from ray_qa.settings import ReadingSettings

SETTINGS = {"max_tokens": 64, "stride": 16, "max_question_tokens": 8}
ROWS = [
    Row(question="Who?" if nth % 5 else None, context=" ".join(["the river rose"] * (3 + nth % 40)))
    for nth in range(60)
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "in.parquet"
    columns = {"question": [row.question for row in ROWS], "context": [row.context for row in ROWS]}
    pq.write_table(pa.table(columns), path, row_group_size=20)
    return path


def of(corpus: Path, model: Path, **more: object) -> Forecast:
    settings: dict[str, object] = {"input": str(corpus), "model": str(model), "dtype": "float32", "backend": "torch"}
    return forecast(PlanConfig(**(settings | SETTINGS | {"quiet": True} | more)))


def test_a_probe_of_all_rows_says_what_reading_them_says(corpus: Path, tiny_reader_folder: Path) -> None:
    reader = Reader.load(
        str(tiny_reader_folder),
        settings=ReadingSettings(**SETTINGS),
        dtype="float32",
        backend="torch",
    )
    answers = reader.read(ROWS)
    found = of(corpus, tiny_reader_folder, replicas="2")
    assert (found.rows, found.probed_rows, found.files, found.row_groups, found.replicas) == (60, 60, 1, 3, 2)
    assert found.windows_a_row == pytest.approx(sum(answer.windows for answer in answers) / 60)
    assert found.failed == {"question_missing": pytest.approx(12 / 60)}
    assert found.many_windows == sum(answer.windows > 8 for answer in answers) / 60
    assert 0 < found.padding < 1
    assert found.bytes_out > 0
    assert found.seconds == pytest.approx(60 / found.rows_a_second / 2)
    assert found.seconds_interval is None  # three units, three runs


def test_rows_that_repeat_an_earlier_one_are_counted(tiny_reader_folder: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": ["Who?"] * 10, "context": ["the river rose"] * 10}), tmp_path / "in.parquet")
    found = of(tmp_path / "in.parquet", tiny_reader_folder)
    assert (found.repeated, found.windows_a_row) == (0.9, 0.1)


def test_questions_of_a_set_count_for_every_context(corpus: Path, tiny_reader_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text("Who?\nWhere?\nWhen?\n")
    found = of(
        corpus, tiny_reader_folder, questions=str(tmp_path / "questions.txt"), probe_rows=30, limit=50, keep="context"
    )
    assert (found.rows, found.questions, found.failed) == (150, 3, {})
    assert 0 < found.probed_rows <= 60


def test_what_annotate_would_refuse_is_refused(tiny_reader_folder: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"`question_column` must name one column of the input, but is 'question'"):
        of(tmp_path / "in.parquet", tiny_reader_folder)
