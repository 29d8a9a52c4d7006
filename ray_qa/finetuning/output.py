"""The output folder of finetune: an ordinary model folder, and what lets a run resume or refuse.

model.safetensors, config.json, tokenizer files, README.md, metrics.jsonl, learning_curve.png
ray_qa.json              where calibrate has put one: see ray_qa.reader.calibration
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
from typing import Any, overload

from pydantic import TypeAdapter

from ray_qa.data.examples import ExamplesSummary
from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import CHECKPOINTS
from ray_qa.finetuning.tracking.metrics_log import METRICS
from ray_qa.reader.calibration import CALIBRATION_FILE
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
from ray_qa.storage import objects, places
from ray_qa.storage.listing import Entry
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place, Remote
from ray_qa.storage.scratch import copies_once, objects_in

PROGRAM = "ray-qa finetune"
ALGORITHM = 2
"""Goes up when the same rows, base and settings lead to another model than before."""
TRAIN_ROWS, EVAL_ROWS, SHARDS = f"{OURS}/train.parquet", f"{OURS}/eval.parquet", f"{OURS}/train"
RAY_TRAIN, EXPORT = f"{OURS}/ray_train", f"{OURS}/export"
BEAT = f"{OURS}/beat.json"
WHILE_TRAINING = (TRAIN_ROWS, EVAL_ROWS, SHARDS, RAY_TRAIN, EXPORT, BEAT, OWNER)
EXPORTED = f"{OURS}/exported.txt"
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


def check_output(folder: Place) -> None:
    """Refuse a folder that holds anything but a finetune run. Touches nothing.

    Raises:
        OutputError: naming the first foreign thing.
    """
    check_output_folder(folder, PROGRAM, _may_be_ours)


def _may_be_ours(entry: Entry) -> bool:
    return not entry.name.startswith("part-")  # annotate's, which has a plan of its own there


def clear_output(folder: Place) -> None:
    """Remove what finetune wrote, and nothing else."""
    ours = [folder / name for name in (METRICS, CARD, CURVE, CALIBRATION_FILE, *_exported(folder))]
    if isinstance(folder, Remote):
        below = (f"{CHECKPOINTS}/checkpoint-", f"{TENSORBOARD}/events.out.tfevents.")
        found = [each.place for name in (CHECKPOINTS, TENSORBOARD) for each in objects.list_below(folder / name)]
        ours += [place for place in found if str(place).startswith(tuple(f"{folder}/{name}" for name in below))]
        clear_output_folder(folder, ours)
        return
    patterns = (
        f"{TENSORBOARD}/events.out.tfevents.*",
        f"{CHECKPOINTS}/checkpoint-*",
        f"{CHECKPOINTS}/.checkpoint-*.draft",
    )
    clear_output_folder(folder, [*ours, *(path for pattern in patterns for path in folder.glob(pattern))])
    for name in (TENSORBOARD, CHECKPOINTS):
        with suppress(OSError):  # not there, or the user keeps something in it
            (folder / name).rmdir()


def read_plan(folder: Place) -> TrainingPlan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
    """
    return read_plan_file(folder / PLAN, _PLAN_JSON, PROGRAM)


def join_plan(folder: Place, plan: TrainingPlan) -> None:
    """Make ``plan`` the folder's, or find it equal to the one that is there.

    Raises:
        OutputError: if the folder is being made with another model, data or settings; all differences are named.
    """
    join_plan_file(folder / PLAN, _PLAN_JSON, plan, PROGRAM, "data", _differences)


def begin_again(folder: Place, plan: TrainingPlan, why: str) -> None:
    """Make a finished run an unfinished one with a plan that has grown; its model stays until there is another."""
    places.publish(folder / EXTENSIONS, json.dumps([*extensions(folder), why]).encode())
    places.delete([folder / SUCCESS])
    places.publish(folder / PLAN, _PLAN_JSON.dump_json(plan))


def extensions(folder: Place) -> tuple[str, ...]:
    """How the run was extended, each time in a line."""
    try:
        return tuple(json.loads(places.read(folder / EXTENSIONS)))
    except FileNotFoundError:
        return ()


def check_joins(folder: Place, earlier: TrainingPlan, wanted: TrainingPlan, unsettled: Collection[str] = ()) -> None:
    """Check that ``wanted`` can go on with a folder's plan; settings that are ``unsettled`` are as that has them.

    Raises:
        OutputError: naming all differences.
    """
    settings = settled(wanted.settings, earlier.settings, unsettled)
    check_same_plan(folder, "data", _differences(earlier, replace(wanted, settings=settings)))


def check_output_is_here(folder: Place) -> None:
    """Check, on a worker, that the output is the folder that the driver sees.

    Raises:
        OutputError: if it is not.
    """
    if not places.exists(folder / TRAIN_ROWS):
        raise OutputError(
            f"`output` must be the same folder on every node, but {folder} is not on {os.uname().nodename}; "
            "name one that all nodes share"
        )


@overload
def shard_path(folder: Path, number: int) -> Path: ...


@overload
def shard_path(folder: Remote, number: int) -> Remote: ...


def shard_path(folder: Place, number: int) -> Place:
    """Where the encoded rows of a row group of the training rows lie."""
    return folder / SHARDS / f"{number:07d}.arrow"


def shards_here(folder: Place, scratch: Path) -> list[Path]:
    """All shards that are there, in order, as files of this node; those of a bucket are fetched once for all workers.

    Raises:
        OutputError: if the scratch folder cannot be written to.
        StorageError: if they cannot be fetched.
    """
    if isinstance(folder, Remote):
        folder = copies_once(objects_in(folder / SHARDS, ".arrow"), scratch)
        return sorted(folder.glob("*.arrow"))
    return sorted((folder / SHARDS).glob("*.arrow"))


def finish(folder: Place, run_json: bytes) -> None:
    """Write down what was done, and that all of it is; what only training needed goes."""
    finish_output_folder(folder, run_json)
    remove_leftovers(folder)


def remove_leftovers(folder: Place) -> None:
    """Remove what only training needed, and what killed commands left of it."""
    ours = [folder / name for name in WHILE_TRAINING]
    if isinstance(folder, Remote):
        below = [each.place for name in (SHARDS, RAY_TRAIN) for each in objects.list_below(folder / name)]
        places.delete([*ours, *below])
        return
    for path in [*ours, *(folder / OURS).glob(".*.draft")]:
        if isinstance(path, Path):
            remove(path)


def publish_export(folder: Place, export: Path) -> None:
    """Put the files of an exported model into the output folder's root, the weights last.

    A calibration that lies there is that of the model before, and goes.

    Args:
        folder: the output folder.
        export: the folder with the files, which may be gone then.

    Raises:
        OSError, StorageError: if the output cannot be written to.
    """
    names = sorted((path.name for path in export.iterdir()), key=lambda name: name.endswith(".safetensors"))
    places.publish(folder / EXPORTED, "\n".join(names).encode())
    places.delete([folder / CALIBRATION_FILE])
    for name in names:
        place = folder / name
        if isinstance(place, Remote):
            objects.upload(place, export / name)
        else:
            (export / name).replace(place)


def _exported(folder: Place) -> list[str]:
    try:
        return places.read(folder / EXPORTED).decode().split("\n")
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
