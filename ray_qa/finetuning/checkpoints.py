"""Checkpoints of a training run: folders that appear whole, oldest removed, the best one kept.

checkpoints/checkpoint-0000500/
    model.safetensors       the weights, float32
    optimizer.safetensors   AdamW's moments, by parameter
    state.json              everything else that decides how the run goes on
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ray_qa.errors import OutputError, first_line
from ray_qa.storage.local import draft_of, remove_folder

CHECKPOINT = re.compile(r"checkpoint-(\d{7,})")
CHECKPOINTS = "checkpoints"
WEIGHTS, MOMENTS, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How good the model was after a step, in percent."""

    step: int
    exact: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroupShape:
    """What a process group is, as far as it decides how sums are rounded."""

    workers: int
    device: str
    dtype: str
    threads: int
    """Torch's own in each worker; 0 on a GPU, where they do not matter."""

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s'[: self.threads != 1]} each" if self.threads else ""
        return f"{self.workers} worker{'s'[: self.workers != 1]} on {self.device} in {self.dtype}{threads}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Where a run stands after ``step`` steps.

    Order, drawn answers, dropout and learning rate follow from the seed and the step, so the step stands for them.
    ``loss_sum`` and ``logged_windows`` are of the steps since the last line of the log.
    """

    step: int = 0
    bad_steps: int = 0
    bad_rows: tuple[int, ...] = ()
    """Numbers of the rows whose loss was not finite."""
    loss_sum: float = 0.0
    logged_windows: int = 0
    gradient_norm: float = 0.0
    """Of the last step that changed the weights, before clipping."""
    scaler: dict[str, Any] = field(default_factory=dict)
    evaluations: tuple[Evaluation, ...] = ()
    teams: tuple[ProcessGroupShape, ...] = ()
    """Who has trained, one after the other; groups of one shape that follow each other count once."""

    def carried_on_by(self, group: ProcessGroupShape) -> TrainingState:
        """The same, with ``group`` as the latest to train."""
        return self if self.teams[-1:] == (group,) else replace(self, teams=(*self.teams, group))

    @property
    def best(self) -> Evaluation | None:
        """The evaluation with the highest F1, the earliest of equals."""
        return max(self.evaluations, key=lambda each: (each.f1, -each.step), default=None)


_STATE_JSON: TypeAdapter[TrainingState] = TypeAdapter(TrainingState)


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` steps lies in the output folder."""
    return folder / CHECKPOINTS / f"checkpoint-{step:07d}"


def checkpoint_steps(folder: Path) -> list[int]:
    """After which steps there are checkpoints, in order."""
    there = (folder / CHECKPOINTS).glob("checkpoint-*")
    matches = (CHECKPOINT.fullmatch(path.name) for path in there)
    return sorted(int(match[1]) for match in matches if match)


def publish_checkpoint(folder: Path, state: TrainingState, save_tensors: Callable[[Path], None]) -> None:
    """Make a checkpoint in one step.

    Args:
        folder: the output folder.
        state: goes into ``state.json``.
        save_tensors: writes ``model.safetensors`` and ``optimizer.safetensors`` into the folder it is given.
    """
    path = checkpoint_path(folder, state.step)
    path.parent.mkdir(exist_ok=True)
    remove_folder(path)
    with draft_of(path) as draft:
        draft.mkdir()
        save_tensors(draft)
        (draft / STATE).write_bytes(_STATE_JSON.dump_json(state, indent=1))


def remove_old_checkpoints(folder: Path, state: TrainingState, keep: int) -> None:
    """Leave the latest ``keep`` checkpoints and the best one; drafts of killed runs go too."""
    steps = checkpoint_steps(folder)
    kept = {*steps[-keep:], state.best.step if state.best else -1}
    for step in steps:
        if step not in kept:
            remove_folder(checkpoint_path(folder, step))
    for draft in (folder / CHECKPOINTS).glob(".checkpoint-*.draft"):
        shutil.rmtree(draft, ignore_errors=True)


def read_state(folder: Path, step: int) -> TrainingState:
    """The state of a checkpoint.

    Raises:
        OutputError: if it cannot be understood.
    """
    path = checkpoint_path(folder, step) / STATE
    try:
        return _STATE_JSON.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise OutputError(
            f"{path} must be the state of a checkpoint, but is not ({first_line(error)}); remove its folder to go on "
            "from an earlier one"
        ) from error
