"""The output folder of annotate: its plan, its parts, and the marks that let a run resume or refuse.

part-0000000.parquet …   one per unit, in input order
README.md                where it is asked for: see ray_qa.annotation.card; a person's may lie there too
.ray_qa/attempts/        see ray_qa.annotation.attempts
and what every output has: see ray_qa.runs.output_folder
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ray_qa.annotation.attempts import forget_attempts
from ray_qa.data.parquet_files import InputFile
from ray_qa.data.parts import PART, versions_of
from ray_qa.data.units import Unit
from ray_qa.records import Question
from ray_qa.runs.cards import CARD, is_our_card
from ray_qa.runs.output_folder import (
    PLAN,
    check_output_folder,
    clear_output_folder,
    finish_output_folder,
)
from ray_qa.runs.plan_files import (
    check_same_plan,
    different_algorithms,
    different_digests,
    different_input,
    different_settings,
    join_plan_file,
    read_plan_file,
    settled,
)
from ray_qa.storage import places
from ray_qa.storage.listing import Entry
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place

DRAFT = re.compile(rf"\.{PART.pattern}\.[0-9a-f]{{32}}\.draft")
PROGRAM = "ray-qa"
ALGORITHM = 2
"""Goes up when the same rows, model and settings come out otherwise than before."""
CONFIDENCE = "confidence"
CHOICE = ("limit", "sample", "seed")
"""Settings that say which rows of the input are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to do: the units, and all that decides what their parts will hold."""

    algorithm: int
    settings: dict[str, Any]
    weights_sha256: str
    tokenizer_sha256: str
    input: tuple[InputFile, ...]
    input_schema: str
    """What the rows are read in, as :func:`ray_qa.data.schemas.schema_as_text` has it."""
    units: tuple[Unit, ...]
    questions: tuple[Question, ...] = ()
    """What every row is asked, if that does not stand in the rows."""
    int8: str | None = None
    """What int8 came to, in words, where that is the arithmetic: not the same on all CPUs."""

    @property
    def asked(self) -> int:
        """How many questions every row is asked, and so what its rows come to: units count those of the input."""
        return max(1, len(self.questions))


_PLAN_JSON: TypeAdapter[Plan] = TypeAdapter(Plan)


def check_output(folder: Place) -> dict[int, str]:
    """Refuse a folder that holds anything an annotate run did not write. Touches nothing.

    Gives the parts that it holds, as :func:`ray_qa.data.parts.part_versions` has them.

    Raises:
        OutputError: naming the first foreign thing.
    """
    return versions_of(check_output_folder(folder, "ray-qa annotate", _may_be_ours))


def _may_be_ours(entry: Entry) -> bool:
    return entry.is_file and (entry.name in (SUCCESS, CARD) or PART.fullmatch(entry.name) is not None)


def clear_output(folder: Place) -> None:
    """Remove what annotate wrote, and nothing else."""
    names = places.names_in(folder)
    published = [folder / name for name in names if PART.fullmatch(name) or DRAFT.fullmatch(name)]
    if CARD in names and is_our_card(folder / CARD):
        published.append(folder / CARD)
    clear_output_folder(folder, published)


def read_plan(folder: Place) -> Plan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
    """
    return read_plan_file(folder / PLAN, _PLAN_JSON, PROGRAM)


def join_plan(folder: Place, plan: Plan) -> Plan:
    """Make ``plan`` the folder's, or join the equal one that is there.

    Raises:
        OutputError: if the folder is being made with another model, input or settings; all differences are named.
    """
    return join_plan_file(folder / PLAN, _PLAN_JSON, plan, PROGRAM, "input", _differences)


def check_joins(folder: Place, earlier: Plan, wanted: Plan, unsettled: Collection[str] = ()) -> None:
    """Check that ``wanted`` can go on with a folder's plan; settings that are ``unsettled`` are as that has them.

    Raises:
        OutputError: naming all differences.
    """
    settings = settled(wanted.settings, earlier.settings, unsettled)
    check_same_plan(folder, "input", _differences(earlier, replace(wanted, settings=settings, int8=earlier.int8)))


def plan_digest(plan: Plan) -> str:
    """What stands for a plan in its parts and its claim: all that decides what they hold, wherever the input lies."""
    content = replace(plan, input=tuple(replace(file, path="", mtime_ns=0) for file in plan.input))
    digested = _PLAN_JSON.dump_json(content, exclude={"input": {"__all__": {"version", "source"}}})
    return hashlib.sha256(digested).hexdigest()


def remove_drafts(folder: Place) -> None:
    """Remove what killed replicas have left of parts that they were writing; buckets have no half objects."""
    if isinstance(folder, Path):
        places.delete([path for path in folder.glob(".part-*.draft") if DRAFT.fullmatch(path.name)])


def finish(folder: Place, run_json: bytes) -> None:
    """Write down what was done, and that all of it is."""
    forget_attempts(folder)
    finish_output_folder(folder, run_json)


def fingerprints(plan: Plan) -> dict[str, Any]:
    """What the parts of a plan are made with, for ``run.json``."""
    return {
        "algorithm": plan.algorithm,
        "weights_sha256": plan.weights_sha256,
        "tokenizer_sha256": plan.tokenizer_sha256,
        "settings": plan.settings,
        "input": [asdict(file) for file in plan.input],
    }


def _differences(earlier: Plan, now: Plan) -> Iterable[str]:
    yield from different_algorithms(earlier.algorithm, now.algorithm)
    yield from different_digests("the model's weights", earlier.weights_sha256, now.weights_sha256)
    yield from different_digests("the tokenizer", earlier.tokenizer_sha256, now.tokenizer_sha256)
    yield from _different_settings(earlier.settings, now.settings)
    if earlier.questions != now.questions:
        yield f"the questions ({len(earlier.questions):,} there, {len(now.questions):,} now, not the same)"
    if earlier.int8 != now.int8:
        yield f"what int8 is ({earlier.int8} there, {now.int8} now)"
    # What is no Parquet is brought into it as far as it is wanted: another part of it is another file.
    if all(earlier.settings.get(name) == now.settings.get(name) for name in CHOICE):
        yield from different_input(_by_name(earlier.input), _by_name(now.input))


def _different_settings(there: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """As :func:`different_settings`, but for the numbers that confidence is calibrated by, in words."""
    yield from different_settings(_without_confidence(there), _without_confidence(now))
    ours, theirs = there.get(CONFIDENCE), now.get(CONFIDENCE)
    if ours == theirs:
        return
    if ours is None:
        yield "`confidence` (raw there, calibrated now; --answer-calibration none goes on with the raw one)"
    else:
        yield f"`confidence` (calibrated there, {'raw' if theirs is None else 'and in another way'} now)"


def _without_confidence(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != CONFIDENCE}


def _by_name(files: Iterable[InputFile]) -> dict[str, tuple[object, ...]]:
    """What tells files' content apart, by what their owner knows them by; all that was made of one source together."""
    content: dict[str, tuple[object, ...]] = {}
    for file in files:
        content[file.said] = (*content.get(file.said, ()), file.size, file.footer_sha256, file.partitions)
    return content
