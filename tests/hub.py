"""A hub on loopback that has one model, and gives it to those alone who show its token."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

MODEL, COMMIT = "owner/model", "c0ffee" + "0" * 34


@dataclass(slots=True, kw_only=True)
class Hub:
    """Where it listens, what it wants to be shown, and what it was asked for, such as ``GET model.safetensors``."""

    endpoint: str
    token: str
    asked: list[str] = field(default_factory=list)

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs to know of it, with a cache of its own."""
        return {"HF_ENDPOINT": self.endpoint, "HF_TOKEN": self.token, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}


@contextmanager
def hub(folder: Path, token: str) -> Iterator[Hub]:
    """A hub whose model has the files of ``folder``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    served = Hub(endpoint=f"http://127.0.0.1:{server.server_port}", token=token)
    server.RequestHandlerClass = _handler(served, {path.name: path.read_bytes() for path in folder.iterdir()})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def _handler(served: Hub, files: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            path = urlsplit(self.path).path
            if self.headers.get("Authorization") != f"Bearer {served.token}":
                self._answer(401, b"", {"X-Error-Message": "Invalid username or password."})
            elif path.startswith(f"/api/models/{MODEL}/tree/"):
                self._answer(200, json.dumps([_entry(name, content) for name, content in files.items()]).encode())
            elif path.startswith(f"/api/models/{MODEL}"):
                self._answer(200, json.dumps({"id": MODEL, "sha": COMMIT, "siblings": []}).encode())
            elif (name := path.removeprefix(f"/{MODEL}/resolve/{COMMIT}/")) in files:
                served.asked.append(f"{self.command} {name}")
                content = files[name]
                tag = hashlib.sha256(content).hexdigest()
                self._answer(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})
            else:
                self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

        def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        do_GET = do_HEAD = _handle  # the names that http.server asks for

    return Handler


def _entry(name: str, content: bytes) -> dict[str, object]:
    stored = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
    return {"type": "file", "oid": "0" * 40, "size": len(content), "path": name, "lfs": stored}
