"""The output folder of finetune: an ordinary model folder, and what lets a run resume or refuse.

model.safetensors, config.json, tokenizer files, README.md, metrics.jsonl, learning_curve.png
checkpoints/             see ray_qa.finetuning.checkpoints
tensorboard/             event files, with --report-to tensorboard
.ray_qa/train.parquet    the training rows in one form; .ray_qa/train/ the same, encoded; gone when the run has ended
.ray_qa/beat.json        how far the run is, for the live line; gone when it has ended
.ray_qa/extensions.json  how a finished run was trained further
.ray_qa/mlflow_run_id    the run on MLflow's server that a resumed run continues
.ray_qa/owner, .ray_qa.lock   see ray_qa.runs.ownership
and what every output has: see ray_qa.runs.output_folder
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ray_qa.data.examples import ExamplesSummary
from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import CHECKPOINTS
from ray_qa.finetuning.tracking.metrics_log import METRICS
from ray_qa.runs.output_folder import (
    OURS,
    PLAN,
    check_output_folder,
    clear_output_folder,
    finish_output_folder,
    remove,
)
from ray_qa.runs.ownership import OWNER
from ray_qa.runs.plan_files import (
    check_same_plan,
    different_algorithms,
    different_digests,
    different_settings,
    join_plan_file,
    read_plan_file,
    settled,
)
from ray_qa.storage.local import SUCCESS, publish

PROGRAM = "ray-qa finetune"
ALGORITHM = 2
"""Goes up when the same rows, base and settings lead to another model than before."""
TRAIN_ROWS, EVAL_ROWS, SHARDS = f"{OURS}/train.parquet", f"{OURS}/eval.parquet", f"{OURS}/train"
RAY_TRAIN, EXPORT = f"{OURS}/ray_train", f"{OURS}/export"
BEAT = f"{OURS}/beat.json"
WHILE_TRAINING = (TRAIN_ROWS, EVAL_ROWS, SHARDS, RAY_TRAIN, EXPORT, BEAT, OWNER)
EXTENSIONS = f"{OURS}/extensions.json"
MLFLOW_RUN_ID = f"{OURS}/mlflow_run_id"
CARD, CURVE, TENSORBOARD = "README.md", "learning_curve.png", "tensorboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """All that decides what a run will learn."""

    algorithm: int
    settings: dict[str, Any]
    device: str | None
    """cpu or cuda; ``None`` until the workers are placed."""
    weights_sha256: str
    tokenizer_sha256: str
    train: ExamplesSummary
    eval: ExamplesSummary | None


_PLAN_JSON: TypeAdapter[TrainingPlan] = TypeAdapter(TrainingPlan)


def check_output(folder: Path) -> None:
    """Refuse a folder that holds anything but a finetune run. Touches nothing.

    Raises:
        OutputError: naming the first foreign thing.
    """
    # Parts are annotate's, which has a plan of its own there.
    check_output_folder(folder, PROGRAM, lambda path: not path.name.startswith("part-"))


def clear_output(folder: Path) -> None:
    """Remove what finetune wrote, and nothing else."""
    patterns = (
        f"{TENSORBOARD}/events.out.tfevents.*",
        f"{CHECKPOINTS}/checkpoint-*",
        f"{CHECKPOINTS}/.checkpoint-*.draft",
    )
    names = [METRICS, CARD, CURVE, *_exported(folder)]
    clear_output_folder(
        folder, [*(folder / name for name in names), *(path for pattern in patterns for path in folder.glob(pattern))]
    )
    for name in (TENSORBOARD, CHECKPOINTS):
        with suppress(OSError):  # not there, or the user keeps something in it
            (folder / name).rmdir()


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


def begin_again(folder: Path, plan: TrainingPlan, why: str) -> None:
    """Make a finished run an unfinished one with a plan that has grown; its model stays until there is another."""
    publish(folder / EXTENSIONS, json.dumps([*extensions(folder), why]).encode())
    (folder / SUCCESS).unlink(missing_ok=True)
    publish(folder / PLAN, _PLAN_JSON.dump_json(plan))


def extensions(folder: Path) -> tuple[str, ...]:
    """How the run was extended, each time in a line."""
    try:
        return tuple(json.loads((folder / EXTENSIONS).read_bytes()))
    except FileNotFoundError:
        return ()


def check_joins(folder: Path, earlier: TrainingPlan, wanted: TrainingPlan, unsettled: Collection[str] = ()) -> None:
    """Check that ``wanted`` can go on with a folder's plan; settings that are ``unsettled`` are as that has them.

    Raises:
        OutputError: naming all differences.
    """
    settings = settled(wanted.settings, earlier.settings, unsettled)
    check_same_plan(folder, "data", _differences(earlier, replace(wanted, settings=settings)))


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


def shard_path(folder: Path, number: int) -> Path:
    """Where the encoded rows of a row group of the training rows lie."""
    return folder / SHARDS / f"{number:07d}.arrow"


def shard_paths(folder: Path) -> list[Path]:
    """All shards that are there, in order."""
    return sorted((folder / SHARDS).glob("*.arrow"))


def finish(folder: Path, run_json: bytes) -> None:
    """Write down what was done, and that all of it is; what only training needed goes."""
    finish_output_folder(folder, run_json)
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what only training needed, and what killed commands left of it."""
    for path in [*(folder / name for name in WHILE_TRAINING), *(folder / OURS).glob(".*.draft")]:
        remove(path)


def publish_export(folder: Path) -> None:
    """Move the exported model into the output folder's root, the weights last."""
    names = sorted((path.name for path in (folder / EXPORT).iterdir()), key=lambda name: name.endswith(".safetensors"))
    publish(folder / OURS / "exported.txt", "\n".join(names).encode())
    for name in names:
        (folder / EXPORT / name).replace(folder / name)


def _exported(folder: Path) -> list[str]:
    try:
        return (folder / OURS / "exported.txt").read_text().split("\n")
    except FileNotFoundError:
        return []


def _differences(earlier: TrainingPlan, now: TrainingPlan) -> Iterator[str]:
    yield from different_algorithms(earlier.algorithm, now.algorithm)
    if now.device is not None and earlier.device != now.device:
        yield f"the device ({earlier.device} there, {now.device} now; see `gpus_per_worker`)"
    yield from different_digests("the base model's weights", earlier.weights_sha256, now.weights_sha256)
    yield from different_digests("the tokenizer", earlier.tokenizer_sha256, now.tokenizer_sha256)
    for name in ("train", "eval"):
        there, here = getattr(earlier, name), getattr(now, name)
        if there != here:
            yield f"the rows of `{name}` ({_shown(there)} there, {_shown(here)} now)"
    yield from different_settings(earlier.settings, now.settings)


def _shown(rows: ExamplesSummary | None) -> str:
    return f"{rows.rows:,} rows, {rows.sha256[:12]}" if rows else "none"
