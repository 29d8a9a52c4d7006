from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ray_qa.cli import main as cli
from ray_qa.cli.commands import COMMANDS
from ray_qa.cli.demo import DemoConfig
from ray_qa.errors import ConfigError
from ray_qa.settings import Settings


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_the_usage_is_shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert shown == cli.USAGE
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", shown, re.MULTILINE)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"ray-qa \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [[], ["csh"], ["bash", "zsh"]])
def test_a_shell_that_cannot_be_helped_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--completion", *arguments]) == 2
    assert capsys.readouterr().err == (
        f"ray-qa: --completion must be one of bash, zsh, fish, but is {' '.join(arguments)!r}\n"
    )


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["anotate"]) == 2
    assert capsys.readouterr().err == (
        "ray-qa: the command must be one of demo, ask, inspect, prepare, plan, annotate, finetune, evaluate, "
        "calibrate, rescore, sample, report, export, but is 'anotate'\n"
    )


def test_a_mistaken_flag_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", "--question", "Who", "was", "he?", "--context", "text"]) == 2
    assert capsys.readouterr().err == (
        "ray-qa inspect: `--question` must have one value, but 'was he?' follows it; put a text with spaces in quotes\n"
    )


def test_arguments_come_from_the_command_line_unless_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ray-qa", "nonsense"])
    assert cli.main() == 2
    assert "'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "missing"), [("prepare", 2), ("annotate", 2), ("finetune", 3), ("evaluate", 1)])
def test_every_problem_is_one_line_and_exit_code_2(
    command: str, missing: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command]) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert len(lines) == missing
    assert all(re.fullmatch(rf"ray-qa {command}: `\w+` must be given, but is missing", line) for line in lines)


def test_a_command_prints_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    qas = [{"id": "1", "question": "?", "answers": [{"text": "x", "answer_start": 0}]}]
    gold, predictions = tmp_path / "gold.json", tmp_path / "predictions.json"
    gold.write_text(json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": qas}]}]}))
    predictions.write_text(json.dumps({"1": "x"}))
    assert cli.main(["evaluate", "--gold", str(gold), "--predictions", str(predictions)]) == 0
    assert "100.00" in capsys.readouterr().out


def test_a_command_prints_what_it_found_as_json_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, predictions = tmp_path / "gold.json", tmp_path / "predictions.json"
    qas = [{"id": "1", "question": "?", "answers": [{"text": "x", "answer_start": 0}]}]
    gold.write_text(json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": qas}]}]}))
    predictions.write_text(json.dumps({"1": "x"}))
    flags = ["--gold", str(gold), "--predictions", str(predictions), "--log-format", "json"]
    assert cli.main(["evaluate", *flags]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["exact"] == 100.0
    assert (printed.out.count("\n"), printed.err) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "command", "message"),
    [
        (
            ["evaluate", "--log-format", "json", "--gold", "g"],
            "evaluate",
            "`predictions` must be given, but is missing",
        ),
        (["evaluate", "--log-format=json", "--gold", "/no/where", "--predictions", "p"], "evaluate", "/no/where"),
        (
            ["evaluate", "--log-format", "json", "--golden", "g"],
            "evaluate",
            "unknown; did you mean `--gold`?",
        ),
        (
            ["evalute", "--log-format", "json"],
            "",
            "annotate, finetune, evaluate, calibrate, rescore, sample, report, export, but is 'evalute'",
        ),
    ],
)
def test_what_is_wrong_is_said_as_json_where_that_is_asked_for(
    arguments: list[str], command: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {(each["command"], each["level"]) for each in said} == {(command, "error")}
    assert any(message in each["message"] for each in said)


def test_a_file_may_ask_for_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml = tmp_path / "job.yaml"
    yaml.write_text("gold: /no/where\npredictions: /no/where\nlog_format: json\n")
    assert cli.main(["evaluate", "--config", str(yaml)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("/no/where" in json.loads(line)["message"] for line in lines)


def test_a_crash_is_one_line_of_json_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: Settings) -> int:
        raise ZeroDivisionError("by nothing")

    carry_out(monkeypatch, "annotate", command)
    assert cli.main(["annotate", "--input", "in", "--output", "out", "--log-format", "json"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["level"], said["message"]) == ("error", "by nothing")
    assert "ZeroDivisionError" in said["traceback"]


def test_a_stop_is_one_line_of_json_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: Settings) -> int:
        raise KeyboardInterrupt

    carry_out(monkeypatch, "annotate", command)
    assert cli.main(["annotate", "--input", "in", "--output", "out", "--log-format", "json"]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"].startswith("stopped; what is done is kept, and the same command goes on")


def test_the_exit_code_of_a_command_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Settings] = []

    def command(config: Settings) -> int:
        given.append(config)
        return 3

    carry_out(monkeypatch, "demo", command)
    assert cli.main(["demo", "--output", "x"]) == 3
    assert given == [DemoConfig(output="x")]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("one", "two"), 2, "ray-qa demo: one\nray-qa demo: two\n"),
        (
            OSError(errno.ENOSPC, "No room", "/out/file"),
            2,
            f"ray-qa demo: `output` must be writable, but gives: [Errno {errno.ENOSPC}] No room: '/out/file'; "
            "make room and run the same command again\n",
        ),
        (KeyboardInterrupt(), 130, "ray-qa demo: stopped; what is done is kept, and the same command goes on from"),
    ],
)
def test_errors_of_ours_and_interruptions_become_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    def command(_: Settings) -> int:
        raise error

    carry_out(monkeypatch, "demo", command)
    assert cli.main(["demo"]) == code
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("error", [ZeroDivisionError(), PermissionError(errno.EPERM, "no", "/out/file")])
def test_a_crash_is_not_dressed_up_as_a_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def command(_: Settings) -> int:
        raise error

    carry_out(monkeypatch, "demo", command)
    with pytest.raises(type(error)):
        cli.main(["demo"])


def test_a_command_that_keeps_nothing_promises_nothing_when_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: Settings) -> int:
        raise KeyboardInterrupt

    carry_out(monkeypatch, "ask", command)
    assert cli.main(["ask", "--question", "Who?", "--context", "He."]) == 130
    assert capsys.readouterr().err == "ray-qa ask: stopped\n"


def carry_out(patch: pytest.MonkeyPatch, name: str, run: Callable[[Any], int]) -> None:
    patch.setitem(COMMANDS, name, replace(COMMANDS[name], run=run))
