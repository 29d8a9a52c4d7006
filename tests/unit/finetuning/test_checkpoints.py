from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import (
    Evaluation,
    TrainingState,
    checkpoint_path,
    checkpoint_steps,
    publish_checkpoint,
    read_state,
    remove_old_checkpoints,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
evaluations = st.lists(st.builds(Evaluation, step=st.integers(0, 99), exact=finite, f1=st.integers(0, 3)), max_size=6)
states = st.builds(
    TrainingState,
    step=st.integers(1, 10**8),
    bad_steps=st.integers(0, 9),
    bad_rows=st.lists(st.integers(0, 10**6)).map(tuple),
    loss_sum=finite,
    logged_windows=st.integers(0, 10**6),
    scaler=st.dictionaries(st.text(), finite | st.integers(0, 9)),
    evaluations=evaluations.map(tuple),
)


def tensors(draft: Path) -> None:
    (draft / "model.safetensors").write_bytes(b"weights")
    (draft / "optimizer.safetensors").write_bytes(b"moments")


def made(folder: Path, *steps: int, best: int | None = None) -> TrainingState:
    """Checkpoints after these steps; the state of the last, with ``best`` as the one evaluated best."""
    judged = (Evaluation(step=best, exact=50.0, f1=60.0),) if best is not None else ()
    state = TrainingState()
    for step in steps:
        state = TrainingState(step=step, evaluations=judged)
        publish_checkpoint(folder, state, tensors, folder)
    return state


def failing(draft: Path) -> None:
    (draft / "model.safetensors").write_bytes(b"wei")
    raise OSError("no space left")


@given(states)
def test_a_state_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, state: TrainingState) -> None:
    folder = tmp_path_factory.mktemp("out")
    publish_checkpoint(folder, state, tensors, folder)
    assert read_state(folder, state.step) == state


def test_a_checkpoint_holds_state_and_tensors(tmp_path: Path) -> None:
    made(tmp_path, 500)
    names = {"model.safetensors", "optimizer.safetensors", "state.json"}
    assert {path.name for path in (tmp_path / "checkpoints/checkpoint-0000500").iterdir()} == names


def test_steps_come_in_order_however_many_digits_they_have(tmp_path: Path) -> None:
    made(tmp_path, 10_000_000, 9_999_999, 5)
    for other in ("checkpoint-12", "checkpoint-0000007.old", ".checkpoint-0000008.aa.draft", "notes"):
        (tmp_path / "checkpoints" / other).mkdir()
    assert checkpoint_steps(tmp_path) == [5, 9_999_999, 10_000_000]
    assert checkpoint_steps(tmp_path / "nowhere") == []


def test_a_checkpoint_that_fails_half_way_is_not_there_and_leaves_nothing(tmp_path: Path) -> None:
    made(tmp_path, 5)
    with pytest.raises(OSError, match="no space left"):
        publish_checkpoint(tmp_path, TrainingState(step=10), failing, tmp_path)
    assert checkpoint_steps(tmp_path) == [5]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-0000005"]


def test_a_checkpoint_can_be_made_again(tmp_path: Path) -> None:
    made(tmp_path, 5)
    publish_checkpoint(tmp_path, TrainingState(step=5, bad_steps=3), tensors, tmp_path)
    assert read_state(tmp_path, 5).bad_steps == 3
    assert checkpoint_steps(tmp_path) == [5]


def test_drafts_of_killed_runs_go_with_the_old_checkpoints_and_nothing_else(tmp_path: Path) -> None:
    state = made(tmp_path, 5)
    drafts = [tmp_path / "checkpoints/.checkpoint-0000010.0a1b.draft", tmp_path / "checkpoints/mine"]
    for draft in drafts:
        draft.mkdir()
        tensors(draft)
    remove_old_checkpoints(tmp_path, state, keep=1)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["checkpoint-0000005", "mine"]


@given(
    st.lists(st.integers(1, 30), unique=True, min_size=1, max_size=6),
    st.integers(1, 7),
    st.none() | st.integers(1, 30),
)
def test_the_latest_and_the_best_are_kept(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], keep: int, best: int | None
) -> None:
    folder = tmp_path_factory.mktemp("out")
    state = made(folder, *steps, best=best)
    remove_old_checkpoints(folder, state, keep)
    assert checkpoint_steps(folder) == [step for step in sorted(steps) if step in sorted(steps)[-keep:] or step == best]


@given(evaluations)
def test_the_best_has_the_highest_f1_and_is_the_earliest_of_equals(judged: list[Evaluation]) -> None:
    best = TrainingState(evaluations=tuple(judged)).best
    if best is None:
        assert judged == []
        return
    assert all(each.f1 <= best.f1 for each in judged)
    assert all(each.step >= best.step for each in judged if each.f1 == best.f1)


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b"{", b"\xff", b'{"step": "many"}', b'{"step": 5, "bad_rows": 3}']
)
def test_a_state_that_cannot_be_understood_is_named_with_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    made(tmp_path, 5)
    state = checkpoint_path(tmp_path, 5) / "state.json"
    state.unlink()
    if content is not None:
        state.write_bytes(content)
    with pytest.raises(OutputError) as caught:
        read_state(tmp_path, 5)
    (line,) = caught.value.problems
    assert line.startswith(f"{state} must be the state of a checkpoint, but is not (")
    assert line.endswith("; remove its folder to go on from an earlier one")
    assert "\n" not in line
