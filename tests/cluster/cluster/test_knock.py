"""Clusters that do not let us in, as someone finds who connects to them from a process of their own."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_qa.cluster.knock import knock
from ray_qa.errors import ClusterError
from tests.cluster import corpora, nodes
from tests.cluster.nodes import Head
from tests.cluster.processes import PATIENCE

WRONG = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
TO_DO = (
    "; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH, or the file ~/.ray/auth_token) "
    "as on the cluster's head"
)
CONNECT = """
import sys, time
from ray_qa.cluster.connection import connected
from ray_qa.errors import ClusterError
began = time.monotonic()
try:
    with connected(sys.argv[1]):
        print("connected")
except ClusterError as error:
    print(error)
print(time.monotonic() - began)
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with nodes.head(tmp_path_factory.mktemp("home"), secrets.token_hex(16), cpus=1) as head:
        yield head


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with nodes.head(tmp_path_factory.mktemp("home"), None, cpus=1) as head:
        yield head


@pytest.mark.parametrize(
    ("mine", "found"),
    [
        (WRONG, "{address} refuses ours"),
        ({}, "{address} asks for a token, and RAY_AUTH_MODE is not token"),
        ({"RAY_AUTH_TOKEN": "0" * 32}, "{address} asks for a token, and RAY_AUTH_MODE is not token"),
        ({"RAY_AUTH_MODE": "token"}, "RAY_AUTH_MODE is token and no token is found"),
    ],
)
def test_a_wrong_or_missing_token_is_told_at_once_by_the_names_of_its_variables(
    guarded: Head, mine: dict[str, str], found: str
) -> None:
    said, seconds = _connect(guarded, mine)
    assert said == (
        f"`ray_address` must be a Ray cluster that our token opens, but {found.format(address=guarded.address)}{TO_DO}"
    )
    assert seconds < 5


def test_the_right_token_opens_a_cluster_and_none_is_needed_where_there_is_none(guarded: Head, unguarded: Head) -> None:
    assert guarded.token is not None
    assert _connect(guarded, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": guarded.token})[0] == "connected"
    assert _connect(unguarded, {})[0] == "connected"


def test_a_cluster_without_authentication_is_refused_where_ours_is_on_as_its_workers_could_not_talk_to_us(
    unguarded: Head,
) -> None:
    said, _ = _connect(unguarded, WRONG)
    assert said == (
        "`ray_address` must be a Ray cluster that asks for a token where RAY_AUTH_MODE is token, but "
        f"{unguarded.address} does not; set RAY_AUTH_MODE=disabled, which leaves RAY_AUTH_TOKEN aside"
    )


def test_a_command_with_a_wrong_token_ends_in_one_line(guarded: Head, tiny_reader_folder: Path, tmp_path: Path) -> None:
    path = corpora.write(tmp_path / "in.parquet", corpora.plain(2))
    flags = ["--input", str(path), "--output", str(tmp_path / "out"), "--model", str(tiny_reader_folder)]
    done = _run(guarded, WRONG, "-m", "ray_qa", "annotate", *flags, "--ray-address", guarded.address)

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("ray-qa annotate: `ray_address` must be a Ray cluster that our token opens, but ")
    assert WRONG["RAY_AUTH_TOKEN"] not in line
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_address_of_rays_client_is_refused_by_name() -> None:
    with pytest.raises(ClusterError, match=r"`ray_address` must be HOST:PORT .*, but is ray://127\.0\.0\.1:10001,"):
        knock("ray://127.0.0.1:10001")


def _connect(head: Head, mine: dict[str, str]) -> tuple[str, float]:
    """What is said of connecting with these variables set, and how many seconds it took."""
    done = _run(head, mine, "-c", CONNECT, head.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said, seconds = done.stdout.splitlines()
    return said, float(seconds)


def _run(head: Head, mine: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=nodes.bare_environment(head.home) | mine,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
