"""The embedded model's answers against what public procedures gave with the same weights (shared/golden)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_qa.reader.reader import Reader
from ray_qa.records import Answer
from ray_qa.settings import ReadingSettings

SLOW = dict.fromkeys(("golden_v1_a", "golden_long_a"), pytest.mark.slow)
DATA_OF = {"golden_v1_a": "squad_v1_dev_a", "golden_v2_a": "squad_v2_dev_a", "golden_long_a": "squad_v1_dev_a_long"}
MAY_ABSTAIN = ("golden_v2_a",)
TIE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One golden row, the context it was read from, and what we answer."""

    golden: dict[str, Any]
    context: str
    answer: Answer

    @property
    def text(self) -> str:
        """Our answer, as SQuAD writes it: empty for none."""
        return self.answer.answer or ""

    @property
    def score(self) -> float:
        return self.answer.n_best[0].score

    @property
    def is_tie(self) -> bool:
        """Whether ours has the golden span's score, or abstaining hung on so little."""
        same_score = abs(self.score - self.golden["exact_score_sum"]) <= TIE
        undecided = abs(self.golden["null_score"] - self.golden["exact_score_sum"]) <= TIE
        same_span = self.answer.start == self.golden["exact_start"] and self.answer.end == self.golden["exact_end"]
        return same_score and (undecided or not same_span)

    def __str__(self) -> str:
        golden, answer = self.golden, self.answer
        ours = f"{self.text!r} [{answer.start}:{answer.end}] {self.score:.5f}"
        theirs = f"{golden['exact_answer']!r} [{golden['exact_start']}:{golden['exact_end']}]"
        return f"{golden['id']}: {ours} instead of {theirs} {golden['exact_score_sum']:.5f}" + " (a tie)" * self.is_tie


@pytest.fixture(scope="module", params=[pytest.param(name, marks=SLOW.get(name, ())) for name in DATA_OF])
def readings(request: pytest.FixtureRequest, shared: Path, embedded: Reader) -> list[Reading]:
    """All rows of one golden file, read."""
    data = pq.read_table(shared / "data" / f"{DATA_OF[request.param]}.parquet", columns=["id", "question", "context"])
    rows = {row["id"]: row for row in data.to_pylist()}
    golden = pq.read_table(shared / "golden" / f"{request.param}.parquet").to_pylist()
    settings = ReadingSettings(always_answer=request.param not in MAY_ABSTAIN)
    reader = Reader(tokenizer=embedded.tokenizer, backend=embedded.backend, settings=settings, budget=embedded.budget)
    answers = reader.read([rows[row["id"]] for row in golden])
    return [
        Reading(
            golden=row | {"exact_score_sum": row["exact_start_score"] + row["exact_end_score"]},
            context=rows[row["id"]]["context"],
            answer=answer,
        )
        for row, answer in zip(golden, answers, strict=True)
    ]


def listed(readings: list[Reading]) -> str:
    return "\n".join(map(str, readings))


def test_every_row_has_the_exact_answer_start_and_end(readings: list[Reading]) -> None:
    different = [
        reading
        for reading in readings
        if (reading.text, reading.answer.start, reading.answer.end)
        != (reading.golden["exact_answer"], reading.golden["exact_start"], reading.golden["exact_end"])
    ]
    assert len(readings) >= 150
    assert all(reading.is_tie for reading in different), listed(different)
    assert len(different) <= len(readings) // 100, listed(different)


def test_scores_and_windows_are_the_golden_ones(readings: list[Reading]) -> None:
    for reading in readings:
        answer, golden = reading.answer, reading.golden
        assert answer.windows == golden["windows"], str(reading)
        assert answer.null_score == pytest.approx(golden["null_score"], abs=TIE), str(reading)
        assert reading.score == pytest.approx(golden["exact_score_sum"], abs=TIE), str(reading)


def test_every_answer_is_its_slice_of_the_context(readings: list[Reading]) -> None:
    for reading in readings:
        assert reading.context[reading.answer.start : reading.answer.end] == reading.answer.span


def test_the_score_is_never_below_that_of_the_squad_procedure(readings: list[Reading]) -> None:
    below = [
        reading
        for reading in readings
        if reading.score < reading.golden["start_score"] + reading.golden["end_score"] - TIE
    ]
    assert not below, listed(below)


def test_the_pipeline_agrees_on_rows_of_one_window(readings: list[Reading]) -> None:
    single = [reading for reading in readings if reading.golden["windows"] == 1]
    if not single:
        pytest.skip("every row of this file has several windows")
    different = [reading for reading in single if reading.text != reading.golden["pipeline_answer"]]
    assert len(different) <= 0.03 * len(single), listed(different)
