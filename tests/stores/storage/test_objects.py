from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ray_qa.errors import StorageError
from ray_qa.storage import objects, stores
from ray_qa.storage.remote import Remote
from tests.stores.server import Server


def test_what_is_published_is_read_back_and_replaced_by_what_comes_later(folder: Remote) -> None:
    place = folder / "folder" / "größe 1.bin"
    objects.publish(place, b"one")
    assert objects.read(place) == b"one"
    objects.publish(place, b"two")
    assert objects.read(place) == b"two"


def test_large_objects_are_published_whole(folder: Remote) -> None:
    content = secrets.token_bytes(20 * 2**20)
    objects.publish(folder / "large", content)
    assert objects.read(folder / "large") == content


def test_of_many_that_publish_where_there_is_nothing_one_is_told_that_it_was_first(folder: Remote) -> None:
    for nth in range(5):
        place = folder / f"plan-{nth}"
        contents = [secrets.token_bytes(16) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            was_first = list(pool.map(lambda content, place=place: objects.publish_new(place, content), contents))
        assert was_first.count(True) == 1
        assert objects.read(place) == contents[was_first.index(True)]


def test_whoever_was_first_is_told_so_again_when_its_request_is_sent_twice(folder: Remote) -> None:
    assert objects.publish_new(folder / "plan", b"mine")
    assert objects.publish_new(folder / "plan", b"mine")
    assert not objects.publish_new(folder / "plan", b"theirs")


def test_a_listing_has_all_objects_below_a_place_in_order_and_no_others(folder: Remote) -> None:
    names = [f"part-{number:07d}" for number in range(1_100)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: objects.publish(folder / "out" / name, name.encode()), names))
    objects.publish(folder / "outside", b"")
    objects.publish(folder / "out" / ".ray_qa" / "plan.json", b"{}")
    found = list(objects.list_below(folder / "out"))
    assert [each.place.key for each in found] == [
        f"{folder.key}/out/.ray_qa/plan.json",
        *(f"{folder.key}/out/{name}" for name in names),
    ]
    assert {each.size for each in found[1:]} == {len(names[0])}
    later = list(objects.list_below(folder / "out", after="part-0001097"))
    assert [each.place.name for each in later] == names[-2:]
    assert list(objects.list_below(folder / "nothing")) == []


@pytest.mark.parametrize("now", [b"two", b"three", None], ids=["other content", "other size", "nothing"])
def test_what_has_changed_since_it_was_listed_is_not_taken_for_it(
    folder: Remote, tmp_path: Path, now: bytes | None
) -> None:
    objects.publish(folder / "a", b"one")
    (found,) = objects.list_below(folder)
    objects.download(found, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"one"
    if now is None:
        objects.delete([folder / "a"])
    else:
        objects.publish(folder / "a", now)
    told = rf"^{folder}/a must stay while it is fetched, but (has been replaced|is gone); run the same command again$"
    with pytest.raises(StorageError, match=told):
        objects.download(found, tmp_path / "a")


def test_deleting_takes_away_what_is_there_and_minds_nothing_that_is_not(folder: Remote) -> None:
    for name in ("a", "b"):
        objects.publish(folder / name, b"")
    objects.delete([folder / "a", folder / "missing"])
    assert not objects.exists(folder / "a")
    assert objects.exists(folder / "b")


def test_what_is_not_there_is_missing_as_a_file_would_be(folder: Remote) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{folder}/missing"):
        objects.read(folder / "missing")


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
