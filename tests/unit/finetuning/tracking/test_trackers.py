from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ray_qa.errors import ConfigError, without_credentials
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.finetuning.tracking.trackers import Feed, Trackers
from tests.unit.finetuning.metrics_lines import STEPS, config, expected_points, log_until, single, trackers_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output folder as it is when metrics begin to come."""
    (tmp_path / "out/.ray_qa").mkdir(parents=True)
    return tmp_path / "out"


# What is sent when


@dataclass
class Notebook:
    """A tracker that writes down what it gets, and fails where it is told to."""

    name: str = "the notebook"
    lines: list[Metrics] = field(default_factory=list)
    broken: bool = False
    ended: list[bool] = field(default_factory=list)

    def begin(self) -> dict[str, float]:
        self.fail_if_broken()
        return {kind: line["step"] for line in self.lines for kind in ("loss", "eval_f1") if kind in line}

    def send(self, lines: Sequence[Metrics]) -> None:
        self.fail_if_broken()
        self.lines.extend(lines)

    def end(self, *, complete: bool) -> None:
        self.fail_if_broken()
        self.ended.append(complete)

    def fail_if_broken(self) -> None:
        if self.broken:
            raise OSError("no paper at https://me:secret@paper\nnor ink")


@given(st.lists(st.tuples(st.integers(0, STEPS), st.booleans(), st.booleans()), max_size=12))
def test_every_line_is_sent_once_and_in_order_whatever_the_log_and_the_tracker_do(
    looks: list[tuple[int, bool, bool]],
) -> None:
    notebook = Notebook()
    opened = Trackers(feeds=[Feed(tracker=notebook)])
    for step, broken, another_driver in [*looks, (STEPS, False, False)]:
        if another_driver:
            opened = Trackers(feeds=[Feed(tracker=notebook)])
        notebook.broken = broken
        opened.feeds[0].retry_at = 0.0
        opened.update(log_until(step))  # which may be shorter than the last time
    opened.close()
    assert notebook.lines == log_until(STEPS)
    assert notebook.ended == [True]


def test_a_tracker_that_fails_is_told_of_once_without_credentials_and_left_in_peace_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, sound = Notebook(broken=True), Notebook()
    opened = Trackers(feeds=[Feed(tracker=broken), Feed(tracker=sound)])
    for step in (10, 20, 30):
        opened.update(log_until(step))
    told = [
        "metrics do not reach the notebook, training goes on without it and it is tried again from time to time: "
        "no paper at https://paper"
    ]
    assert caplog.messages == told
    assert sound.lines == log_until(30)
    broken.broken = False
    opened.update(log_until(40))
    assert broken.lines == []  # it is not yet time
    opened.close()
    assert broken.lines == log_until(40)
    assert (broken.ended, sound.ended) == ([False], [False])
    assert caplog.messages == told


def test_a_tracker_that_never_comes_back_does_not_hinder_the_end(caplog: pytest.LogCaptureFixture) -> None:
    notebook = Notebook(broken=True)
    opened = Trackers(feeds=[Feed(tracker=notebook)])
    opened.update(log_until(20))
    opened.close()
    assert notebook.ended == []
    assert len(caplog.messages) == 1


def test_without_any_lines_nothing_is_opened_or_ended() -> None:
    notebook = Notebook(broken=True)
    opened = Trackers(feeds=[Feed(tracker=notebook)])
    opened.update([])
    opened.close()
    assert (notebook.ended, opened.feeds[0].warned) == ([], False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:5000/x", "http://127.0.0.1:5000/x"),
        ("to https://me:secret@host:5000/api failed", "to https://host:5000/api failed"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("https://token@host and http://a:p@ss@b/", "https://host and http://b/"),
        ("postgresql+psycopg://u:p/w#d@host/db", "postgresql+psycopg://host/db"),
    ],
)
def test_users_and_passwords_in_uris_are_not_shown(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_a_package_that_is_missing_is_refused_by_the_name_of_its_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError) as caught:
        trackers_of(config(name), folder)
    assert caught.value.problems == (
        f"`report_to` must name what is installed, but {name} is not; pip install 'ray_qa[{name}]'",
    )


def test_without_report_to_nothing_is_opened(folder: Path) -> None:
    assert trackers_of(config(), folder).feeds == []


def test_a_name_that_is_given_twice_is_opened_once(folder: Path) -> None:
    assert len(trackers_of(config("tensorboard", "tensorboard"), folder).feeds) == 1


# TensorBoard


def event_points(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """What TensorBoard shows: step, value and time of every point, by tag."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, single(event.value), event.wall_time) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_shows_every_figure_at_its_step_and_time(folder: Path) -> None:
    opened = trackers_of(config("tensorboard"), folder)
    opened.update(log_until(20))
    deadline = time.monotonic() + 30
    while event_points(folder) != expected_points(log_until(20)):  # without waiting for the end
        assert time.monotonic() < deadline
        time.sleep(0.2)
    opened.update(log_until(STEPS))
    opened.close()
    shown = event_points(folder)
    assert shown == expected_points(log_until(STEPS))
    assert {"train/loss", "train/learning_rate", "train/bad_steps", "eval/f1", "eval/exact"} <= shown.keys()


def test_a_run_that_is_resumed_goes_on_in_the_same_folder_without_a_point_twice(folder: Path) -> None:
    killed = trackers_of(config("tensorboard"), folder)
    killed.update(log_until(60))
    second = trackers_of(config("tensorboard"), folder)
    for step in (60, 30, 50, 80):  # what the first has left, back to a checkpoint, and on
        second.update(log_until(step))
    third = trackers_of(config("tensorboard"), folder)
    third.update(log_until(STEPS))
    third.close()
    assert event_points(folder) == expected_points(log_until(STEPS))
    assert len(list((folder / "tensorboard").iterdir())) == 3


def test_opening_touches_nothing_so_that_the_output_can_still_be_refused_or_cleared(tmp_path: Path) -> None:
    trackers_of(config("tensorboard"), tmp_path / "out").close()
    assert list(tmp_path.iterdir()) == []


def test_event_files_that_cannot_be_written_do_not_end_the_run(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "tensorboard").touch()
    opened = trackers_of(config("tensorboard"), folder)
    opened.update(log_until(10))
    (told,) = caplog.messages
    assert told.startswith("metrics do not reach TensorBoard's files, training goes on without it")
    (folder / "tensorboard").unlink()
    opened.update(log_until(20))
    opened.close()
    assert event_points(folder) == expected_points(log_until(20))
