"""Checkpoints of a training run: folders that appear whole, oldest removed, the best one kept.

checkpoints/checkpoint-0000500/
    state.json              everything that decides how the run goes on, beside these:
    model.safetensors       the weights, float32
    optimizer.safetensors   AdamW's moments, by parameter

In a bucket each is one object, a tar file of these three: checkpoints/checkpoint-0000500.tar
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, overload

from pydantic import TypeAdapter, ValidationError

from ray_qa.errors import OutputError, first_line
from ray_qa.storage import objects, places
from ray_qa.storage.local import draft_of, remove_folder
from ray_qa.storage.remote import Place, Remote
from ray_qa.storage.scratch import copies_once

CHECKPOINT, PACKED = re.compile(r"checkpoint-(\d{7,})"), re.compile(r"checkpoint-(\d{7,})\.tar")
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


@overload
def checkpoint_path(folder: Path, step: int) -> Path: ...


@overload
def checkpoint_path(folder: Remote, step: int) -> Remote: ...


def checkpoint_path(folder: Place, step: int) -> Place:
    """Where the checkpoint after ``step`` steps lies in the output folder."""
    name = f"checkpoint-{step:07d}"
    return folder / CHECKPOINTS / (f"{name}.tar" if isinstance(folder, Remote) else name)


def checkpoint_steps(folder: Place) -> list[int]:
    """After which steps there are checkpoints, in order."""
    form = PACKED if isinstance(folder, Remote) else CHECKPOINT
    matches = (form.fullmatch(name) for name in places.names_in(folder / CHECKPOINTS))
    return sorted(int(match[1]) for match in matches if match)


def publish_checkpoint(
    folder: Place, state: TrainingState, save_tensors: Callable[[Path], None], scratch: Path
) -> None:
    """Make a checkpoint in one step.

    Args:
        folder: the output folder.
        state: goes into ``state.json``.
        save_tensors: writes ``model.safetensors`` and ``optimizer.safetensors`` into the folder it is given.
        scratch: a folder of this node, for one that goes to a bucket.

    Raises:
        OSError, StorageError: if the output cannot be written to.
    """
    path = checkpoint_path(folder, state.step)
    if isinstance(path, Remote):
        with TemporaryDirectory(dir=scratch) as temporary:
            draft, packed = Path(temporary) / "checkpoint", Path(temporary) / path.name
            draft.mkdir()
            _save(draft, state, save_tensors)
            with tarfile.open(packed, "w") as tar:
                for name in (STATE, WEIGHTS, MOMENTS):  # the state first: it can be read without the others
                    tar.add(draft / name, arcname=name)
                    (draft / name).unlink()
            objects.upload(path, packed)
        return
    path.parent.mkdir(exist_ok=True)
    remove_folder(path)
    with draft_of(path) as draft:
        draft.mkdir()
        _save(draft, state, save_tensors)


def _save(draft: Path, state: TrainingState, save_tensors: Callable[[Path], None]) -> None:
    save_tensors(draft)
    (draft / STATE).write_bytes(_STATE_JSON.dump_json(state, indent=1))


def remove_old_checkpoints(folder: Place, state: TrainingState, keep: int) -> None:
    """Leave the latest ``keep`` checkpoints and the best one; drafts of killed runs go too."""
    steps = checkpoint_steps(folder)
    kept = {*steps[-keep:], state.best.step if state.best else -1}
    for step in steps:
        if step not in kept:
            _remove(checkpoint_path(folder, step))
    if isinstance(folder, Path):
        for draft in (folder / CHECKPOINTS).glob(".checkpoint-*.draft"):
            shutil.rmtree(draft, ignore_errors=True)


def _remove(checkpoint: Place) -> None:
    if isinstance(checkpoint, Path):
        remove_folder(checkpoint)
    else:
        objects.delete([checkpoint])


def read_state(folder: Place, step: int) -> TrainingState:
    """The state of a checkpoint.

    Raises:
        OutputError: if it cannot be understood.
        StorageError: if its bucket cannot be reached.
    """
    path = checkpoint_path(folder, step)
    try:
        return _STATE_JSON.validate_json(_state_in(path))
    except (OSError, KeyError, tarfile.TarError, ValidationError) as error:
        state, whole = (path / STATE, "its folder") if isinstance(path, Path) else (path, "it")
        raise OutputError(
            f"{state} must be the state of a checkpoint, but is not ({first_line(error)}); remove {whole} to go on "
            "from an earlier one"
        ) from error


def _state_in(checkpoint: Place) -> bytes:
    if isinstance(checkpoint, Path):
        return (checkpoint / STATE).read_bytes()
    with places.open_input(checkpoint) as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
        member = tar.extractfile(STATE)
        return member.read() if member else b""


def checkpoint_here(folder: Place, step: int, scratch: Path) -> Path:
    """A checkpoint as a folder of this node; one of a bucket is fetched once for all workers there.

    Raises:
        OutputError: if it is no whole checkpoint, or the scratch folder cannot be written to.
        StorageError: if it cannot be fetched.
    """
    path = checkpoint_path(folder, step)
    if isinstance(path, Path):
        return path
    found = objects.look_for(path)
    if found is None:
        raise OutputError(f"{path} must be a checkpoint, but is gone; run the same command again")
    return copies_once([found], scratch, unpack=lambda draft: _unpack(path, draft))


def _unpack(path: Remote, folder: Path) -> None:
    packed = folder / path.name
    try:
        with tarfile.open(packed, "r:") as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise OutputError(
            f"{path} must be a whole checkpoint, but gives: {first_line(error)}; remove it to go on from an earlier one"
        ) from error
    packed.unlink()
