"""Inspect, the whole way: a question, a context and perhaps an answer in, all that the model makes of them out."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ray_qa.asking.ask import LOADING
from ray_qa.asking.config import InspectConfig
from ray_qa.asking.context import read_context
from ray_qa.asking.page import page
from ray_qa.asking.tables import print_inspection, print_verdict
from ray_qa.errors import OutputError, first_line
from ray_qa.reader.inspection import AnswerGiven, Inspection
from ray_qa.reader.reader import Reader
from ray_qa.settings import ReadingSettings, SpanSettings
from ray_qa.storage import places
from ray_qa.storage.remote import Place, place_of

WIDTH = 1_000
"""Columns where there is no terminal: as many as any table takes, so that nothing is cut."""


def inspect(config: InspectConfig) -> int:
    """Inspect the row, print what is found, and write the page where one is asked for; returns the exit code.

    Raises:
        InputError: if the context cannot be read, or the row or the answer is of no use.
        OutputError: if the page cannot be written.
        ModelError, ConfigError: as :meth:`ray_qa.Reader.load` has it.
    """
    html = None if config.html is None else _file_to_write(place_of(config.html, "html"))
    context = read_context(config.context)
    given = None if config.answer is None else parse_answer(config.answer, context)
    settings = ReadingSettings(**{name: getattr(config, name) for name in SpanSettings.model_fields})
    with Console(stderr=True).status(LOADING):
        reader = Reader.load(config.model, settings=settings, device="cpu", dtype="float32", backend="torch")
    inspection = reader.inspect(
        config.question,
        context,
        None if given is None else given.text,
        answer_start=None if given is None else given.start,
        n_best=config.n_best,
    )
    if html is not None:
        _publish(html, page(inspection, config.model))
    if config.as_json:
        print(json.dumps(as_json(inspection), ensure_ascii=False, indent=2))
        return 0
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=WIDTH)
    if html is None:
        print_inspection(inspection, config.tokens, console)
    else:
        print_verdict(inspection, console)
        console.print(f"\nThe page is {html}", soft_wrap=True)
    return 0


def parse_answer(flag: str, context: str) -> AnswerGiven:
    """TEXT or TEXT@CHARACTER. A text of the context is never split, whatever it ends with."""
    match = re.fullmatch(r"(.+)@(\d+)", flag, re.DOTALL)
    if match is None or flag in context:
        return AnswerGiven(text=flag)
    return AnswerGiven(text=match[1], start=int(match[2]))


def as_json(inspection: Inspection) -> dict[str, Any]:
    """All of an inspection as JSON values."""
    return asdict(inspection) | {"null_score": inspection.null_score, "margin": inspection.margin}


def _file_to_write(place: Place) -> Place:
    if isinstance(place, Path) and place.is_dir():
        raise OutputError(f"`html` must be a file to write, but {place} is a folder")
    return place


def _publish(place: Place, text: str) -> None:
    try:
        places.make_folder(place.parent)
        places.publish(place, text.encode())
    except OSError as error:
        raise OutputError(
            f"`html` must be a file that can be written, but {place} gives: {first_line(error)}"
        ) from error
