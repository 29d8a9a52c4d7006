"""An output of annotate as other commands see it: its parts, whether all of them are there, and what made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray_qa.data.parts import part_numbers, part_path
from ray_qa.data.row_forms import ALL, form_of, has_suffix
from ray_qa.errors import InputError
from ray_qa.records import Question
from ray_qa.runs.output_folder import PLAN, RUN
from ray_qa.storage import places
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedOutput:
    """What an annotate run is making or has made; or a rescore run, of what one has made."""

    folder: Place
    command: str
    """That makes it: annotate, or rescore, which gives rows other outcomes."""
    parts: tuple[Place, ...]
    """Those that are there, in input order."""
    numbers: tuple[int, ...]
    """Theirs."""
    units: int
    """How many parts it is to have."""
    is_finished: bool
    settings: Mapping[str, Any]
    """What decided the rows: the names of columns among it."""
    asks_a_set: bool
    """Whether every context was asked the same questions, which do not stand in the input."""
    weights_sha256: str
    inputs: tuple[str, ...]
    """What was read, as its owner knows it: Parquet files, and the sources of rows that were brought into Parquet."""
    rescored_from: str | None
    """The output whose rows these are, if they were rescored."""
    questions: tuple[Question, ...]
    """What every row of them was asked, if that did not stand in the rows."""

    @property
    def wide(self) -> tuple[Question, ...]:
        """The questions whose answers are a column each, where the output is such."""
        return self.questions if self.settings.get("wide") else ()

    @property
    def unfinished(self) -> str | None:
        """What is missing, in words, where something is."""
        if self.is_finished:
            return None
        there = f"{self.folder} has {len(self.parts):,} of {self.units:,} parts"
        return f"{there}; run the same {self.command} command again for the rest"


def annotated_output(folder: Place) -> AnnotatedOutput | None:
    """The output of annotate that lies in a folder, if one does.

    Raises:
        StorageError: if its bucket cannot be reached.
    """
    try:
        plan = json.loads(places.read(folder / PLAN))
        command = str(plan.get("command", "ray-qa annotate")).removeprefix("ray-qa ")
        units = len(plan["units"])
        settings, weights = dict(plan["settings"]), str(plan["weights_sha256"])
        inputs = tuple(dict.fromkeys(str(file.get("source") or file["path"]) for file in plan["input"]))
        parent = plan.get("parent") or {}
        questions = tuple(Question(**each) for each in plan.get("questions", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    numbers = part_numbers(folder)
    return AnnotatedOutput(
        folder=folder,
        command=command,
        parts=tuple(part_path(folder, number) for number in sorted(numbers)),
        numbers=tuple(sorted(numbers)),
        units=units,
        is_finished=numbers == set(range(units)) and places.exists(folder / SUCCESS),
        settings=settings,
        asks_a_set=bool(plan.get("questions")),
        weights_sha256=weights,
        inputs=inputs,
        rescored_from=parent.get("output"),
        questions=questions,
    )


def instead_of_output(place: Place) -> str:
    """What a place is that holds no output of annotate, in words, so that its owner knows what to do."""
    is_file = place.is_file() if isinstance(place, Path) else places.exists(place)
    if not is_file and not (place.is_dir() if isinstance(place, Path) else places.names_in(place)):
        return "is not there"
    if is_file:
        is_table = has_suffix(place.name, ALL) and form_of(place.name).form != "json"
        kind = "a table of rows" if is_table else "a file"
        return f"is {kind}; give the folder that annotate wrote"
    return "has no plan of annotate"


def model_used(output: AnnotatedOutput) -> str:
    """The model as the last command named it; its weights' digest where none has come to its end.

    Raises:
        InputError: if ``run.json`` is none of ours.
        StorageError: if its bucket cannot be reached.
    """
    path = output.folder / RUN
    try:
        return str(json.loads(places.read(path))["settings"]["model"])
    except FileNotFoundError:
        return output.weights_sha256[:12]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} must be a run.json of ray-qa, but is not") from error
