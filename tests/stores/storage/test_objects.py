"""What an S3 store says to what cannot be."""

from __future__ import annotations

import time

import pytest

from ray_qa.errors import StorageError
from ray_qa.storage import objects, stores
from ray_qa.storage.remote import Remote
from tests.stores.server import Server


def test_a_bucket_that_is_not_there_is_named(folder: Remote) -> None:
    nowhere = Remote(scheme="s3", bucket=f"{folder.bucket}-not", key="a")
    with pytest.raises(
        StorageError, match=rf"^{nowhere} must lie in a bucket, but there is none of the name '{nowhere.bucket}'$"
    ):
        objects.read(nowhere)


def test_wrong_keys_are_refused_at_once_by_the_names_of_their_variables_and_never_shown(
    server: Server, folder: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "no-such-secret")
    stores.forget_stores()
    for attempt, action in (
        (lambda: objects.publish(folder / "a", b""), "write"),
        (lambda: objects.read(folder / "a"), "read"),
    ):
        with pytest.raises(StorageError) as refused:
            attempt()
        message = str(refused.value)
        assert message.startswith(f"{folder}/a must let us {action} it, but the store refuses (")
        assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in message
        assert "no-such-secret" not in message
        assert server.access_key not in message


def test_a_store_that_does_not_answer_is_given_up_within_half_a_minute(
    folder: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    stores.forget_stores()
    began = time.monotonic()
    with pytest.raises(StorageError, match="see AWS_ENDPOINT_URL"):
        objects.read(folder / "a")
    assert time.monotonic() - began < 30
