"""Ray nodes on this machine, started as users start them, in processes that a test can kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.processes import assert_gone, kill_group, wait_until

RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A Ray head on this machine."""

    port: int
    dashboard_port: int
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
def head(home: Path, token: str | None, *, cpus: int) -> Iterator[Head]:
    """Start a head, with token authentication if there is a token; kill it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="rq"))  # short: sockets lie in it, whose paths may have 107 bytes
    port, dashboard_port, client_port = _free_ports(3)
    head = Head(port=port, dashboard_port=dashboard_port, token=token, folder=folder, home=home)
    flags = [
        "--head", f"--num-cpus={cpus}", f"--temp-dir={folder}", f"--port={port}", f"--dashboard-port={dashboard_port}",
        f"--ray-client-server-port={client_port}",
    ]  # fmt: skip
    try:
        with _started(head, flags):
            wait_until(lambda: _accepts(port), "the head answers")
            yield head
    finally:
        shutil.rmtree(folder)


@contextmanager
def node(head: Head, *, cpus: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start one more node of a head's cluster; kill it in the end."""
    with _started(head, [f"--address={head.address}", f"--num-cpus={cpus}"]) as process:
        yield process


def cut_off(process: subprocess.Popen[bytes]) -> None:
    """Kill a node with all that runs on it at once, as when its machine goes down."""
    left = kill_group(process)
    for each in left:
        with suppress(ProcessLookupError):
            os.kill(each.pid, signal.SIGKILL)
    assert_gone(left)


def bare_environment(home: Path) -> dict[str, str]:
    """The environment of someone who has set nothing for Ray, and whose python is the one that runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"HOME": str(home), "PATH": path}


@contextmanager
def _started(head: Head, flags: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    agent_port, metrics_port = _free_ports(2)
    ports = [f"--dashboard-agent-listen-port={agent_port}", f"--metrics-export-port={metrics_port}"]
    with (head.folder / "started.log").open("ab") as log:
        process = subprocess.Popen(
            [RAY, "start", "--block", "--disable-usage-stats", *ports, *flags],
            env=head.environment,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            assert_gone(kill_group(process))


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


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
