"""Cards, ``README.md`` beside what a command made: filled in so that no name breaks them, and told from a person's."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ray_qa.storage import places
from ray_qa.storage.remote import Place

CARD = "README.md"
TEMPLATES = Path(__file__).parents[1] / "assets" / "templates"
MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that Markdown could take for its own; an underscore within a word is none."""
SIGNED = "<!-- ray-qa, as it was written: {digest} -->\n"
SECTION_BEGINS = "<!-- ray-qa {name}, as it was written: {digest} -->\n"
SECTION_ENDS = "<!-- end of ray-qa {name} -->\n"
OF_CALIBRATION = "calibration"
"""The section of a model card that finetune leaves empty, for calibrate to fill."""


def filled_in(template: str, **values: object) -> str:
    """A template of ours with its values, of which texts bring in neither Markdown nor lines nor HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_without_markup,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def one_line(text: str) -> str:
    """The text without what would break its line or turn its direction."""
    return "".join(each if each.isprintable() else " " for each in text)


def shown_name(path: str) -> str:
    """A hub's or relative name as it stands; of others the last part: where they lie is nobody else's business."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] if re.match(r"[/~.\\]|\w+:", path) else path


def put_card(place: Place, text: str) -> bool:
    """Publish a card with a mark by which it is told from one that a person wrote or changed; such a one is left alone.

    Says whether it was published.

    Raises:
        OSError, StorageError: if it cannot be.
    """
    if places.exists(place) and not is_our_card(place):
        return False
    places.publish(place, (text + SIGNED.format(digest=_digest(text))).encode())
    return True


def is_our_card(place: Place) -> bool:
    """Whether a card lies there just as :func:`put_card` wrote it."""
    try:
        text, mark, rest = places.read(place).decode().rpartition(SIGNED.partition("{")[0])
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return False
    return mark + rest == SIGNED.format(digest=_digest(text))


def card_section(name: str, text: str) -> str:
    """A section of a card between marks, by which another command finds it, and sees whether a person changed it."""
    return SECTION_BEGINS.format(name=name, digest=_digest(text)) + text + SECTION_ENDS.format(name=name)


def renew_section(place: Place, name: str, text: str) -> bool:
    """Publish a card again with another text in a section of :func:`card_section`; all else stays byte by byte.

    Says whether it was published: a card without that section, or with one that a person has changed, is left alone.

    Raises:
        OSError, StorageError: if it cannot be.
    """
    try:
        card = places.read(place).decode()
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return False
    before, mark, rest = card.partition(SECTION_BEGINS.partition("{digest}")[0].format(name=name))
    old, _, after = rest.partition("\n")[2].partition(SECTION_ENDS.format(name=name))
    if not mark or before + card_section(name, old) + after != card:
        return False
    places.publish(place, (before + card_section(name, text) + after).encode())
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _without_markup(value: object) -> object:
    """What a template shows of a value: a line that Markdown makes nothing of; HTML is Jinja's to escape."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return MARKDOWN.sub(r"\\\g<0>", one_line(value))
