"""A proxy in front of a store that makes it as unreliable as a test wants."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["none", "503", "lost"]
"""``503``: the store is asked to be left alone. ``lost``: it does what it is asked, and its answer never comes."""
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(slots=True)
class Proxy:
    """Where it listens; ``fault`` decides on each request, by its method and path; ``seen`` are their methods."""

    endpoint: str
    fault: Callable[[str, str], Fault] = lambda _, __: "none"
    seen: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """Paths that were asked for by GET."""

    def fail(self, method: str, fault: Fault, times: int) -> None:
        """Let the next requests of a method fail."""
        left = [times]

        def decide(asked: str, _: str) -> Fault:
            if asked != method or left[0] == 0:
                return "none"
            left[0] -= 1
            return fault

        self.fault = decide

    def fail_now_and_then(self) -> None:
        """Let every fifth request find the store busy, and the answer to every seventh PUT get lost."""
        asked: Counter[str] = Counter()
        one_by_one = threading.Lock()

        def decide(method: str, _: str) -> Fault:
            with one_by_one:
                asked.update((method, "all"))
            if method == "PUT" and asked["PUT"] % 7 == 0:
                return "lost"
            return "503" if asked["all"] % 5 == 0 else "none"

        self.fault = decide


@contextmanager
def proxied(store: str) -> Iterator[Proxy]:
    """A proxy in front of the store at an endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    proxy = Proxy(endpoint=f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(proxy, urlsplit(store).netloc)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def _handler(proxy: Proxy, store: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.seen.append(self.command)
            if self.command == "GET":
                proxy.read.append(urlsplit(self.path).path)
            fault = proxy.fault(self.command, self.path)
            if fault == "503":
                self._answer(503, [], SLOW_DOWN)
                return
            connection = http.client.HTTPConnection(store)
            # Headers go on as they are: the host is signed with the rest.
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if fault == "lost":
                self.close_connection = True
                return
            self._answer(answer.status, answer.getheaders(), content)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = {name.lower(): value for name, value in headers}.get("content-length")
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _handle  # the names that http.server asks for

    return Handler
