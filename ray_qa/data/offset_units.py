"""What places in a text are counted in: Unicode code points, as Python does and we do, or what others count."""

from __future__ import annotations

from typing import Literal

OtherUnit = Literal["utf16_units", "utf8_bytes"]
"""What others count places in: UTF-16 code units (JavaScript, Java) and UTF-8 bytes (Go, Rust)."""
OffsetUnit = Literal["code_points", "utf16_units", "utf8_bytes"]
IN_WORDS: dict[OffsetUnit, str] = {
    "code_points": "Unicode code points",
    "utf16_units": "UTF-16 units",
    "utf8_bytes": "UTF-8 bytes",
}
_ENCODINGS: dict[OtherUnit, tuple[str, int]] = {"utf16_units": ("utf-16-le", 2), "utf8_bytes": ("utf-8", 1)}
"""How a text is laid out in a unit, and the bytes of one."""


def in_code_points(context: str, place: int, unit: OffsetUnit) -> int | None:
    """The place in code points; ``None`` where it lies outside the context, or within a character.

    Args:
        context: a text that can be Unicode.
        place: 0 or more.
        unit: what it is counted in.
    """
    if unit == "code_points":
        return place if place <= len(context) else None
    encoding, width = _ENCODINGS[unit]
    encoded = context.encode(encoding)
    if place * width > len(encoded):
        return None
    try:
        return len(encoded[: place * width].decode(encoding))
    except UnicodeDecodeError:
        return None


def counts_as(context: str, text: str, start: int | None) -> frozenset[OtherUnit]:
    """In which other units than code points the text would be where it is stated to be."""
    if start is None or start < 0 or not text or context.isascii():
        return frozenset()
    return frozenset(
        unit
        for unit, (encoding, width) in _ENCODINGS.items()
        if context.encode(encoding, "surrogatepass").startswith(text.encode(encoding, "surrogatepass"), start * width)
    )
