"""What holds of every kind of store, on a folder that obstore takes for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import LocalStore

from ray_qa.storage import objects
from ray_qa.storage.remote import Remote

FOLDER = Remote(scheme="gs", bucket="bucket", key="out")


@pytest.fixture(autouse=True)
def _local_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr(objects, "store_of", lambda *_: store)


def test_what_is_not_there_keeps_nothing_else_from_being_deleted() -> None:
    for name in ("a", "b", "c"):
        objects.publish(FOLDER / name, b"")
    objects.delete([FOLDER / name for name in ("missing", "a", "gone", "b")])
    assert [each.place.name for each in objects.list_below(FOLDER)] == ["c"]
    objects.delete([FOLDER / "a"])


def test_a_file_is_published_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    for limit in (10, 10_000_000):
        monkeypatch.setattr(objects, "IN_ONE_REQUEST", limit)
        path.write_bytes(bytes(range(256)) * 1_000)
        objects.upload(FOLDER / "copy", path)
        assert objects.read(FOLDER / "copy") == path.read_bytes()
