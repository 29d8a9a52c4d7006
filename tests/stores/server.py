"""A real S3 server on loopback: seaweedfs, started for the tests and ended by its own id."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyarrow.fs import S3FileSystem

WEED = Path(sys.executable).with_name("weed")
PATIENCE = 60.0


BUCKET, PUBLIC = "bucket", "public"
"""What the tests' keys open, as all whose names begin so, and what they do not, but anybody may read without any; each
bucket takes volumes of its own, of which there are few."""
ACTIONS = ("Read", "Write", "List", "Tagging")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it listens, and who it lets in."""

    endpoint: str
    access_key: str
    secret_key: str
    owner: tuple[str, str]
    """Keys that open all."""

    @property
    def owners_files(self) -> S3FileSystem:
        """All buckets, as their owner sees them."""
        access_key, secret_key = self.owner
        return S3FileSystem(
            endpoint_override=self.endpoint, access_key=access_key, secret_key=secret_key, allow_bucket_creation=True
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to know of it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server that keeps its objects in ``folder``."""
    with ExitStack() as stack:
        ports = [stack.enter_context(free_port()) for _ in range(4)]
    access_key, secret_key = secrets.token_hex(8), secrets.token_hex(16)
    owner = secrets.token_hex(8), secrets.token_hex(16)
    identities = [
        _identity("owner", owner, ["Admin"]),
        _identity("tests", (access_key, secret_key), [f"{each}:{BUCKET}*" for each in ACTIONS]),
        _identity("anonymous", None, [f"{each}:{PUBLIC}" for each in ("Read", "List")]),
    ]
    (folder / "keys.json").write_text(json.dumps({"identities": identities}))
    names = ("s3.port", "master.port", "volume.port", "filer.port")
    command = [
        str(WEED), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
        f"-s3.config={folder / 'keys.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=40",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        endpoint = f"http://127.0.0.1:{ports[0]}"
        _wait_until_it_answers(endpoint, process, folder / "log")
        server = Server(endpoint=endpoint, access_key=access_key, secret_key=secret_key, owner=owner)
        for bucket in (BUCKET, PUBLIC):
            server.owners_files.create_dir(bucket)
        yield server
    finally:
        process.kill()
        process.wait()


def _identity(name: str, keys: tuple[str, str] | None, actions: list[str]) -> dict[str, object]:
    credentials = [{"accessKey": keys[0], "secretKey": keys[1]}] if keys else []
    return {"name": name, "credentials": credentials, "actions": actions}


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody listens at, nor at the one 10,000 above, which weed takes for its own talk."""
    while True:
        with socket.socket() as near, socket.socket() as far:
            near.bind(("127.0.0.1", 0))
            port: int = near.getsockname()[1]
            try:
                far.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            yield port
            return


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(int(PATIENCE / 0.2)):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(endpoint, timeout=2):
                return
        except urllib.error.HTTPError:
            return  # it does not let us in, and so is there
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"weed did not answer: {log.read_text(errors='replace')[-2_000:]}")
