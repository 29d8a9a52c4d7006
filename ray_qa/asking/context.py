"""The text to answer from, as it is named on the command line: itself, a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from ray_qa.data.text_files import MOST_BYTES
from ray_qa.data.unpacking import unpacked
from ray_qa.errors import InputError, first_line
from ray_qa.reader.failures import blank_in_words


def read_context(named: str) -> str:
    """The text that ``--context`` stands for.

    Raises:
        InputError: if it is no text in UTF-8, or looks like a file that is not there.
    """
    if named == "-":
        return _decoded(sys.stdin.buffer.read(), "standard input")
    try:
        path = Path(named).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError, RuntimeError):  # too long for a name, with characters that none has, ~ of nobody
        return named
    if is_file:
        try:
            return _decoded(_content(path), named)
        except OSError as error:
            raise InputError(
                f"`context` must be a file that can be read, but {named} gives: {first_line(error)}"
            ) from error
    if is_folder or _looks_like_a_file(named):
        what = "is a folder" if is_folder else "is no file here"
        raise InputError(
            f"`context` must be a text, a file or -, but {named!r} {what}; "
            "as a text it can be given on standard input, with -"
        )
    return named


def _looks_like_a_file(named: str) -> bool:
    return len(named.split()) == 1 and named.isascii() and ("/" in named or Path(named).suffix != "")


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = unpacked(file.read(MOST_BYTES + 1), path.name, MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"`context` must be a text of {MOST_BYTES:,} bytes at most, but {path} is larger")
    return content


def _decoded(content: bytes, named: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"`context` must be text in UTF-8, but {named} gives: {first_line(error)}") from error
    if not text.strip():
        raise InputError(f"`context` must be a text, but {named} {blank_in_words(text)}")
    return text
