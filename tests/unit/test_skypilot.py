"""deploy/skypilot.yaml against SkyPilot's schema made strict, and its script against what it promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # it ships no types

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cli.parser import parse
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.storage.remote import Remote

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "deploy" / "skypilot.yaml").read_text()
DEFINITIONS = json.loads((Path(__file__).parent / "schemas" / "skypilot.json").read_text())
PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
Task = dict[str, Any]

FAKES = {
    "ray": """#!/bin/sh
echo "ray $*" >> "$HOME/said"
case "$1" in
    list) echo x >> "$HOME/asked"; [ "$(wc -l < "$HOME/asked")" -lt 3 ] && n=1 || n=2; seq $n | sed 's/.*/"node_id":/';;
    health-check) echo x >> "$HOME/asked"; [ "$(wc -l < "$HOME/asked")" -ge 3 ];;
esac
""",
    "ray-qa": '#!/bin/sh\necho "ray-qa $*" >> "$HOME/said"\nexit 3\n',
    "sleep": "#!/bin/sh\n",
}
"""A Ray whose second node, or whose head, is there at the third question; and an annotate with too many failed rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the script did on one machine."""

    code: int
    said: list[str]


@pytest.fixture
def task() -> Task:
    loaded: Task = yaml.safe_load(TEXT)
    return loaded


def _check(task: Task) -> None:
    Draft202012Validator({"$ref": "#/$defs/Task", "$defs": DEFINITIONS}).validate(task)


def _run(task: Task, home: Path, *, rank: int) -> Run:
    programs = home / "venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in FAKES.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    machine = {"SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2", "SKYPILOT_NODE_RANK": str(rank), "SKYPILOT_NUM_NODES": "2"}
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], **machine}
    code = subprocess.run(["bash", "-c", task["run"]], env=environment, timeout=30, check=False).returncode
    return Run(code=code, said=(home / "said").read_text().splitlines())


def test_the_schema_accepts_the_file(task: Task) -> None:
    _check(task)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda task: task.update(num_node=4),
        lambda task: task.update(num_nodes="4"),
        lambda task: task["resources"].update(use_spots=True),
        lambda task: task["resources"].update(use_spot="yes"),
        lambda task: task["resources"].update(infra="awss"),
        lambda task: task["resources"]["job_recovery"].update(max_restart_on_errors=2),
        lambda task: task["resources"]["job_recovery"].update(max_restarts_on_errors=-1),
        lambda task: task["envs"].update({"RAY-AUTH-MODE": "token"}),
        lambda task: task["secrets"].update(RAY_AUTH_TOKEN=1),
    ],
)
def test_the_schema_does_not_accept_just_anything(task: Task, spoil: Callable[[Task], object]) -> None:
    spoil(task)
    with pytest.raises(ValidationError):
        _check(task)


def test_machines_are_spot_machines_with_one_gpu_that_are_started_anew(task: Task) -> None:
    resources = task["resources"]

    assert resources["use_spot"] is True
    assert resources["accelerators"] == "L4:1"
    assert resources["job_recovery"] == {"strategy": "EAGER_NEXT_REGION", "max_restarts_on_errors": 2}


def test_the_token_is_asked_for_and_neither_it_nor_a_key_is_in_the_file(task: Task) -> None:
    assert task["envs"] == {"RAY_AUTH_MODE": "token"}
    assert task["secrets"] == {"RAY_AUTH_TOKEN": None}
    assert "AWS_" not in TEXT
    assert not re.search(r"[0-9a-f]{32}", TEXT)


def test_the_tested_versions_are_installed(task: Task) -> None:
    assert f'-c constraints.txt . "ray[data,train,default]=={PINS["ray"]}"' in task["setup"]
    assert "--python 3.11 " in task["setup"]
    assert task["workdir"] == "."


def test_the_head_waits_for_all_machines_annotates_and_ends_as_annotate_does(task: Task, tmp_path: Path) -> None:
    run = _run(task, tmp_path, rank=0)
    start, *asked, annotate = run.said

    assert start.startswith("ray start --head --node-ip-address=10.0.0.1 --port=6379 --dashboard-host=127.0.0.1 ")
    assert [said.split()[1] for said in asked] == ["list"] * 3
    assert annotate.startswith("ray-qa annotate ")
    assert run.code == 3


def test_the_others_wait_for_the_head_join_it_and_are_done(task: Task, tmp_path: Path) -> None:
    run = _run(task, tmp_path, rank=1)

    assert run.said[:-1] == ["ray health-check --address 10.0.0.1:6379"] * 3
    assert run.said[-1].startswith("ray start --address=10.0.0.1:6379 ")
    assert run.code == 0


def test_skypilots_own_ray_is_left_alone(task: Task, tmp_path: Path) -> None:
    for rank in (0, 1):
        said = _run(task, tmp_path / str(rank), rank=rank).said
        assert all("--dashboard-agent-listen-port=52366" in each for each in said if each.startswith("ray start"))
    assert "ray stop" not in task["run"]


def test_the_job_has_flags_that_exist_and_asks_for_no_more_than_there_will_be(task: Task, tmp_path: Path) -> None:
    flags = _run(task, tmp_path, rank=0).said[-1].removeprefix("ray-qa annotate ")
    config = parse(AnnotateConfig, "ray-qa annotate", flags.split())

    assert (config.replicas, config.gpus_per_replica) == (f"1:{task['num_nodes']}", 1)
    assert config.ray_address == "10.0.0.1:6379"
    assert isinstance(config.folder, Remote)


def test_the_comment_on_finetune_has_flags_that_exist() -> None:
    (shown,) = re.findall(r"ray-qa finetune (.+\n#.+)", TEXT)
    flags = shown.replace("#", "").replace('"$SKYPILOT_NUM_NODES"', "4").replace('"$head:6379"', "10.0.0.1:6379")

    assert parse(FinetuneConfig, "ray-qa finetune", flags.split()).workers == 4


def test_what_must_be_changed_is_marked() -> None:
    for placeholder in ("num_nodes: 4", "infra: aws", "s3://bucket/corpus --output s3://bucket/answers \\"):
        before, found, after = TEXT.partition(placeholder)
        assert found
        assert "CHANGE" in "".join([*before.splitlines()[-2:], after.partition("\n")[0]]), placeholder
