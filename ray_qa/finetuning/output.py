"""The output folder of finetune: an ordinary model folder, and what lets a run resume or refuse.

model.safetensors, config.json, tokenizer files, README.md, metrics.jsonl, learning_curve.png
checkpoints/             see ray_qa.finetuning.checkpoints
tensorboard/             event files, with --report-to tensorboard
_ray_qa/plan.json        the fingerprints of what the model is made with
_ray_qa/train.parquet    the training rows in one form; _ray_qa/train/ the same, encoded; gone when the run has ended
_ray_qa/mlflow_run_id    the run on MLflow's server that a resumed run continues
_ray_qa/run.json         what was done
_ray_qa/owner            the token of the workers of the command that is at work
.ray_qa.lock             held by that command
_SUCCESS                 written when all of it is there
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ray_qa.data.examples import ExamplesSummary
from ray_qa.errors import OutputError, first_line
from ray_qa.finetuning.checkpoints import FOLDER
from ray_qa.finetuning.tracking.metrics_log import METRICS
from ray_qa.runs.plan_files import different_digests, different_settings, join_plan_file, read_plan_file
from ray_qa.settings import FinetuneConfig
from ray_qa.storage.local import publish

PROGRAM = "ray-qa finetune"
OURS = "_ray_qa"
PLAN, RUN, SUCCESS = f"{OURS}/plan.json", f"{OURS}/run.json", "_SUCCESS"
TRAIN_ROWS, EVAL_ROWS, SHARDS = f"{OURS}/train.parquet", f"{OURS}/eval.parquet", f"{OURS}/train"
RAY_TRAIN, EXPORT = f"{OURS}/ray_train", f"{OURS}/export"
OWNER = f"{OURS}/owner"
LOCK = ".ray_qa.lock"
"""Beside our folder, not in it: clearing an output must not let go of it."""
WHILE_TRAINING = (TRAIN_ROWS, EVAL_ROWS, SHARDS, RAY_TRAIN, EXPORT, OWNER)
CARD, CURVE, TENSORBOARD = "README.md", "learning_curve.png", "tensorboard"

FREE = frozenset(
    {
        "batch_tokens", "cpus_per_worker", "eval", "gpus_per_worker", "gradient_checkpointing", "keep_checkpoints",
        "max_bad_steps", "model", "output", "overwrite", "ray_address", "report_to", "save_every", "train", "workers",
    }
)  # fmt: skip
"""Settings that decide nothing of what is learnt but its rounding, or that the fingerprints stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """All that decides what a run will learn."""

    settings: dict[str, Any]
    weights_sha256: str
    tokenizer_sha256: str
    train: ExamplesSummary
    eval: ExamplesSummary | None


_PLAN_JSON: TypeAdapter[TrainingPlan] = TypeAdapter(TrainingPlan)


def identity_settings(config: FinetuneConfig) -> dict[str, Any]:
    """The settings a run must share with the one it resumes."""
    return config.model_dump(mode="json", exclude=set(FREE))


def check_output(folder: Path) -> None:
    """Refuse a folder that holds anything but a finetune run. Touches nothing.

    Raises:
        OutputError: naming the first foreign thing.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`output` must be a folder, but {folder} is a file")
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if (folder / PLAN).exists():
        foreign = [name for name in names if name.startswith("part-")]  # annotate's, which has a plan of its own there
    else:
        foreign = [name for name in names if not name.startswith(".") and name != OURS]
    if foreign:
        raise OutputError(
            f"`output` must be a new folder, an empty one, or one that ray-qa finetune made, but {folder} holds "
            f"{foreign[0]!r}; name another"
        )


def clear_output(folder: Path) -> None:
    """Remove what finetune wrote, and nothing else; the plan goes last, so that a killed clearing can be repeated."""
    for name in (SUCCESS, METRICS, CARD, CURVE, *_exported(folder)):
        (folder / name).unlink(missing_ok=True)
    for pattern in (f"{TENSORBOARD}/events.out.tfevents.*", f"{FOLDER}/checkpoint-*", f"{FOLDER}/.checkpoint-*.draft"):
        for path in folder.glob(pattern):
            _remove(path)
    for name in (TENSORBOARD, FOLDER):
        with suppress(OSError):  # not there, or the user keeps something in it
            (folder / name).rmdir()
    for path in (folder / OURS).glob("*"):
        if path != folder / PLAN:
            _remove(path)
    shutil.rmtree(folder / OURS, ignore_errors=True)


def read_plan(folder: Path) -> TrainingPlan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
    """
    return read_plan_file(folder / PLAN, _PLAN_JSON, PROGRAM)


