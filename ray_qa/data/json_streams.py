"""The items of a list in a JSON document, one by one: a document may be larger than the memory.

The standard library's decoder reads them, item by item: streaming parsers of other make change texts (a lone surrogate
into ``?``) or refuse numbers that it takes.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

FIRST_READ = 64 * 1024
LONGEST_CUT = 16
"""Where a document goes on, what a decoder stumbles over is at most so many characters before the end of what was read:
a literal, or an escape of two surrogates. A string that does not end is told from that by its message."""
_WHITE = " \t\n\r"
_AFTER = frozenset(f",:]}}{_WHITE}")
"""What comes after a value that is there to its end."""


def items_of(stream: BinaryIO, key: str | None = None) -> Iterator[object] | None:
    """The items of the list that a document is, or that its object has under ``key``; ``None`` where there is no such.

    Raises:
        ValueError: if the document is no JSON, there and then or as its items are asked for.
        RecursionError: if it is nested too deeply.
    """
    text = _Text(stream=stream)
    if key is None:
        return _items(text) if text.peek() == "[" else None
    if text.peek() != "{":
        if text.peek() != "[":
            text.value()
        return None
    text.take("{")
    while text.peek() != "}":
        name = text.value()
        text.take(":")
        if name == key:
            return _items(text, of_object=True) if text.peek() == "[" else None
        text.value()
        if text.peek() != "}":
            text.take(",")
    return None


def _items(text: _Text, *, of_object: bool = False) -> Iterator[object]:
    text.take("[")
    if text.peek() != "]":
        yield text.value()
    while text.peek() == ",":
        text.take(",")
        yield text.value()
    text.take("]")
    if of_object:
        while text.peek() == ",":
            text.take(",")
            text.value()
            text.take(":")
            text.value()
        text.take("}")
    if rest := text.peek():
        raise ValueError(f"line {text.line:,} has {rest!r} after its end")


@dataclass(slots=True, kw_only=True)
class _Text:
    """What has been read and not yet been taken."""

    stream: BinaryIO
    _decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8-sig"))
    _json: json.JSONDecoder = field(default_factory=json.JSONDecoder)
    _buffer: str = ""
    _at: int = 0
    _ended: bool = False
    _lines_before: int = 0

    @property
    def line(self) -> int:
        """The line, from 1, of what comes next."""
        return self._line_of(self._at)

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _WHITE:
                self._at += 1
            if self._at < len(self._buffer) or self._ended:
                return self._buffer[self._at : self._at + 1]
            self._read(FIRST_READ)

    def take(self, wanted: str) -> None:
        """Take a character."""
        if (found := self.peek()) != wanted:
            wrong = f"line {self.line:,} has {found!r} where {wanted!r} should be"
            raise ValueError(wrong if found else "it ends too early")
        self._at += 1

    def value(self) -> object:
        """Take a value, whatever it is."""
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._ended or not self._may_be_cut(error):
                    raise ValueError(f"line {self._line_of(error.pos):,}: {error.msg}") from error
            else:
                if self._ended or self._buffer[end : end + 1] in _AFTER:  # a number may go on
                    self._at = end
                    return value
            self._read(max(FIRST_READ, len(self._buffer) - self._at))

    def _line_of(self, at: int) -> int:
        return self._lines_before + self._buffer.count("\n", 0, at) + 1

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether a value may be whole once more is read; else a broken document would be read to its end at once."""
        rest = self._buffer[error.pos :].strip(_WHITE)
        return error.msg.startswith("Unterminated string") or len(rest) <= LONGEST_CUT

    def _read(self, size: int) -> None:
        """Read on; as much again as a value has already taken, so that a long one is not begun too often."""
        more = self.stream.read(size)
        self._ended = not more
        self._lines_before += self._buffer.count("\n", 0, self._at)
        self._buffer, self._at = self._buffer[self._at :] + self._decoder.decode(more, final=self._ended), 0
