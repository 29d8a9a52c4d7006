from __future__ import annotations

from typing import Any

from ray_qa.finetuning.progress import TrainingProgress

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


def after(*lines: dict[str, Any]) -> TrainingProgress:
    progress = TrainingProgress()
    progress.update(list(lines))
    return progress


def test_before_there_is_a_step_the_line_says_what_is_being_done() -> None:
    progress = TrainingProgress()
    assert progress.line() == "starting Ray"
    progress.enter("reading and encoding the rows")
    assert progress.line() == "reading and encoding the rows"


def test_the_line_tells_step_loss_rates_and_time_left() -> None:
    assert after(LINE).line() == (
        "step 1,200/5,000 · loss 1.235 · learning rate 2.50e-05 · 1,234.6 windows/s · 98,765 tokens/s · 31:40 left"
    )


def test_the_latest_of_everything_is_told() -> None:
    judged = [{"step": 1_000, "eval_exact": 60.0, "eval_f1": 70.125, "time": 1.0}]
    line = after(LINE | {"step": 1_190}, *judged, LINE | {"bad_steps": 2}).line()
    assert line.startswith("step 1,200/5,000")
    assert line.endswith("eval F1 70.12 · 2 bad steps · 31:40 left")


def test_one_bad_step_is_one() -> None:
    assert "· 1 bad step ·" in after(LINE | {"bad_steps": 1}).line()


def test_at_the_end_nothing_is_left() -> None:
    assert after(LINE | {"step": 5_000}).line().endswith("0:00 left")


def test_a_log_that_got_shorter_is_followed_back() -> None:
    progress = after(LINE)
    progress.update([LINE | {"step": 500}])
    assert progress.line().startswith("step 500/5,000")


def test_a_new_stage_hides_the_steps_until_one_comes() -> None:
    progress = after(LINE)
    progress.enter("starting workers")
    progress.update([])
    assert progress.line() == "starting workers"
    progress.update([LINE])
    assert progress.line().startswith("step 1,200")


def test_an_evaluation_alone_is_not_yet_a_step() -> None:
    assert after({"step": 10, "eval_exact": 1.0, "eval_f1": 2.0}).line() == "starting Ray"


def test_lines_of_before_do_not_end_a_new_stage() -> None:
    progress = after(LINE)
    progress.enter("starting workers again")
    progress.update([dict(LINE)])
    assert progress.line() == "starting workers again"


def test_the_time_left_is_told_from_several_lines() -> None:
    slow, fast = LINE | {"step": 1_190, "step_seconds": 1.5}, LINE | {"step_seconds": 0.5}
    assert after(slow, fast).line().endswith("1:03:20 left")
