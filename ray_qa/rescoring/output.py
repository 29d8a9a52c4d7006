"""The output folder of rescore: parts as annotate's, one to one, and a plan that names the output they come from.

part-0000000.parquet …   under the numbers of the input's parts
and what every output has: see ray_qa.runs.output_folder

It is read as an output of annotate: the plan has the same keys, its settings with the new threshold.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ray_qa.data.parts import PART
from ray_qa.errors import OutputError
from ray_qa.rescoring.chosen import Chosen
from ray_qa.runs.annotated_rows import Source
from ray_qa.runs.output_folder import PLAN, check_output_folder, clear_output_folder, planned_by
from ray_qa.runs.plan_files import (
    different_algorithms,
    different_digests,
    different_settings,
    join_plan_file,
    read_plan_file,
)
from ray_qa.storage import places
from ray_qa.storage.listing import Entry
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place, Remote

PROGRAM = "ray-qa rescore"
ALGORITHM = 1
"""Goes up when the same parts come out otherwise than before."""
DRAFT = re.compile(rf"\.{PART.pattern}\.[0-9a-f]{{32}}\.draft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The output that was rescored."""

    output: str
    plan: str
    """The digest that its parts carry."""
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to do; where the keys are those of annotate's plan, so are the meanings."""

    command: str = PROGRAM
    algorithm: int
    settings: dict[str, Any]
    parent: Parent
    weights_sha256: str
    tokenizer_sha256: str
    input: tuple[dict[str, Any], ...]
    questions: tuple[dict[str, str], ...]
    units: tuple[dict[str, Any], ...]


_PLAN_JSON: TypeAdapter[Plan] = TypeAdapter(Plan)


def plan_of(source: Source, chosen: Chosen) -> Plan:
    """What is to be done with an output, given what is chosen."""
    output = source.output
    there = json.loads(places.read(output.folder / PLAN))
    return Plan(
        algorithm=ALGORITHM,
        settings={**output.settings, **chosen.as_settings()},
        parent=Parent(output=str(output.folder), plan=source.plan, settings=dict(output.settings)),
        weights_sha256=output.weights_sha256,
        tokenizer_sha256=str(there.get("tokenizer_sha256", "")),
        input=tuple(there["input"]),
        questions=tuple(there.get("questions", ())),
        units=tuple(there["units"]),
    )


def plan_digest(plan: Plan) -> str:
    """What stands for a plan in its parts: all that decides what they hold, wherever the input lies."""
    content = [plan.algorithm, plan.parent.plan, plan.settings]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_output(folder: Place, parent: Place) -> None:
    """Refuse a folder that holds anything rescore did not write, and one that lies in the input or around it.

    Raises:
        OutputError: saying which.
        StorageError: if its bucket cannot be listed.
    """
    if _within(folder, parent) or _within(parent, folder):
        raise OutputError(f"`output` must lie outside `input`, but is {folder}, and `input` {parent}")
    if planned_by(folder) not in (None, PROGRAM):  # annotate's plans do not say whose they are
        raise OutputError(
            f"`output` must be a new folder, an empty one, or one that {PROGRAM} made, but {folder} is another "
            "command's; name another"
        )
    check_output_folder(folder, PROGRAM, _may_be_ours)


def clear_output(folder: Place) -> None:
    """Remove what rescore wrote, and nothing else."""
    names = places.names_in(folder)
    clear_output_folder(folder, [folder / name for name in names if PART.fullmatch(name) or DRAFT.fullmatch(name)])


def join_plan(folder: Place, plan: Plan) -> None:
    """Make ``plan`` the folder's, or join the equal one that is there.

    Raises:
        OutputError: if the folder is being made from another input or by another threshold; all differences are named.
    """
    join_plan_file(folder / PLAN, _PLAN_JSON, plan, PROGRAM, "input", _differences)


def read_plan(folder: Place) -> Plan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
    """
    return read_plan_file(folder / PLAN, _PLAN_JSON, PROGRAM)


def remove_drafts(folder: Place) -> None:
    """Remove what killed runs have left of parts that they were writing; buckets have no half objects."""
    if isinstance(folder, Path):
        places.delete(path for path in folder.glob(".part-*.draft") if DRAFT.fullmatch(path.name))


def _may_be_ours(entry: Entry) -> bool:
    return entry.is_file and (entry.name == SUCCESS or PART.fullmatch(entry.name) is not None)


def _within(place: Place, folder: Place) -> bool:
    if isinstance(place, Remote) or isinstance(folder, Remote):
        return str(place) == str(folder) or str(place).startswith(f"{folder}/")
    return place.resolve().is_relative_to(folder.resolve())


def _differences(earlier: Plan, now: Plan) -> Iterable[str]:
    yield from different_algorithms(earlier.algorithm, now.algorithm)
    yield from different_digests("the parts of the input", earlier.parent.plan, now.parent.plan)
    yield from different_settings(earlier.settings, now.settings)
