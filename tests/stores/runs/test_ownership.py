"""Whose an output in a bucket is: leases instead of the locks that a file system has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ray_qa.errors import OutputError
from ray_qa.runs import leases
from ray_qa.runs.output_folder import LEASES, clear_output_folder
from ray_qa.runs.ownership import check_claim, claim, output_lock
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "PATIENCE", 0.0)


def test_one_command_keeps_others_out_and_leaves_nothing_behind(folder: Remote) -> None:
    with output_lock(folder, "annotating") as lock:
        assert lock.alone
        for may_share in (False, True):
            with (
                pytest.raises(OutputError, match=f"another is annotating in {folder}; wait for it to end"),
                output_lock(folder, "annotating", may_share=may_share),
            ):
                pass
    with output_lock(folder, "annotating") as lock:
        assert lock.alone
    assert places.names_in(folder / LEASES) == []


def test_commands_that_share_work_side_by_side_and_the_last_knows_that_it_is(folder: Remote) -> None:
    with output_lock(folder, "annotating", may_share=True) as first:
        first.share()
        with output_lock(folder, "annotating", may_share=True) as second:
            assert (first.alone, second.alone) == (True, False)
            assert not first.is_the_last()
        assert first.is_the_last()
        with pytest.raises(OutputError, match="another is annotating"), output_lock(folder, "annotating"):
            pass


def test_the_lease_of_a_command_that_was_killed_runs_out(folder: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.publish(folder / LEASES / "killed-alone", b"")
    with pytest.raises(OutputError, match="another is annotating"), output_lock(folder, "annotating"):
        pass
    monkeypatch.setattr(leases, "LEASE_SECONDS", -1.0)
    with output_lock(folder, "annotating") as lock:
        assert lock.alone
        assert len(places.names_in(folder / LEASES)) == 1


def test_of_commands_that_come_at_the_same_moment_one_works_at_a_time(
    folder: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "PATIENCE", 60.0)
    at_work: list[int] = []

    def work(number: int) -> int:
        with output_lock(folder, "annotating") as lock:
            at_work.append(number)
            assert lock.alone
            assert len(at_work) == 1
            at_work.remove(number)
        return number

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(work, range(3))) == [0, 1, 2]


def test_a_claim_is_the_latest_one(folder: Remote) -> None:
    with pytest.raises(OutputError, match="has nothing of this run on"):
        check_claim(folder, "first")
    claim(folder, "first")
    check_claim(folder, "first")
    claim(folder, "second")
    check_claim(folder, "second")
    with pytest.raises(OutputError, match="another has taken"):
        check_claim(folder, "first")


def test_clearing_an_output_leaves_the_leases_alone(folder: Remote) -> None:
    with output_lock(folder, "training"):
        objects.publish(folder / ".ray_qa" / "plan.json", b"{}")
        objects.publish(folder / ".ray_qa" / "owner", b"")
        clear_output_folder(folder, [])
        assert [each.place.parent for each in objects.list_below(folder)] == [folder / LEASES]
        with pytest.raises(OutputError, match="one command's at a time"), output_lock(folder, "training"):
            pass


def test_a_lease_that_was_taken_away_is_taken_again(folder: Remote) -> None:
    with output_lock(folder, "training") as lock:
        objects.delete([each.place for each in objects.list_below(folder)])
        assert lock.is_the_last()
