"""Ray nodes on this machine, started as users start them, in processes that a test can kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from ray.core.generated.autoscaler_pb2 import (  # type: ignore[attr-defined]  # generated
    DrainNodeReason,
    DrainNodeRequest,
)
from ray.core.generated.autoscaler_pb2_grpc import AutoscalerStateServiceStub
from ray.util import get_node_ip_address

from tests.cluster.processes import assert_gone, below, kill_group, wait_until

_LISTS = (
    "cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands",
    "head_setup_commands", "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
)  # fmt: skip
Process = subprocess.Popen[bytes]
REPOSITORY = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
MOST_STARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A Ray head on this machine."""

    port: int
    dashboard_port: int
    metrics_port: int
    """Where Prometheus asks it."""
    token: str | None
    """``None`` without token authentication."""
    folder: Path
    """Where Ray keeps its files."""
    home: Path
    """A home folder without a token."""

    @property
    def address(self) -> str:
        """What a driver connects to."""
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of someone who is let in and has set nothing else for Ray."""
        ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token} if self.token else {"RAY_AUTH_MODE": "disabled"}
        return bare_environment(self.home) | ours


@contextmanager
def head(
    home: Path,
    token: str | None,
    *,
    cpus: int,
    dashboard: bool = False,
    can_grow: bool = False,
    boot_seconds: float = 0,
    **environment: str,
) -> Iterator[Head]:
    """Start a head, with token authentication if there is a token; kill it in the end.

    The dashboard, which takes jobs, costs seconds of CPU: it is there for those who ask for it.

    One that can grow starts nodes of two CPUs on this machine, as they are needed, which are there after
    ``boot_seconds`` and a little more, and kills them after a minute without work.
    """
    folder = Path(tempfile.mkdtemp(prefix="rq"))  # short: sockets lie in it, whose paths may have 107 bytes
    port, dashboard_port, client_port, metrics_port = _free_ports(4)
    head = Head(
        port=port, dashboard_port=dashboard_port, metrics_port=metrics_port, token=token, folder=folder, home=home
    )
    flags = [
        "--head", f"--num-cpus={cpus}", f"--temp-dir={folder}", f"--port={port}", f"--dashboard-port={dashboard_port}",
        f"--ray-client-server-port={client_port}", f"--metrics-export-port={metrics_port}",
        f"--include-dashboard={dashboard}",
    ]  # fmt: skip
    extra = environment
    if can_grow:
        (folder / "cluster.json").write_text(json.dumps(_growing(port, boot_seconds)))
        flags.append(f"--autoscaling-config={folder / 'cluster.json'}")
        path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
        extra = extra | {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "PYTHONPATH": path}
    try:
        with _started(head, flags, 1, **extra) as process:
            try:
                yield head
            finally:
                if can_grow:
                    cut_off(process)  # with the nodes that have come up
    finally:
        shutil.rmtree(folder)


@contextmanager
def node(head: Head, *, cpus: int, **environment: str) -> Iterator[Process]:
    """Start one more node of a head's cluster, and wait until it is there; kill it in the end."""
    before = _up(head)
    (metrics_port,) = _free_ports(1)
    flags = [f"--address={head.address}", f"--num-cpus={cpus}", f"--metrics-export-port={metrics_port}"]
    with _started(head, flags, before + 1, **environment) as process:
        yield process


@contextmanager
def in_environment_of(head: Head) -> Iterator[None]:
    """Let what is started meanwhile be let in by a head."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in head.environment.items():
            patch.setenv(name, value)
        yield


def cut_off(process: Process) -> None:
    """Kill a node with all that runs on it at once, as when its machine goes down."""
    left = kill_group(process)
    for each in left:
        with suppress(ProcessLookupError):
            os.kill(each.pid, signal.SIGKILL)
    assert_gone(left)


def tell_to_leave(head: Head, process: Process, seconds: int) -> None:
    """Tell Ray that a node will be taken away after so long, as a cloud does that wants a spot machine back."""
    (raylet,) = [each for each in below(process.pid) if each.name() == "raylet"]
    (node,) = [flag.partition("=")[2] for flag in raylet.cmdline() if flag.startswith("--node_id=")]
    # As `ray drain-node` does, which takes seconds to start: meanwhile what is to be stopped may come to its end.
    wanted = DrainNodeRequest(
        node_id=bytes.fromhex(node),
        reason=DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"),
        reason_message="taken back",
        deadline_timestamp_ms=int(1_000 * (time.time() + seconds)),
    )
    with grpc.insecure_channel(head.address) as channel:
        stub: Any = AutoscalerStateServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        assert stub.DrainNode(wanted, metadata=[("authorization", f"Bearer {head.token}")]).is_accepted


def bare_environment(home: Path) -> dict[str, str]:
    """The environment of someone who has set nothing for Ray, and whose python is the one that runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"HOME": str(home), "PATH": path}


@contextmanager
def _started(head: Head, flags: list[str], count: int, **extra: str) -> Iterator[Process]:
    """Start a node, and wait until so many are there."""
    process = _start(head, flags, **extra)
    try:
        for attempt in range(MOST_STARTS):
            # Ray gives a node half a minute, which on a busy machine may be too little.
            if attempt and process.poll() is not None:
                process = _start(head, flags, **extra)
            _wait_until_up_or_ended(process, head, count)
        assert process.poll() is None, (head.folder / "started.log").read_text()
        yield process
    finally:
        if process.poll() is None:
            assert_gone(kill_group(process))


def _start(head: Head, flags: list[str], **extra: str) -> Process:
    (agent_port,) = _free_ports(1)
    ports = [f"--dashboard-agent-listen-port={agent_port}"]
    with (head.folder / "started.log").open("ab") as log:
        return subprocess.Popen(
            [RAY, "start", "--block", "--disable-usage-stats", *ports, *flags],
            env=head.environment | extra,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )


def _wait_until_up_or_ended(process: Process, head: Head, count: int) -> None:
    wait_until(lambda: _up(head) >= count or process.poll() is not None, "the node is there")


def _up(head: Head) -> int:
    """How many nodes have said that they are there, the head among them."""
    return (head.folder / "started.log").read_text().count("Ray runtime started")


def _growing(port: int, boot_seconds: float) -> dict[str, Any]:
    """Ray's configuration of a cluster whose nodes are processes of the autoscaler's."""
    address = get_node_ip_address()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    wanted: dict[str, Any] = {key: {} for key in ("auth", "docker", "file_mounts")} | {key: [] for key in _LISTS}
    return wanted | {
        "cluster_name": "growing",
        "max_workers": 2,
        "idle_timeout_minutes": 1,
        "upscaling_speed": 1.0,
        "file_mounts_sync_continuously": False,
        "provider": {
            # The type fake_multinode wants a file that Ray's wheel has not.
            "type": "external",
            "module": "tests.cluster.slow_nodes.SlowNodes",
            "boot_seconds": boot_seconds,
            "gcs_address": f"{address}:{port}",
            "launch_multiple": True,
            "disable_node_updaters": True,
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": {"CPU": 2}, "node_config": {}, "min_workers": 0, "max_workers": 2},
        },
    }


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
