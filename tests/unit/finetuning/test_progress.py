from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.finetuning.tracking.beat import BeatWriter
from ray_qa.storage.remote import Place

LINE: dict[str, Any] = {
    "step": 1_200,
    "steps": 5_000,
    "loss": 1.23456,
    "learning_rate": 2.5e-5,
    "windows_per_second": 1_234.56,
    "tokens_per_second": 98_765.4,
    "step_seconds": 0.5,
    "bad_steps": 0,
    "time": 1.0,
}


NOWHERE = Path("/nowhere/beat.json")


def after(*lines: dict[str, Any], beat: Place = NOWHERE) -> TrainingProgress:
    progress = TrainingProgress(beat)
    progress.enter("starting Ray")
    progress.update(list(lines))
    return progress


@pytest.fixture
def beat(tmp_path: Path) -> BeatWriter:
    return BeatWriter(place=tmp_path / "beat.json")


def test_before_there_is_a_step_the_line_says_what_is_being_done() -> None:
    progress = after()
    assert progress.line().text == "starting Ray"
    progress.enter("reading and encoding the rows")
    assert progress.line().text == "reading and encoding the rows"


def test_the_line_tells_step_loss_rates_and_time_left() -> None:
    assert after(LINE).line().text == (
        "step 1,200/5,000 · loss 1.235 · learning rate 2.50e-05 · 1,234.6 windows/s · 98,765 tokens/s · 31:40 left"
    )


def test_the_latest_of_everything_is_told() -> None:
    judged = [{"step": 1_000, "eval_exact": 60.0, "eval_f1": 70.125, "time": 1.0}]
    line = after(LINE | {"step": 1_190}, *judged, LINE | {"bad_steps": 2}).line().text
    assert line.startswith("step 1,200/5,000")
    assert line.endswith("eval F1 70.12 · 2 bad steps · 31:40 left")


def test_one_bad_step_is_one() -> None:
    assert "· 1 bad step ·" in after(LINE | {"bad_steps": 1}).line().text


def test_at_the_end_nothing_is_left() -> None:
    assert after(LINE | {"step": 5_000}).line().text.endswith("0:00 left")


def test_a_log_that_got_shorter_is_followed_back() -> None:
    progress = after(LINE)
    progress.update([LINE | {"step": 500}])
    assert progress.line().text.startswith("step 500/5,000")


def test_a_new_stage_hides_the_steps_until_one_comes() -> None:
    progress = after(LINE)
    progress.enter("starting workers")
    progress.update([])
    assert progress.line().text == "starting workers"
    progress.update([LINE])
    assert progress.line().text.startswith("step 1,200")


def test_an_evaluation_alone_is_not_yet_a_step() -> None:
    assert after({"step": 10, "eval_exact": 1.0, "eval_f1": 2.0}).line().text == "starting Ray"


def test_lines_of_before_do_not_end_a_new_stage() -> None:
    progress = after(LINE)
    progress.enter("starting workers again")
    progress.update([dict(LINE)])
    assert progress.line().text == "starting workers again"


def test_the_time_left_is_told_from_several_lines() -> None:
    slow, fast = LINE | {"step": 1_190, "step_seconds": 1.5}, LINE | {"step_seconds": 0.5}
    assert after(slow, fast).line().text.endswith("1:03:20 left")


# Between two lines of the log


def test_every_step_is_told_as_it_is_done(beat: BeatWriter) -> None:
    progress = after(LINE, beat=beat.place)
    for step in (1_201, 1_202):
        beat.write(LINE | {"step": step, "loss": step / 1_000})
        assert progress.line().text.startswith(f"step {step:,}/5,000 · loss {step / 1_000:.3f} · ")
    progress.update([LINE, LINE | {"step": 1_210}])
    assert progress.line().text.startswith("step 1,210/5,000 · loss 1.235 · ")


def test_what_is_done_besides_steps_is_told(beat: BeatWriter) -> None:
    progress = after(LINE, beat=beat.place)
    beat.write(LINE, "evaluating")
    assert progress.line().text.startswith("step 1,200/5,000, evaluating · loss 1.235 · ")
    beat.write(LINE)
    assert progress.line().text.startswith("step 1,200/5,000 · loss 1.235 · ")


def test_before_the_first_step_is_done_it_is_told_that_it_is_being_taken(beat: BeatWriter) -> None:
    progress = after(beat=beat.place)
    beat.write({"step": 0, "steps": 5_000}, "taking the first step")
    assert progress.line().text == "step 0/5,000, taking the first step"


def test_the_time_left_is_that_of_the_pace_since_the_last_line_where_there_is_no_line_yet(beat: BeatWriter) -> None:
    progress = after(beat=beat.place)
    beat.write(LINE | {"step": 4_990, "step_seconds": 2.0})
    assert progress.line().text.endswith(" · 0:20 left")


def test_a_beat_of_before_does_not_end_a_new_stage(beat: BeatWriter) -> None:
    beat.write(LINE | {"step": 1_206})  # of a command that was killed
    progress = after(beat=beat.place)
    assert progress.line().text == "starting Ray"
    progress.update([LINE])  # which it had written too
    progress.enter("starting workers")
    assert progress.line().text == "starting workers"
    beat.clear()  # as the workers do who go on from step 1,200
    assert progress.line().text == "starting workers"
    beat.write({"step": 1_200, "steps": 5_000}, "taking the first step")
    assert progress.line().text == "step 1,200/5,000, taking the first step"
    beat.write(LINE | {"step": 1_201})
    assert progress.line().text.startswith("step 1,201/5,000")


def test_after_workers_were_lost_the_steps_are_those_of_the_new_ones(beat: BeatWriter) -> None:
    progress = after(LINE, beat=beat.place)
    beat.write(LINE | {"step": 1_306})
    progress.enter("starting workers again, as one was lost")
    assert progress.line().text == "starting workers again, as one was lost"
    beat.clear()
    beat.write(LINE | {"step": 1_201})
    assert progress.line().text.startswith("step 1,201/5,000")
    progress.update([LINE, LINE | {"step": 1_210}])
    assert progress.line().text.startswith("step 1,210/5,000")


def test_a_beat_that_is_behind_the_log_is_not_told(beat: BeatWriter) -> None:
    progress = after(LINE, beat=beat.place)
    beat.write(LINE | {"step": 1_195})
    assert progress.line().text.startswith("step 1,200/5,000")
