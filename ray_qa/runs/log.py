"""What a command says on standard error, and in which form: lines for people, or for log collectors a JSON object each.

All of it goes through Python's ``logging``: ours under ``ray_qa``, and what others say and nobody else takes.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:  # what only prints the usage needs no pydantic
    from ray_qa.settings import LogFormat

_OURS = logging.getLogger("ray_qa")


@contextmanager
def logged(command: str, form: LogFormat, *, quiet: bool = False) -> Iterator[None]:
    """While the block runs, write what is logged to standard error; if ``quiet``, only warnings and errors.

    A block within another one has its own form.
    """
    global _writer
    writer = _Writer(command, form, quiet=quiet)
    before, _writer = _writer, writer
    handlers, propagates, last_resort = _OURS.handlers, _OURS.propagate, logging.lastResort
    show_warning = warnings.showwarning
    _OURS.handlers, _OURS.propagate, logging.lastResort = [writer], False, writer
    _OURS.setLevel(logging.INFO)
    warnings.showwarning = _log_warning
    try:
        yield
    finally:
        _OURS.handlers, _OURS.propagate, logging.lastResort = handlers, propagates, last_resort
        warnings.showwarning = show_warning
        _writer = before


def log_as(form: LogFormat, *, quiet: bool) -> None:
    """Go on in another form, within :func:`logged`: that of the settings, once they have been read."""
    assert _writer is not None
    _writer.form, _writer.quiet = form, quiet


def notice(*lines: str) -> None:
    """Say something that stays there, above the live line."""
    for line in lines:
        _OURS.info(line)


def log_progress(text: str, figures: Mapping[str, Any]) -> None:
    """Say how far a command is: for people in words, for collectors with the figures as fields."""
    _OURS.info(text, extra={"figures": figures})


def log_error(message: str, crash: BaseException | None = None) -> None:
    """Say what has ended a command; of a crash, where it happened."""
    _OURS.error(message, exc_info=crash)


def as_logged(message: str) -> str:
    """A warning as it would be written, for whoever has to write it in a moment at which nothing can be logged."""
    record = _OURS.makeRecord(_OURS.name, logging.WARNING, "", 0, message, (), None)
    return message if _writer is None else _writer.format(record)


def wants_progress() -> bool:
    """Whether anybody is to be told how far a command is."""
    return _writer is not None and not _writer.quiet


def wants_json() -> bool:
    """Whether all that is said is read by programs."""
    return _writer is not None and _writer.form == "json"


@contextmanager
def written_to(stream: TextIO) -> Iterator[None]:
    """While the block runs, write to this stream instead of what standard error is at the moment."""
    writer = _writer
    assert writer is not None
    before, writer.stream = writer.stream, stream
    try:
        yield
    finally:
        writer.stream = before


class _Writer(logging.Handler):
    """Writes each record in one line."""

    def __init__(self, command: str, form: LogFormat, *, quiet: bool) -> None:
        super().__init__()
        self.command, self.form, self.quiet = command, form, quiet
        self.stream: TextIO | None = None
        """``None``: whatever standard error is at the moment, as a live line takes its place."""

    def createLock(self) -> None:  # noqa: N802  # as logging calls it
        # A line is written at once. Under a lock, a live line that reads what logs would wait for who waits for it.
        self.lock = None

    def format(self, record: logging.LogRecord) -> str:
        return (_as_json if self.form == "json" else _as_text)(self.command, record)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= (logging.WARNING if self.quiet else logging.INFO):
            print(self.format(record), file=self.stream or sys.stderr, flush=True)


_writer: _Writer | None = None


def _as_text(command: str, record: logging.LogRecord) -> str:
    message = record.getMessage()
    if not _is_ours(record):
        return message
    if hasattr(record, "figures"):
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {message}"
    return f"{f'ray-qa {command}'.rstrip()}: {message}"


def _as_json(command: str, record: logging.LogRecord) -> str:
    figures: Mapping[str, Any] = getattr(record, "figures", {})
    fields = {
        "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
        "command": command,
        "level": record.levelname.lower(),
        **({"event": "progress"} if figures else {}),
        **({} if _is_ours(record) else {"logger": record.name}),
        "message": record.getMessage(),
        **{name: _finite(value) for name, value in figures.items()},
    }
    if record.exc_info and record.exc_info[1] is not None:
        fields["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
    return json.dumps(fields, default=str)  # in ASCII, which whatever standard error is encoded in has


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == _OURS.name


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001  # as Python calls it
    line: str | None = None,
) -> None:
    logging.getLogger("py.warnings").warning(warnings.formatwarning(message, category, filename, lineno, line).rstrip())
