"""cluster.yaml against Ray's own check, and against what it promises."""

from __future__ import annotations

import copy
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError  # type: ignore[import-untyped]  # it ships no types
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import drain_node

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cli.parser import parse
from ray_qa.storage.remote import Remote

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "cluster.yaml").read_text()
Cluster = dict[str, Any]
METADATA = "169.254.169.254"


@pytest.fixture
def cluster() -> Cluster:
    loaded: Cluster = yaml.safe_load(TEXT)
    return loaded


def _check(cluster: Cluster) -> Cluster:
    """What ``ray up`` does first: fill in defaults, hold it against the schema."""
    filled: Cluster = prepare_config(copy.deepcopy(cluster))
    validate_config(filled)
    return filled


def test_ray_accepts_the_file(cluster: Cluster) -> None:
    filled = _check(cluster)

    assert filled["provider"]["type"] == "aws"
    assert filled["available_node_types"].keys() == {"head", "gpu_worker"}


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda cluster: cluster.update(workers=8), ValidationError),
        (lambda cluster: cluster.update(idle_timeout_minutes="five"), ValidationError),
        (lambda cluster: cluster.update(head_node_type="boss"), ValueError),
        (lambda cluster: cluster["available_node_types"]["gpu_worker"].pop("node_config"), ValidationError),
        (lambda cluster: cluster["available_node_types"]["gpu_worker"].update(min_workers=9), ValueError),
    ],
)
def test_ray_does_not_accept_just_anything(
    cluster: Cluster, spoil: Callable[[Cluster], object], error: type[Exception]
) -> None:
    spoil(cluster)
    with pytest.raises(error):
        _check(cluster)


def test_workers_are_spot_machines_with_one_gpu_that_come_and_go(cluster: Cluster) -> None:
    worker = _check(cluster)["available_node_types"]["gpu_worker"]

    assert worker["resources"]["GPU"] == 1
    assert (worker["min_workers"], worker["max_workers"], cluster["max_workers"]) == (0, 8, 8)
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert 0 < cluster["idle_timeout_minutes"] <= 15


def test_the_head_has_no_gpu_room_to_read_and_is_not_taken_away(cluster: Cluster) -> None:
    head = _check(cluster)["available_node_types"]["head"]
    (start,) = [command for command in cluster["head_start_ray_commands"] if "ray start" in command]

    assert head["max_workers"] == 0
    assert head["resources"] == {"CPU": 2, "GPU": 0}
    assert "--num-cpus=2 --num-gpus=0" in start
    assert "InstanceMarketOptions" not in head["node_config"]


def test_every_node_starts_ray_with_the_token_asked_for_and_the_token_is_not_in_the_file(cluster: Cluster) -> None:
    commands = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
    starts = [command for command in commands if "ray start" in command]

    assert len(starts) == 2
    assert all(command.startswith("export RAY_AUTH_MODE=token ") for command in starts)
    assert cluster["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert "RAY_AUTH_TOKEN" not in TEXT
    assert not re.search(r"[0-9a-f]{32}", TEXT)


class Metadata(BaseHTTPRequestHandler):
    """AWS's metadata service on a spot machine: the second time it is asked, the machine is to be taken back."""

    asked = 0

    def do_PUT(self) -> None:
        """Give the token that every question has to show."""
        self._answer(200 if self.path == "/latest/api/token" else 404, "a token")

    def do_GET(self) -> None:
        """Say whether the machine is to be taken back; 404 if not."""
        lets_in = self.headers["X-aws-ec2-metadata-token"] == "a token"
        if not lets_in or self.path != "/latest/meta-data/spot/instance-action":
            return self._answer(401, "")
        Metadata.asked += 1
        return self._answer(200 if Metadata.asked > 1 else 404, '{"action": "terminate"}')

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def metadata() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_workers_tell_ray_when_aws_wants_them_back(cluster: Cluster, metadata: str, tmp_path: Path) -> None:
    (listen,) = [command for command in cluster["worker_start_ray_commands"] if METADATA in command]
    ray = tmp_path / "venv" / "bin" / "ray"
    ray.parent.mkdir(parents=True)
    ray.write_text(f'#!/bin/sh\nprintf "%s\\n" "$RAY_AUTH_MODE" "$@" > {tmp_path}/told\n')
    ray.chmod(0o755)
    command = listen.replace(METADATA, metadata).replace("sleep 5", "sleep 0.1")
    subprocess.run(["bash", "-c", f"{command} wait"], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)

    mode, *told = (tmp_path / "told").read_text().splitlines()
    assert mode == "token"
    assert told[0] == "drain-node"
    told_by_name = dict(zip(told[1::2], told[2::2], strict=True))
    drain = {option.opts[0]: option for option in drain_node.params}
    assert told_by_name.keys() <= drain.keys()
    assert told_by_name["--reason"] == "DRAIN_NODE_REASON_PREEMPTION"
    assert int(told_by_name["--deadline-remaining-seconds"]) < 120
    assert not any(option.required for name, option in drain.items() if name not in told_by_name)


def test_nothing_is_open_to_the_world(cluster: Cluster) -> None:
    for node in cluster["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"]  # or Ray would make a group that lets in SSH from anywhere
    (head_start,) = [command for command in cluster["head_start_ray_commands"] if "ray start" in command]

    assert "--dashboard-host=127.0.0.1" in head_start
    assert "security_group" not in cluster["provider"]
    assert "0.0.0.0" not in TEXT


def test_the_project_is_installed_from_files_that_are_here_in_the_tested_versions(cluster: Cluster) -> None:
    mounts = {remote: local for remote, local in cluster["file_mounts"].items() if not local.startswith("~")}
    (install,) = [command for command in cluster["setup_commands"] if "~/project " in command]
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))

    assert all(remote == f"/home/ubuntu/project/{local}" for remote, local in mounts.items())
    assert all((REPOSITORY / local).exists() for local in mounts.values())
    assert mounts.keys() >= {"/home/ubuntu/project/pyproject.toml", "/home/ubuntu/project/ray_qa"}
    assert "-c ~/project/constraints.txt" in install
    assert f"ray[data,train,default]=={pins['ray']}" in install


def test_the_job_that_the_comment_shows_has_flags_that_exist() -> None:
    shown = TEXT.replace("\\\n#", "")
    (flags,) = re.findall(r"python jobs/annotate\.py (.+)", shown)
    config = parse(AnnotateConfig, "ray-qa annotate", flags.split())

    assert (config.replicas, config.gpus_per_replica) == ("1:8", 1)
    assert isinstance(config.folder, Remote)


def test_workers_show_a_role_to_the_bucket_and_no_key_is_in_the_file(cluster: Cluster) -> None:
    assert cluster["available_node_types"]["gpu_worker"]["node_config"]["IamInstanceProfile"]
    assert "AWS_" not in TEXT


def test_what_must_be_changed_is_marked() -> None:
    for placeholder in ("ami-0123456789abcdef0", "sg-0123456789abcdef0", "ray-qa-worker-0123456789"):
        before, _, _ = TEXT.partition(placeholder)
        assert "CHANGE" in "".join(before.splitlines()[-7:]), placeholder
