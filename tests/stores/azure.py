"""Azure's blobs on loopback: Azurite, Microsoft's own emulator, started for the tests and ended by its own id."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyarrow.fs import AzureFileSystem

from tests.stores.server import BUCKET, free_port

AZURITE = Path(os.environ.get("AZURITE") or Path(sys.prefix) / "azurite", "node_modules/azurite/dist/src/blob/main.js")
"""Where ``make`` has npm put it, unless the environment names the folder it did that in."""
NODE = shutil.which("node")
PATIENCE = 60.0


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that is to reach a server with a container, which keeps its blobs in memory."""
    account, key = "tests", base64.b64encode(secrets.token_bytes(32)).decode()
    with free_port() as port:
        pass
    command = [
        str(NODE), str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
        "--skipApiVersionCheck", "--disableTelemetry",
    ]  # fmt: skip
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environment)
    try:
        _wait_until_it_answers(port, process, folder / "log")
        AzureFileSystem(
            account_name=account,
            account_key=key,
            blob_storage_authority=f"127.0.0.1:{port}",
            dfs_storage_authority=f"127.0.0.1:{port}",
            blob_storage_scheme="http",
            dfs_storage_scheme="http",
        ).create_dir(BUCKET)
        yield {
            "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/{account}",
            "AZURE_STORAGE_ACCOUNT_NAME": account,
            "AZURE_STORAGE_ACCOUNT_KEY": key,
        }
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(int(PATIENCE / 0.2)):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"Azurite did not answer: {log.read_text(errors='replace')[-2_000:]}")
