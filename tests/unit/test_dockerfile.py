"""deploy/Dockerfile: of the tested versions, of files that are there, and with nothing in it that should not be."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "deploy" / "Dockerfile").read_text()
IGNORE = (REPOSITORY / ".dockerignore").read_text()
CONSTRAINTS = (REPOSITORY / "constraints.txt").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

KEYWORDS = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "CMD"}
"""The instructions that we use. ADD, ARG and the like are none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    keyword: str
    text: str


def _instructions(text: str) -> list[Instruction]:
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    parts = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [Instruction(keyword=keyword, text=rest) for keyword, rest in parts]


def _all(keyword: str) -> list[str]:
    return [each.text for each in _instructions(TEXT) if each.keyword == keyword]


def _sources() -> list[str]:
    return [source for text in _all("COPY") for source in text.split()[:-1]]


def _ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: its last line that fits decides."""
    ignored = False
    for line in IGNORE.splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and any(fnmatch.fnmatch(part, pattern) for part in _and_parents(path)):
            ignored = not line.startswith("!")
    return ignored


def _and_parents(path: str) -> list[str]:
    return [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]


def test_all_instructions_are_known_ones() -> None:
    instructions = _instructions(TEXT)
    assert instructions[0].keyword == "FROM"
    assert {each.keyword for each in instructions} == KEYWORDS


def test_python_is_the_tested_one_and_new_enough() -> None:
    (base,) = _all("FROM")
    (version,) = re.findall(r"python:(\d+\.\d+)-slim-", base)

    assert f"on Python {version};" in CONSTRAINTS
    assert PROJECT["requires-python"] == f">={version}"


def test_ray_and_all_else_are_of_the_tested_versions() -> None:
    installs = [command for command in _all("RUN") if "pip install" in command]
    (ray,) = re.findall(r"^ray==(\S+)$", CONSTRAINTS, re.MULTILINE)

    assert f'--constraint constraints.txt "ray[data,train,default]=={ray}"' in installs[0]
    assert all("--no-deps" in command for command in installs[1:])


def test_the_extras_that_are_installed_exist() -> None:
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', TEXT)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys() - {"dev"}


@pytest.mark.parametrize("source", _sources())
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    assert (REPOSITORY / source).exists()
    assert not _ignored(source)


def test_all_that_installing_wants_is_copied() -> None:
    wanted = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "ray_qa"}
    assert wanted <= set(_sources())


@pytest.mark.parametrize("path", [".git/config", ".env", "data/rows.parquet", "ray_qa/cli/__pycache__/main.pyc"])
def test_what_lies_about_is_ignored(path: str) -> None:
    assert _ignored(path)


def test_code_is_copied_after_what_it_needs_is_installed() -> None:
    instructions = _instructions(TEXT)
    (installed,) = [place for place, each in enumerate(instructions) if "--constraint" in each.text]
    copied = [place for place, each in enumerate(instructions) if each.keyword == "COPY" and "ray_qa" in each.text]

    assert min(copied) > installed


def test_nothing_runs_as_root_and_the_user_is_the_one_that_pods_have() -> None:
    (user,) = _all("USER")
    (made,) = re.findall(r"useradd --create-home --uid (\d+)", TEXT)

    assert user == made != "0"
    assert f"runAsUser: {user}\n" in (REPOSITORY / "deploy" / "kuberay.yaml").read_text()


def test_there_are_no_secrets_in_it() -> None:
    assert not re.search(r"(?i)token|secret|password|credential|AWS_", TEXT)
