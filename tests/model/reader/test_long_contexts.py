from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.reader.reader import Reader
from ray_qa.settings import ReadingSettings
from tests.model.conftest import EXACT, SMALL
from tests.model.reader.oracle import read_plainly
from tests.tiny import TEXT, tiny_bert, tiny_model, tiny_xlm_roberta

CONTEXTS = (
    " ".join(TEXT),
    " ".join(TEXT[:4]) + "\r\n\r\n" + "  ".join(TEXT[4:]),
    TEXT[1],
    "Ulm",
    "👩\u200d👩\u200d👧 " * 12 + "cafe\u0301 " * 6,
)
WIDE = ReadingSettings(max_tokens=64, stride=32, max_question_tokens=12, max_answer_tokens=30)
NARROW = ReadingSettings(max_tokens=24, stride=0, max_question_tokens=12, max_answer_tokens=1)
QUESTION = "Who was Jim?"


@pytest.fixture(scope="module", params=["roberta", "bert", "xlm-roberta", "deberta-v2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_reader_folder: Path) -> Path:
    if request.param == "roberta":
        return tiny_reader_folder
    to = tmp_path_factory.mktemp(request.param)
    makers = {"bert": tiny_bert, "xlm-roberta": tiny_xlm_roberta}
    return makers[request.param](to) if request.param in makers else tiny_model(to, request.param)


@pytest.mark.parametrize("settings", [SMALL, WIDE, NARROW], ids=["small", "wide", "narrow"])
def test_answers_equal_those_of_a_plain_loop_over_windows(folder: Path, settings: ReadingSettings) -> None:
    reader = Reader.load(str(folder), settings=settings, device="cpu", **EXACT)
    answers = reader.read([{"question": QUESTION, "context": context} for context in CONTEXTS])
    for context, answer in zip(CONTEXTS, answers, strict=True):
        expected = read_plainly(folder, QUESTION, context, settings)
        assert (answer.start, answer.end, answer.windows) == (expected.start, expected.end, expected.windows)
        assert answer.start_score == pytest.approx(expected.start_score, abs=1e-3)
        assert answer.end_score == pytest.approx(expected.end_score, abs=1e-3)
        assert answer.null_score == pytest.approx(expected.null_score, abs=1e-3)
        assert answer.log_partition == pytest.approx(expected.log_partition, abs=1e-3)


def test_a_long_context_gives_several_windows(tiny: Reader) -> None:
    assert tiny.answer(question=QUESTION, context=CONTEXTS[0]).windows > 10
    assert tiny.answer(question=QUESTION, context="Ulm").windows == 1


def test_an_answer_in_the_last_window_is_found_where_it_lies(tiny: Reader) -> None:
    contexts = [f"{CONTEXTS[0]} {ending}" for ending in TEXT]
    answers = tiny.read([{"question": QUESTION, "context": context} for context in contexts])
    for context, answer in zip(contexts, answers, strict=True):
        assert answer.span == context[answer.start : answer.end]


def test_a_question_so_long_that_windows_get_narrow_still_reads_the_whole_context(tiny: Reader) -> None:
    answer = tiny.answer(question="Who was Jim Henson? " * 30, context=CONTEXTS[0])
    short = tiny.answer(question=QUESTION, context=CONTEXTS[0])
    assert answer.question_cut
    assert not short.question_cut
    assert answer.windows > short.windows
    assert answer.status != "failed"


@pytest.mark.parametrize("n_best", [1, 3, 25])
def test_n_best_spans_are_those_that_a_plain_loop_ranks_first(n_best: int, tiny_reader_folder: Path) -> None:
    settings = ReadingSettings.model_validate(SMALL.model_dump() | {"n_best": n_best})
    reader = Reader.load(str(tiny_reader_folder), settings=settings, device="cpu", **EXACT)
    for context in CONTEXTS:
        answer = reader.answer(question=QUESTION, context=context)
        expected = read_plainly(tiny_reader_folder, QUESTION, context, settings).ranked[:n_best]
        assert tuple((span.start, span.end) for span in answer.n_best) == expected