def join_plan(folder: Path, plan: TrainingPlan) -> None:
    """Make ``plan`` the folder's, or find it equal to the one that is there.

    Raises:
        OutputError: if the folder is being made with another model, data or settings; all differences are named.
    """
    join_plan_file(folder / PLAN, _PLAN_JSON, plan, PROGRAM, "data", _differences)


def check_output_is_here(folder: Path) -> None:
    """Check, on a worker, that the output is the folder that the driver sees.

    Raises:
        OutputError: if it is not.
    """
    if not (folder / TRAIN_ROWS).exists():
        raise OutputError(
            f"`output` must be the same folder on every node, but {folder} is not on {os.uname().nodename}; "
            "name one that all nodes share"
        )


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other commands out of an output while the block runs; the system lets go of it when the process dies.

    Raises:
        OutputError: if another command is at work there.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"`output` must be one command's at a time, but another is training in {folder}; wait for it to end"
            ) from error
        except OSError:
            pass  # a file system without locks
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def take_over(folder: Path) -> str:
    """Make the command that calls this the output's owner; gives the token its workers show."""
    owner = uuid.uuid4().hex
    publish(folder / OWNER, owner.encode())
    return owner


def check_owner(folder: Path, owner: str) -> None:
    """Check, on a worker, that no later command has taken the output over: workers outlive a killed driver by seconds.

    Raises:
        OutputError: if one has.
    """
    try:
        there = (folder / OWNER).read_text() if owner else ""
    except FileNotFoundError:
        there = "nobody's"
    if there != owner:
        raise OutputError(f"`output` must be one command's at a time, but another has taken {folder} over")


def shard_path(folder: Path, number: int) -> Path:
    """Where the encoded rows of a row group of the training rows lie."""
    return folder / SHARDS / f"{number:07d}.arrow"


def shard_paths(folder: Path) -> list[Path]:
    """All shards that are there, in order."""
    return sorted((folder / SHARDS).glob("*.arrow"))


def finish(folder: Path, run_json: bytes) -> None:
    """Write down what was done, and that all of it is; what only training needed goes."""
    publish(folder / RUN, run_json)
    publish(folder / SUCCESS, b"")
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what only training needed, and what killed commands left of it."""
    for path in [*(folder / name for name in WHILE_TRAINING), *(folder / OURS).glob(".*.draft")]:
        _remove(path)


def publish_export(folder: Path) -> None:
    """Move the exported model into the output folder's root, the weights last."""
    names = sorted((path.name for path in (folder / EXPORT).iterdir()), key=lambda name: name.endswith(".safetensors"))
    publish(folder / OURS / "exported.txt", "\n".join(names).encode())
    for name in names:
        (folder / EXPORT / name).replace(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exported(folder: Path) -> list[str]:
    try:
        return (folder / OURS / "exported.txt").read_text().split("\n")
    except FileNotFoundError:
        return []


def _differences(earlier: TrainingPlan, now: TrainingPlan) -> Iterator[str]:
    yield from different_digests("the base model's weights", earlier.weights_sha256, now.weights_sha256)
    yield from different_digests("the tokenizer", earlier.tokenizer_sha256, now.tokenizer_sha256)
    for name in ("train", "eval"):
        there, here = getattr(earlier, name), getattr(now, name)
        if there != here:
            yield f"the rows of `{name}` ({_shown(there)} there, {_shown(here)} now)"
    yield from different_settings(earlier.settings, now.settings)


def _shown(rows: ExamplesSummary | None) -> str:
    return f"{rows.rows:,} rows, {rows.sha256[:12]}" if rows else "none"
