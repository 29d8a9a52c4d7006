"""docs/clusters.md: what it shows is there, takes the flags that it shows, and is of the tested versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cli.parser import parse

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "clusters.md").read_text()
TITLES = re.findall(r"^## (.+)", PAGE, re.MULTILINE)
HEADINGS = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in TITLES}
COMMANDS = re.findall(r"(?:ray-qa annotate|jobs/annotate\.py) (--input .+)", PAGE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", PAGE))
def test_links_lead_somewhere(link: str) -> None:
    path, _, heading = link.partition("#")
    assert (REPOSITORY / "docs" / path).exists() if path else heading in HEADINGS


@pytest.mark.parametrize("flags", COMMANDS)
def test_commands_have_flags_that_exist(flags: str) -> None:
    assert parse(AnnotateConfig, "ray-qa annotate", flags.replace('"$head:6379"', "10.0.0.1:6379").split()).replicas


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) == 2


@pytest.mark.parametrize(("name", "file"), [("kuberay", "kuberay.yaml"), ("skypilot", "skypilot.yaml")])
def test_a_recipes_section_shows_what_the_recipe_itself_says(name: str, file: str) -> None:
    recipe = (REPOSITORY / "deploy" / file).read_text()
    (section,) = re.findall(rf"(?ims)^## {name}\n(.+?)^## ", PAGE)
    (block,) = re.findall(r"(?s)```\n(.+?)```", section)

    for command in block.splitlines():
        assert f"#   {command}" in recipe


def test_ray_is_of_the_tested_version() -> None:
    (pinned,) = re.findall(r"^ray==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    assert set(re.findall(r'ray\[[\w,]+\]==([\d.]+)"', PAGE)) == {pinned}
    assert f"Ray {pinned.rpartition('.')[0]} has" in PAGE
