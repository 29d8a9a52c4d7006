"""Tasks that people have reviewed in Label Studio, from its JSON export, as rows with gold answers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from reprlib import repr as short_repr
from typing import Any

from ray_qa.data.json_streams import items_of
from ray_qa.data.object_tables import BadRowError, ObjectRow
from ray_qa.data.unpacking import open_plain

_LOG = logging.getLogger(__name__)
LABELS = "answer"
"""What the regions are named after that are answers, as our labelling configuration has it."""
ID = "id"
JSON_MIN = {"annotation_id", "annotator", "lead_time"}
"""Keys that Label Studio adds to a task's own where it exports as JSON-MIN."""


def is_task(value: object) -> bool:
    """Whether an object is a task of Label Studio's JSON export."""
    return (
        isinstance(value, dict) and isinstance(value.get("annotations"), list) and isinstance(value.get("data"), dict)
    )


def instead_of_tasks(value: object) -> str | None:
    """What an object of Label Studio is that people's answers cannot be read from, and what to do; else ``None``."""
    if not isinstance(value, dict) or is_task(value):
        return None
    if isinstance(value.get("data"), dict) and isinstance(value.get("predictions"), list):
        return "has tasks that nobody has reviewed; review them in Label Studio, and export them as JSON"
    if value.keys() >= JSON_MIN:
        return "is Label Studio's JSON-MIN; export as JSON, which says where answers lie"
    return None


def has_tasks(path: str, setting: str) -> bool:
    """Whether a JSON file is a list of tasks."""
    try:
        with closing(open_plain(path, setting)) as stream:
            rows = items_of(stream)
            return rows is not None and is_task(next(rows, None))
    except (OSError, ValueError, RecursionError):
        return False


def reviewed_rows(tasks: Iterable[object], source: str) -> Iterator[ObjectRow]:
    """A row for each task that was reviewed: ``id``, ``question``, ``context`` and ``answers``, of no region none.

    Tasks that nobody has reviewed, or that were skipped, are left out; how many is said at the end. Of several
    annotations of a task the first counts.

    Raises:
        BadRowError: if a task has no text or question, or a region no place.
    """
    left_out = several = 0
    for number, task in enumerate(tasks, start=1):
        where = f"task {number:,}"
        if not isinstance(task, dict) or not is_task(task):
            raise BadRowError(f"{where} has no annotations: {short_repr(task)}")
        done = [each for each in task["annotations"] if isinstance(each, dict) and not each.get("was_cancelled")]
        if not done:
            left_out += 1
            continue
        several += len(done) > 1
        yield _row(task, done[0], where)
    if left_out:
        they = f"{left_out:,} tasks of {source} have" if left_out > 1 else f"1 task of {source} has"
        skipped = "were skipped, and are" if left_out > 1 else "was skipped, and is"
        _LOG.warning(f"{they} not been reviewed, or {skipped} left out")
    if several:
        have = f"{several:,} tasks of {source} have" if several > 1 else f"1 task of {source} has"
        _LOG.warning(f"{have} several annotations; the first of each counts")


def _row(task: dict[str, Any], annotation: dict[str, Any], where: str) -> ObjectRow:
    data = task["data"]
    context, question = data.get("text"), data.get("question")
    if "question" not in data and isinstance(context, str):
        raise BadRowError(
            f"{where} has no question, as tasks have that `ray-qa export` makes of a wide output; review those that "
            "`ray-qa sample` makes of it, one for each question"
        )
    for name, value in (("text", context), ("question", question)):
        if not isinstance(value, str):
            raise BadRowError(f"{where} has {short_repr(value)} as {name!r} of its data, where a text must be")
    regions = [_region(each, context, where) for each in annotation.get("result") or [] if _is_answer(each)]
    answers = {"text": [text for text, _ in regions], "answer_start": [start for _, start in regions]}
    own_id = data.get(ID, task.get(ID))
    row = {ID: None if own_id is None else str(own_id), "question": question, "context": context, "answers": answers}
    return ObjectRow(where=where, value=row, size=len(context))


def _is_answer(region: object) -> bool:
    return isinstance(region, dict) and region.get("from_name") == LABELS


def _region(region: dict[str, Any], context: str, where: str) -> tuple[str, int]:
    """An answer's text and its place; where the two are at odds is for ``prepare`` to see."""
    value = region.get("value")
    start, end = (value.get("start"), value.get("end")) if isinstance(value, dict) else (None, None)
    if not isinstance(value, dict) or type(start) is not int or type(end) is not int:
        raise BadRowError(f"{where} has a region without start and end: {short_repr(region)}")
    text = value.get("text")
    return (text if isinstance(text, str) else context[start:end]), start
