from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ray_qa.storage.local import draft_of, publish, publish_new, say_once


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(name: str) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise OSError(f"{name}: no space left")

    return fail


def test_publishing_puts_the_content_there_and_nothing_beside_it(tmp_path: Path) -> None:
    publish(tmp_path / "part", b"\x00one")
    assert (tmp_path / "part").read_bytes() == b"\x00one"
    assert names(tmp_path) == ["part"]


def test_publishing_again_replaces_the_content(tmp_path: Path) -> None:
    publish(tmp_path / "part", b"a long first content")
    publish(tmp_path / "part", b"second")
    assert (tmp_path / "part").read_bytes() == b"second"
    assert names(tmp_path) == ["part"]


def test_readers_see_all_of_one_content_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "part"
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    publish(path, contents[0])
    ended = threading.Event()

    def keep_publishing() -> None:
        for turn in range(30):
            publish(path, contents[turn % 2])
        ended.set()

    writer = threading.Thread(target=keep_publishing)
    writer.start()
    seen = set()
    while not ended.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(contents)


def test_only_the_first_to_publish_new_wins(tmp_path: Path) -> None:
    assert publish_new(tmp_path / "plan", b"first") is True
    assert publish_new(tmp_path / "plan", b"second") is False
    assert (tmp_path / "plan").read_bytes() == b"first"
    assert names(tmp_path) == ["plan"]


def test_of_many_that_publish_new_at_once_one_wins(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    won: dict[int, bool] = {}

    def run(number: int) -> None:
        start.wait()
        won[number] = publish_new(tmp_path / "plan", str(number).encode())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number, was_us in won.items() if was_us]
    assert (tmp_path / "plan").read_text() == str(winner)
    assert names(tmp_path) == ["plan"]


@pytest.mark.parametrize(
    ("write", "broken"),
    [
        (publish, "os.fsync"),
        (publish, "pathlib.Path.replace"),
        (publish_new, "os.fsync"),
        (publish_new, "os.link"),
    ],
)
def test_no_draft_is_left_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], Any], broken: str
) -> None:
    publish(tmp_path / "part", b"before")
    monkeypatch.setattr(broken, failing(broken))
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path / "part", b"after")
    assert names(tmp_path) == ["part"]
    assert (tmp_path / "part").read_bytes() == b"before"


@pytest.mark.parametrize("write", [publish, publish_new])
def test_content_and_name_are_on_the_disk_before_publishing_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], Any]
) -> None:
    steps: list[str] = []
    fsync, replace, link = os.fsync, Path.replace, os.link

    def recording_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        steps.append("fsync folder" if stat.S_ISDIR(status.st_mode) else f"fsync {status.st_size} bytes")
        fsync(descriptor)

    def recording_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    def recording_link(source: Path, target: Path) -> None:
        steps.append("rename")
        link(source, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "link", recording_link)
    monkeypatch.setattr(Path, "replace", recording_replace)
    write(tmp_path / "part", b"content")
    assert steps == ["fsync 7 bytes", "rename", "fsync folder"]


def test_a_draft_is_hidden_from_those_who_read_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda self, _: drafts.append(self.name))
    publish(tmp_path / "part-0000000.parquet", b"content")
    (draft,) = drafts
    assert draft.startswith(".part-0000000.parquet.")
    assert not draft.endswith(".parquet")


def fill_file(draft: Path) -> None:
    draft.write_bytes(b"content")


def fill_folder(draft: Path) -> None:
    (draft / "inner").mkdir(parents=True)
    (draft / "inner" / "file").write_bytes(b"content")


fillings = pytest.mark.parametrize("fill", [fill_file, fill_folder])


@fillings
def test_what_was_drafted_appears_at_its_name_only_when_the_block_ends(
    tmp_path: Path, fill: Callable[[Path], None]
) -> None:
    with draft_of(tmp_path / "made") as draft:
        fill(draft)
        assert not (tmp_path / "made").exists()
        assert names(tmp_path) == [draft.name]
        assert draft.name.startswith(".made.")
    assert names(tmp_path) == ["made"]
    made = tmp_path / "made"
    assert (made / "inner" / "file" if made.is_dir() else made).read_bytes() == b"content"


class Stopped(BaseException):
    pass


@fillings
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stopped])
def test_a_block_that_fails_leaves_nothing(
    tmp_path: Path, fill: Callable[[Path], None], error: type[BaseException]
) -> None:
    def fail(draft: Path) -> None:
        fill(draft)
        raise error

    with pytest.raises(error), draft_of(tmp_path / "made") as draft:
        fail(draft)
    assert names(tmp_path) == []


def test_a_block_that_fails_before_it_drafts_anything_fails_as_it_did(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too early"), draft_of(tmp_path / "made"):
        raise ValueError("too early")
    assert names(tmp_path) == []


@fillings
@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.rename"])
def test_a_draft_that_cannot_be_put_in_place_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Callable[[Path], None], broken: str
) -> None:
    monkeypatch.setattr(broken, failing(broken))
    with pytest.raises(OSError, match="no space left"), draft_of(tmp_path / "made") as draft:
        fill(draft)
    assert names(tmp_path) == []


def test_a_drafted_file_takes_the_place_of_an_earlier_one_but_a_folder_that_is_full_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")
    with draft_of(tmp_path / "file") as draft:
        draft.write_bytes(b"after")
    assert (tmp_path / "file").read_bytes() == b"after"

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").touch()
    with pytest.raises(OSError, match="not empty"), draft_of(tmp_path / "folder") as draft:
        fill_folder(draft)
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["kept"]


def test_all_of_a_drafted_folder_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int | str] = []
    fsync, rename = os.fsync, Path.rename

    def recording_fsync(descriptor: int) -> None:
        steps.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def recording_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(Path, "rename", recording_rename)
    with draft_of(tmp_path / "made") as draft:
        fill_folder(draft)
    made = tmp_path / "made"
    assert set(steps[:3]) == {path.stat().st_ino for path in (made, made / "inner", made / "inner" / "file")}
    assert steps[3:] == ["rename", tmp_path.stat().st_ino]


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSYS, errno.ENOTSUP])
def test_without_links_the_first_to_publish_new_wins_all_the_same_and_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    monkeypatch.setattr(os, "link", refusing(code))
    say_once.cache_clear()
    assert publish_new(tmp_path / "plan", b"first") is True
    assert publish_new(tmp_path / "plan", b"second") is False
    assert (tmp_path / "plan").read_bytes() == b"first"
    assert names(tmp_path) == ["plan"]
    (told,) = caplog.messages
    assert told.startswith(f"the file system of {tmp_path} knows no links")


def test_a_folder_that_cannot_be_synced_holds_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    say_once.cache_clear()
    publish(tmp_path / "part", b"one")
    publish(tmp_path / "part", b"two")
    assert (tmp_path / "part").read_bytes() == b"two"
    (told,) = caplog.messages
    assert "cannot be told to write to disk" in told


def test_a_disk_that_fails_is_not_taken_for_one_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refusing(errno.EIO))
    with pytest.raises(OSError, match="refused"):
        publish_new(tmp_path / "plan", b"first")
    assert names(tmp_path) == []


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_: Any) -> None:
        raise OSError(code, "refused")

    return refuse
