"""A store that is too busy, or whose answers get lost, for a while."""

from __future__ import annotations

from ray_qa.storage import objects
from ray_qa.storage.remote import Remote
from tests.stores.proxy import Proxy


def test_a_large_object_is_one_request(proxy: Proxy, folder: Remote) -> None:
    objects.publish(folder / "large", bytes(20 * 2**20))
    assert proxy.seen == ["PUT"]


def test_requests_are_sent_again_while_the_store_is_busy(proxy: Proxy, folder: Remote) -> None:
    proxy.fail("PUT", "503", times=5)
    objects.publish(folder / "a", b"one")
    assert proxy.seen == ["PUT"] * 6
    proxy.fail("GET", "503", times=2)
    assert objects.read(folder / "a") == b"one"


def test_an_object_whose_answer_was_lost_is_there(proxy: Proxy, folder: Remote) -> None:
    proxy.fail("PUT", "lost", times=1)
    objects.publish(folder / "a", b"one")
    assert objects.read(folder / "a") == b"one"


def test_whoever_was_first_is_told_so_though_the_answer_was_lost(proxy: Proxy, folder: Remote) -> None:
    proxy.fail("PUT", "lost", times=1)
    assert objects.publish_new(folder / "plan", b"mine")
    assert not objects.publish_new(folder / "plan", b"theirs")
    assert objects.read(folder / "plan") == b"mine"
