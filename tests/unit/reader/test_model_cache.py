from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from ray_qa.reader.model_cache import kept


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAY_QA_CACHE", str(tmp_path))
    return tmp_path


def make(folder: Path) -> None:
    (folder / "maker").write_text(str(os.getpid()))


def maker(key: str) -> str:
    return (kept("things", [1, key], make) / "maker").read_text()


def test_what_is_kept_is_made_once_though_many_processes_want_it_at_once(cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        makers = set(pool.map(maker, ["a"] * 6))
    assert len(makers) == 1
    assert maker("a") in makers
    assert maker("b") == str(os.getpid())
    assert len([path for path in (cache / "things").iterdir() if path.is_dir()]) == 2


def test_what_fails_to_be_made_leaves_nothing_and_is_made_the_next_time(cache: Path) -> None:
    def fails(folder: Path) -> None:
        make(folder)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kept("things", ["a"], fails)
    assert not [path for path in (cache / "things").iterdir() if path.is_dir()]
    assert kept("things", ["a"], make).is_dir()


def test_a_cache_that_cannot_be_written_to_is_an_error(cache: Path) -> None:
    (cache / "things").touch()
    with pytest.raises(OSError, match="things"):
        kept("things", ["a"], make)
