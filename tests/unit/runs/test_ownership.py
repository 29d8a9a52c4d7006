from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ray_qa.errors import OutputError
from ray_qa.runs import ownership
from ray_qa.runs.ownership import LOCK, OWNER, check_claim, claim, output_lock


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "SHARING_SECONDS", 0.3)


def test_a_second_command_is_kept_out_until_the_first_has_ended(tmp_path: Path) -> None:
    with output_lock(tmp_path / "out", "training") as lock:
        assert lock.alone
        with (
            pytest.raises(OutputError) as caught,
            output_lock(tmp_path / "out", "training"),
        ):
            pass
        assert caught.value.problems == (
            f"`output` must be one command's at a time, but another is training in {tmp_path}/out; wait for it to end",
        )
    with output_lock(tmp_path / "out", "training"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_commands_that_share_go_on_beside_each_other_and_the_last_takes_the_lock_away(tmp_path: Path) -> None:
    with output_lock(tmp_path, "annotating", may_share=True) as first:
        first.share()
        with output_lock(tmp_path, "annotating", may_share=True) as second:
            assert (first.alone, second.alone) == (True, False)
        assert (tmp_path / LOCK).exists()
        with pytest.raises(OutputError, match="another is annotating"), output_lock(tmp_path, "annotating"):
            pass
        with output_lock(tmp_path, "annotating", may_share=True):
            pass
    assert not (tmp_path / LOCK).exists()


def test_a_command_that_may_share_waits_for_one_that_prepares_but_not_for_ever(tmp_path: Path) -> None:
    with (
        output_lock(tmp_path, "annotating", may_share=True),
        pytest.raises(OutputError, match="another is annotating"),
        output_lock(tmp_path, "annotating", may_share=True),
    ):
        pass


def test_a_file_that_was_taken_away_while_one_waited_for_it_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def with_a_rival(stream: int, kind: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / LOCK).unlink()  # as its last holder does, between our opening and our locking it
        flock(stream, kind)

    monkeypatch.setattr(fcntl, "flock", with_a_rival)
    with (
        output_lock(tmp_path, "training"),
        pytest.raises(OutputError, match="another is training"),
        output_lock(tmp_path, "training"),
    ):
        pass


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    script = (
        "import os\nfrom pathlib import Path\nfrom ray_qa.runs.ownership import output_lock\n"
        f"with output_lock(Path({str(tmp_path)!r}), 'training'):\n    os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert (tmp_path / LOCK).exists()
    with output_lock(tmp_path, "training") as lock:
        assert lock.alone


def test_a_file_system_without_locks_is_taken_for_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_: int, __: int) -> None:
        raise OSError("Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with output_lock(tmp_path, "training") as lock:
        assert lock.alone


def test_workers_of_another_claim_are_turned_away(tmp_path: Path) -> None:
    (tmp_path / OWNER).parent.mkdir()
    claim(tmp_path, "first")
    check_claim(tmp_path, "first")
    claim(tmp_path, "second")
    with pytest.raises(OutputError) as caught:
        check_claim(tmp_path, "first")
    assert caught.value.problems == (
        f"`output` must be one command's at a time, but another has taken {tmp_path} over",
    )


def test_a_worker_that_does_not_see_the_output_says_on_which_node(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        check_claim(tmp_path / "out", "first")
    assert caught.value.problems == (
        f"`output` must be the same folder on every node, but {tmp_path}/out has nothing of this run on "
        f"{os.uname().nodename}; name one that all nodes share, or one in a bucket",
    )
    check_claim(tmp_path / "out", "")


def test_a_claim_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=rf"^`output` must be writable, but {tmp_path}/gone gives: "):
        claim(tmp_path / "gone", "token")
