"""What holds of every kind of store."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ray_qa.errors import StorageError
from ray_qa.storage import objects
from ray_qa.storage.remote import Remote


def test_what_is_published_is_read_back_and_replaced_by_what_comes_later(anywhere: Remote) -> None:
    place = anywhere / "folder" / "größe 1.bin"
    objects.publish(place, b"one")
    assert objects.read(place) == b"one"
    objects.publish(place, b"two")
    assert objects.read(place) == b"two"


def test_large_objects_are_published_whole(anywhere: Remote) -> None:
    content = secrets.token_bytes(20 * 2**20)
    objects.publish(anywhere / "large", content)
    assert objects.read(anywhere / "large") == content


def test_of_many_that_publish_where_there_is_nothing_one_is_told_that_it_was_first(anywhere: Remote) -> None:
    for nth in range(5):
        place = anywhere / f"plan-{nth}"
        contents = [secrets.token_bytes(16) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            was_first = list(pool.map(lambda content, place=place: objects.publish_new(place, content), contents))
        assert was_first.count(True) == 1
        assert objects.read(place) == contents[was_first.index(True)]


def test_whoever_was_first_is_told_so_again_when_its_request_is_sent_twice(anywhere: Remote) -> None:
    assert objects.publish_new(anywhere / "plan", b"mine")
    assert objects.publish_new(anywhere / "plan", b"mine")
    assert not objects.publish_new(anywhere / "plan", b"theirs")


def test_a_listing_has_all_objects_below_a_place_in_order_and_no_others(anywhere: Remote) -> None:
    names = [f"part-{number:07d}" for number in range(1_100)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: objects.publish(anywhere / "out" / name, name.encode()), names))
    objects.publish(anywhere / "outside", b"")
    objects.publish(anywhere / "out" / ".ray_qa" / "plan.json", b"{}")
    found = list(objects.list_below(anywhere / "out"))
    assert [each.place.key for each in found] == [
        f"{anywhere.key}/out/.ray_qa/plan.json",
        *(f"{anywhere.key}/out/{name}" for name in names),
    ]
    assert {each.size for each in found[1:]} == {len(names[0])}
    later = list(objects.list_below(anywhere / "out", after="part-0001097"))
    assert [each.place.name for each in later] == names[-2:]
    assert list(objects.list_below(anywhere / "nothing")) == []


@pytest.mark.parametrize("now", [b"two", b"three", None], ids=["other content", "other size", "nothing"])
def test_what_has_changed_since_it_was_listed_is_not_taken_for_it(
    anywhere: Remote, tmp_path: Path, now: bytes | None
) -> None:
    objects.publish(anywhere / "a", b"one")
    (found,) = objects.list_below(anywhere)
    objects.download(found, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"one"
    if now is None:
        objects.delete([anywhere / "a"])
    else:
        objects.publish(anywhere / "a", now)
    told = rf"^{anywhere}/a must stay while it is fetched, but (has been replaced|is gone); run the same command again$"
    with pytest.raises(StorageError, match=told):
        objects.download(found, tmp_path / "a")


def test_deleting_takes_away_what_is_there_and_minds_nothing_that_is_not(anywhere: Remote) -> None:
    for name in ("a", "b"):
        objects.publish(anywhere / name, b"")
    objects.delete([anywhere / "a", anywhere / "missing"])
    assert not objects.exists(anywhere / "a")
    assert objects.exists(anywhere / "b")


def test_what_is_not_there_is_missing_as_a_file_would_be(anywhere: Remote) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{anywhere}/missing"):
        objects.read(anywhere / "missing")


def test_an_object_is_read_anywhere_in_it_as_a_file_is(anywhere: Remote, tmp_path: Path) -> None:
    content = secrets.token_bytes(3 * 2**20)
    objects.publish(anywhere / "a", content)
    with objects.open_input(anywhere / "a") as stream:
        assert stream.size() == len(content)
        for first, size in ((0, 8), (2**20 - 3, 10), (len(content) - 5, 5), (17, 2**21)):
            stream.seek(first)
            assert stream.read(size) == content[first : first + size]
    (tmp_path / "large").write_bytes(content)
    objects.upload(anywhere / "b", tmp_path / "large")
    assert objects.read(anywhere / "b") == content


def test_what_lies_in_a_folder_is_told_with_the_version_that_was_published(anywhere: Remote) -> None:
    version = objects.publish(anywhere / "out" / "part", b"one")
    objects.publish(anywhere / "out" / "folder" / "other", b"two")
    folder, part = objects.entries_in(anywhere / "out")
    assert (folder.name, folder.is_file) == ("folder", False)
    assert (part.name, part.is_file, part.version) == ("part", True, version)
    found = objects.look_for(anywhere / "out" / "part")
    assert found is not None
    assert (found.size, found.version) == (3, version)
