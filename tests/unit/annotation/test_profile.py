from __future__ import annotations

import time

import pytest

from ray_qa.annotation.accounting import Clock
from ray_qa.annotation.profile import STEPS, Idle, Lap, Moments, Profile, StepSeconds, describe_profile
from ray_qa.annotation.summary import UnitSummary
from ray_qa.runs.part_labels import Counts


def unit(replica: str, started: float, steps: StepSeconds) -> UnitSummary:
    moments = Moments(begun=started - 5, loaded=started - 2, tried=started - 1)
    return UnitSummary(
        unit=0, counts=Counts(), replica=replica, started=started, published=started + 3, moments=moments, steps=steps
    )


def test_the_laps_of_start_up_follow_on_each_other_up_to_the_first_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(called=100.0)
    monkeypatch.setattr(time, "time", iter([101.0, 104.0]).__next__)
    clock.passed("checks")
    clock.passed("Ray")
    clock.note(unit("late", 120.0, StepSeconds()))
    clock.note(unit("first", 112.0, StepSeconds()))
    assert clock.profile().start_up == (
        Lap(name="checks", seconds=1.0),
        Lap(name="Ray", seconds=3.0),
        Lap(name="starting a replica's process", seconds=3.0),
        Lap(name="loading the model", seconds=3.0),
        Lap(name="a first pass", seconds=1.0),
        Lap(name="waiting for the first unit", seconds=1.0),
    )
    assert sum(lap.seconds for lap in clock.profile().start_up) == clock.start_seconds


def test_a_run_that_scored_nothing_has_no_more_laps_than_it_passed() -> None:
    clock = Clock(called=time.time())
    clock.passed("checks")
    assert [lap.name for lap in clock.profile().start_up] == ["checks"]


def test_the_steps_of_all_units_add_up_and_what_replicas_stood_idle_at_the_ends_is_waiting() -> None:
    clock = Clock(called=0.0)
    clock.note(unit("a", 10.0, StepSeconds(forward=2.0, write=0.5)))
    clock.note(unit("b", 11.0, StepSeconds(forward=1.0, wait=0.25)))
    clock.note(unit("a", 13.0, StepSeconds(forward=2.5)))
    profile = clock.profile()
    assert profile.steps == StepSeconds(forward=5.5, write=0.5, wait=0.25 + 1.0 + 2.0)
    assert profile.replica_seconds == 2 * 6.0
    assert profile.other == 12.0 - 5.5 - 0.5 - 3.25


def test_a_profile_names_every_step_and_the_share_of_those_of_replicas() -> None:
    profile = Profile(
        start_up=(Lap(name="Ray", seconds=3.5),),
        steps=StepSeconds(forward=9.0, unpack=0.5, read=1.0),
        replica_seconds=10.0,
    )
    told = {line.split()[0]: line.split()[1:] for line in describe_profile(profile) if line.startswith("  ")}
    assert set(told) == {"Ray", "other", *STEPS}
    assert told["Ray"] == ["3.50", "s"]
    assert told["read"] == ["1.00", "s"]
    assert told["forward"] == ["9.00", "s", "90.0%"]
    assert told["other"] == ["0.50", "s", "5.0%"]
    assert profile.as_record()["steps"]["unpack"] == 0.5
    assert describe_profile(Profile(start_up=(), steps=StepSeconds(), replica_seconds=0.0))


def test_what_a_process_computes_between_its_units_is_rays_and_the_rest_is_waiting() -> None:
    idle = Idle.from_now()
    time.sleep(0.05)
    slept = idle.ended()
    assert slept.wait >= 0.04
    assert slept.ray < slept.wait
    idle = Idle.from_now()
    while time.process_time() < idle.cpu + 0.05:
        pass
    assert idle.ended().ray >= 0.04
