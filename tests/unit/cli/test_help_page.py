from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.forecast_config import PlanConfig
from ray_qa.asking.config import AskConfig, InspectConfig
from ray_qa.calibration.config import CalibrateConfig
from ray_qa.cli.demo import DemoConfig
from ray_qa.cli.flags import flags_of
from ray_qa.cli.help_page import help_page
from ray_qa.cli.parser import parse
from ray_qa.errors import ConfigError
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.exporting.config import ExportConfig
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.preparation.config import PrepareConfig
from ray_qa.reporting.config import ReportConfig
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.sampling.config import SampleConfig
from ray_qa.settings import Group, Settings

COMMANDS: dict[str, type[BaseModel]] = {
    "prepare": PrepareConfig,
    "plan": PlanConfig,
    "annotate": AnnotateConfig,
    "finetune": FinetuneConfig,
    "evaluate": EvaluateConfig,
    "calibrate": CalibrateConfig,
    "rescore": RescoreConfig,
    "report": ReportConfig,
    "sample": SampleConfig,
    "export": ExportConfig,
    "ask": AskConfig,
    "inspect": InspectConfig,
    "demo": DemoConfig,
}
of_every_command = pytest.mark.parametrize("command", COMMANDS)


def page(command: str, monkeypatch: pytest.MonkeyPatch, width: int) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    return help_page(COMMANDS[command], f"ray-qa {command}")


def sections(text: str) -> dict[str, list[str]]:
    """The paragraphs of a page that have a heading, line by line."""
    paragraphs = [paragraph.splitlines() for paragraph in text.split("\n\n")]
    return {lines[0].removesuffix(":"): lines[1:] for lines in paragraphs if re.fullmatch(r"[a-z ]+:", lines[0])}


def flags_in(lines: list[str]) -> list[str]:
    return [found[1] for line in lines if (found := re.match(r"  (--[\w-]+)", line))]


@of_every_command
def test_every_setting_stands_under_one_heading_and_nothing_else_does(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sections(page(command, monkeypatch, 80))
    *groups, file, examples = found
    assert (file, examples) == ("settings from a file", "examples")
    assert groups == [group for group in Group if group in groups]
    shown = [flag for group in groups for flag in flags_in(found[group])]
    fields = {f"--{(field.alias or name).replace('_', '-')}" for name, field in COMMANDS[command].model_fields.items()}
    assert Counter(shown) == Counter(fields)
    assert flags_in(found[file]) == ["--config"]


@of_every_command
def test_what_must_be_given_stands_first_and_by_itself(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page(command, monkeypatch, 400)
    required = [
        f"--{name.replace('_', '-')}" for name, field in COMMANDS[command].model_fields.items() if field.is_required()
    ]
    assert flags_in(sections(text).get("required", [])) == required
    usage = " ".join(text.partition("\n\n")[0].split())
    kinds = "".join(rf"{flag} \S.*? " for flag in required)
    assert re.fullmatch(rf"usage: ray-qa {command} {kinds}\[OPTIONS\]", usage)
    if required:
        assert next(iter(sections(text))) == "required"


@of_every_command
def test_every_setting_is_told_with_its_description_and_what_it_is_unless_given(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = page(command, monkeypatch, 80).split()
    text = " ".join(shown)
    for field in COMMANDS[command].model_fields.values():
        assert " ".join((field.description or "?").split()) in text
    for flag in flags_of(COMMANDS[command]):
        assert " ".join(flag.help.replace("\N{NO-BREAK SPACE}", " ").split()) in text


def test_defaults_are_told_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page("annotate", monkeypatch, 110)
    assert "0 where it has none. (default: auto)\n" in text
    assert " (default: 4,000,000)\n" in text
    assert "--always-answer          Never abstain: give the best span, as SQuAD v1 wants it.\n" in text
    assert "(default: none" not in text
    assert "(default: off" not in text


@of_every_command
@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal_and_no_default_is_torn_apart(
    command: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page(command, monkeypatch, width)
    assert max(map(len, text.partition("examples:")[0].splitlines())) <= width
    assert text.count("(default:") == len(re.findall(r"\(default: \S+\)", text))


@of_every_command
def test_a_page_ends_with_examples_that_are_true(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page(command, monkeypatch, 80)
    examples = sections(text)["examples"]
    assert text.endswith(examples[-1])
    assert examples
    for example in examples:
        words = shlex.split(next(part for part in example.split(" | ") if "ray-qa" in part))
        assert words[:2] == ["ray-qa", command]
        if "--config" not in words:  # which has the rest in it
            parse(COMMANDS[command], f"ray-qa {command}", words[2:])


def test_a_setting_without_a_heading_is_a_mistake_of_ours() -> None:
    class Lost(Settings):
        lost: int = Field(1, description="In no group.")

    class Torn(Settings):
        torn: Annotated[int, Group.MODEL, Group.OUTPUT] = Field(1, description="In two.")

    for kind, message in ((Lost, "lost must be in one group of --help, but is in 0"), (Torn, "torn must .* in 2")):
        with pytest.raises(TypeError, match=message):
            flags_of(kind)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--n-best", "many", "--help"]])
def test_help_is_given_whatever_else_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(AnnotateConfig, "ray-qa annotate", arguments)
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ray-qa annotate --input TEXT [TEXT …] --output TEXT [OPTIONS]\n")


def test_help_tells_what_kind_of_value_a_flag_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page("annotate", monkeypatch, 120)
    for flag in ("--input TEXT [TEXT …]", "--model TEXT", "--replicas TEXT", "--max-tokens N", "--batch-tokens N"):
        assert f"  {flag}  " in text
    for flag in (
        "--null-threshold NUMBER",
        "--cpus-per-replica NUMBER",
        "--always-answer",
        "--backend {auto,torch,openvino}",
    ):
        assert re.search(rf"^  {re.escape(flag)}(  |$)", text, re.MULTILINE)
    with pytest.raises(ConfigError):
        parse(AnnotateConfig, "ray-qa annotate", ["--input", "a", "--output", "b", "--max-tokens", "TEXT"])
