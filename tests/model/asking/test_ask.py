"""The command ask, the whole way, with a model that knows nothing."""

from __future__ import annotations

import glob
import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from ray_qa.cli.main import main
from ray_qa.reader.reader import Reader
from ray_qa.settings import ReadingSettings
from tests.model.conftest import EXACT

CONTEXT = "In 1815 the river rose by 3.5 metres and the old bridge at Ulm was carried away. The town was dry."
QUESTIONS = ("When did the river rise?", "What was carried away?")


@pytest.fixture
def asked(tiny_reader_folder: Path) -> list[str]:
    flags = [flag for question in QUESTIONS for flag in ("--question", question)]
    exact = ["--backend", "torch", "--dtype", "float32", "--device", "cpu", "--always-answer"]
    return ["ask", *flags, "--model", str(tiny_reader_folder), *exact]


@pytest.fixture
def reader(tiny_reader_folder: Path) -> Reader:
    settings = ReadingSettings(n_best=3, always_answer=True)
    return Reader.load(str(tiny_reader_folder), settings=settings, device="cpu", **EXACT)


def test_answers_are_those_of_a_reader(asked: list[str], reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*asked, "--context", CONTEXT, "--n-best", "3", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.pop("question") for line in lines] == list(QUESTIONS)
    answers = [reader.answer(question, CONTEXT) for question in QUESTIONS]
    for line, answer in zip(lines, answers, strict=True):
        expected = json.loads(json.dumps(asdict(answer)))
        assert line.keys() == expected.keys()
        assert (line["answer"], line["start"], line["status"]) == (answer.answer, answer.start, "answered")
        assert [span["text"] for span in line["n_best"]] == [span.text for span in answer.n_best]


def test_answers_are_marked_in_their_sentences_with_the_best_spans_below(
    asked: list[str], reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "context"
    path.write_text(CONTEXT, encoding="utf-8")
    assert main([*asked, "--context", str(path), "--n-best", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0::5] == list(QUESTIONS)
    for question, shown in zip(QUESTIONS, (lines[:5], lines[5:]), strict=True):
        answer = reader.answer(question, CONTEXT)
        assert f"[{answer.answer}]" in shown[1]
        assert shown[1].endswith(f"({answer.confidence:.0%})")
        for line, span in zip(shown[2:], answer.n_best, strict=True):
            assert line.endswith(f"{span.score:7.2f}  {span.text}")


def test_what_cannot_be_read_is_told_in_one_line_a_question(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked, "--question", " ", "--context", CONTEXT]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ("ray-qa ask: `question` must be a text, but has white space alone (question_empty)\n")


@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_a_context_that_is_too_long_is_told_once_with_its_length_the_limit_and_the_flag(
    command: str, tiny_reader_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = [flag for question in QUESTIONS[: 2 if command == "ask" else 1] for flag in ("--question", question)]
    flags = ["--context", CONTEXT, "--max-context-chars", "20", "--model", str(tiny_reader_folder)]
    assert main([command, *questions, *flags]) == 2
    assert capsys.readouterr().err == (
        f"ray-qa {command}: `context` must have at most 20 characters (`max_context_chars`), but has {len(CONTEXT)}; "
        "raise --max-context-chars, or give the part of it that matters (context_too_long)\n"
    )


@pytest.mark.parametrize(("flags", "is_told"), [([], True), (["--quiet"], False)])
def test_who_waits_long_is_told_how_many_windows_are_read(
    asked: list[str],
    flags: list[str],
    is_told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ray_qa.asking.ask.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("ray_qa.runs.live_line.LOG_SECONDS", 0.01)
    assert main([*asked, "--context", CONTEXT * 500, "--json", *flags]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == len(QUESTIONS)
    told = re.findall(r"read [\d,]+ of [\d,]+ windows, 0:\d\d$", captured.err, re.MULTILINE)
    assert bool(told) == is_told
    assert captured.err.count("\n") == len(told)


def test_a_short_wait_says_nothing(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*asked, "--context", CONTEXT]) == 0
    assert capsys.readouterr().err == ""


def test_a_missing_file_is_told_in_one_line(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*asked, "--context", "missing.txt"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch tells whether there is a GPU")
def test_neither_torch_nor_ray_is_loaded_where_openvino_reads_on_a_machine_without_gpu(
    tiny_reader_folder: Path,
) -> None:
    pytest.importorskip("openvino")
    from ray_qa.reader.loading import GPU_DRIVERS

    if any(map(glob.glob, GPU_DRIVERS)):
        pytest.skip("there is the driver of a GPU")
    Reader.load(str(tiny_reader_folder), device="cpu", dtype="float32", backend="openvino")  # converted and kept
    arguments = ["ask", "--question", QUESTIONS[0], "--context", CONTEXT, "--model", str(tiny_reader_folder)]
    script = (
        f"import sys\nfrom ray_qa.cli.main import main\ncode = main({arguments})\n"
        "print(code, *sorted({'torch', 'transformers', 'ray', 'openvino'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 openvino"
