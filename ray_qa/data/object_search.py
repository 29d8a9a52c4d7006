"""Which objects a URL, a folder or a glob leads to: one listing, of no more than it takes, no look at each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from ray_qa.data.row_forms import has_suffix
from ray_qa.storage import objects
from ray_qa.storage.listing import Found
from ray_qa.storage.remote import Remote

WILD = re.compile(r"[*?[]")
UNORDERED = "--x-s3"
"""How the names of Amazon's directory buckets end, which list in no order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObjects:
    """Objects with the names of the folders whose names may state columns, and what lay beside them."""

    files: tuple[tuple[Found, PurePosixPath], ...]
    passed_over: tuple[str, ...]


def find_objects(place: Remote, suffixes: Sequence[str]) -> FoundObjects:
    """What a place leads to, as :func:`ray_qa.data.file_search.find_files` has it of paths.

    A glob's ``*`` stays within a name and ``**`` stands for any folders; neither matches names that begin with a dot.

    Raises:
        StorageError: if the bucket cannot be listed.
    """
    names = [name for name in place.key.split("/") if name]
    fixed = next((nth for nth, name in enumerate(names) if WILD.search(name)), len(names))
    root = Remote(scheme=place.scheme, bucket=place.bucket, key="/".join(names[:fixed]))
    begin = WILD.split(names[fixed])[0] if fixed < len(names) else ""
    below = [(each, _names(each, root)) for each in _without_marks(list(_beginning_with(begin, root)), root)]
    if fixed == len(names):
        if not below and (alone := objects.look_for(place)):
            return FoundObjects(files=((alone, PurePosixPath(place.name)),), passed_over=())
        return _in_folders(below, suffixes)
    whole = [(each, names_of) for each, names_of in below if _fits(names_of, names[fixed:])]
    if whole:
        in_order = sorted(whole, key=lambda pair: "/".join(pair[1]))  # as a glob of paths has it
        return FoundObjects(files=tuple((each, PurePosixPath(*own)) for each, own in in_order), passed_over=())
    return _in_folders(
        [(each, own) for each, own in below if any(_fits(own[:nth], names[fixed:]) for nth in range(1, len(own)))],
        suffixes,
    )


def _beginning_with(begin: str, root: Remote) -> Iterator[Found]:
    """What lies below a place under names that begin in a way: stores list from a key on, and nearly all in order."""
    in_order = not root.bucket.endswith(UNORDERED)
    for each in objects.list_below(root, after=_just_before(begin)):
        name = next(iter(_names(each, root)), "")
        if name.startswith(begin):
            yield each
        elif in_order and name > begin:
            return


def _just_before(begin: str) -> str:
    """What comes before all names that begin in a way, and after nearly all others that come before them."""
    if not begin or not " " < begin[-1] < "~":
        return begin[:-1].rstrip(".")  # no name is dots alone, and stores refuse to hear of one
    last = chr(ord(begin[-1]) - 1)
    return f"{begin[:-1]}{'.' if last == '/' else last}~"


def _without_marks(found: Sequence[Found], root: Remote) -> list[Found]:
    """Without the empty objects by which consoles and Hadoop mark folders."""
    folders = {root.key} | {each.place.parent.key for each in found}
    return [each for each in found if each.size > 0 or each.place.key not in folders]


def _names(found: Found, root: Remote) -> tuple[str, ...]:
    return PurePosixPath(found.place.key).relative_to(root.key).parts


def _in_folders(below: Sequence[tuple[Found, tuple[str, ...]]], suffixes: Sequence[str]) -> FoundObjects:
    """Those with one of the suffixes; names that begin with ``_`` or ``.`` are passed over without a word."""
    seen = [(each, names) for each, names in below if not any(name[0] in "._" for name in names)]
    wanted = [(each, names) for each, names in seen if has_suffix(names[-1], suffixes)]
    others = [str(each.place) for each, names in seen if not has_suffix(names[-1], suffixes)]
    return FoundObjects(files=_in_order(wanted), passed_over=tuple(others))


def _in_order(found: Sequence[tuple[Found, tuple[str, ...]]]) -> tuple[tuple[Found, PurePosixPath], ...]:
    """By the names of their folders, as a walk through folders comes upon them; stores list by the key as a whole."""
    return tuple((each, PurePosixPath(*names)) for each, names in sorted(found, key=lambda pair: pair[1]))


def _fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether all names fit all patterns, one by one."""
    if not patterns:
        return not names
    if patterns[0] == "**":
        hidden = next((nth for nth, name in enumerate(names) if name.startswith(".")), len(names))
        return any(_fits(names[nth:], patterns[1:]) for nth in range(hidden + 1))
    if not names or (names[0].startswith(".") and not patterns[0].startswith(".")):
        return False
    return fnmatchcase(names[0], patterns[0]) and _fits(names[1:], patterns[1:])
