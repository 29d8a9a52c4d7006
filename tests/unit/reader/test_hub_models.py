"""Models of the hub: fetched once a machine, seen to be whole, and the token shown to nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import COMMIT, MODEL, Hub, hub

SECRET = "hf_" + "Secret7" * 5
FIND = """
import json, sys
from ray_qa.errors import RayQaError
from ray_qa.reader.model_files import find_model
try:
    found = find_model(sys.argv[1])
except RayQaError as error:
    sys.exit(str(error))
print(json.dumps([found.ref, str(found.folder), found.weights_sha256]))
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "pytorch_model.bin", "modeling.py"):
        (folder / name).write_bytes(name.encode() * 50_000)
    with hub(folder, SECRET) as served:
        yield served


def start(served: Hub, home: Path, ref: str = MODEL, **environment: str) -> subprocess.Popen[str]:
    own = {**os.environ, **served.environment(home), **environment}
    command = [sys.executable, "-c", FIND, ref]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=own)


def test_of_many_processes_of_a_machine_that_begin_at_once_one_fetches(served: Hub, tmp_path: Path) -> None:
    processes = [start(served, tmp_path / "home") for _ in range(5)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 5, said
    assert len({output for output, _ in said}) == 1
    assert json.loads(said[0][0])[0] == f"{MODEL}@{COMMIT}"
    fetched = sorted(asked for asked in served.asked if asked.startswith("GET"))
    assert fetched == ["GET config.json", "GET model.safetensors", "GET tokenizer.json"]

    served.asked.clear()
    later = start(served, tmp_path / "home", f"{MODEL}@{COMMIT}")  # as workers are told of it
    assert later.communicate(timeout=120) == said[0]
    assert served.asked == []


def test_a_file_that_was_damaged_in_the_cache_is_not_taken_for_the_hubs(served: Hub, tmp_path: Path) -> None:
    output, _ = start(served, tmp_path / "home").communicate(timeout=120)
    (weights,) = (tmp_path / "home").rglob("snapshots/*/model.safetensors")
    damaged = weights.resolve()
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    process = start(served, tmp_path / "home")
    assert process.communicate(timeout=120)[1].strip() == (
        f"`model` must be as the hub has it, but {damaged} is damaged; remove it to fetch it again"
    )
    damaged.unlink()
    assert start(served, tmp_path / "home").communicate(timeout=120)[0] == output


@pytest.mark.parametrize("token", [SECRET[::-1], f"{SECRET}é", f"{SECRET}\x01", f"{SECRET} x"])
def test_a_token_that_is_refused_is_not_shown(served: Hub, tmp_path: Path, token: str) -> None:
    process = start(served, tmp_path / "home", HF_TOKEN=token)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    assert line.startswith("`model` must be a folder or a hub id that can be fetched, but")
    assert token[:20] not in output + errors
