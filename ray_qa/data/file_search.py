"""Which files a user's paths, URLs, folders and globs lead to, and what is passed over on the way."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import unquote

from ray_qa.data.file_kinds import is_saved_data_set
from ray_qa.data.object_search import WILD, find_objects
from ray_qa.data.row_forms import ALL, ANY, PARQUET, has_suffix
from ray_qa.errors import InputError, first_line, listed
from ray_qa.storage.remote import Place, Remote, is_url, place_of

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object's size in bytes, and what changes with its content."""

    size: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file to read, by its absolute path with all links resolved, or by its URL."""

    path: str
    stored: Stored | None = None
    """What the listing of its bucket says of it, if it lies in one."""
    partitions: tuple[tuple[str, str | None], ...] = ()
    """Columns that its folders' names state, ``key=value`` as Hive has it: those below the folder that was named, or
    from a glob's first wildcard on."""
    source: str = ""
    """What it was made of, if it holds the rows of something that was no Parquet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """What was found, and what lay beside it in the folders and is not read."""

    files: tuple[FoundFile, ...]
    passed_over: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """The files' paths."""
        return [file.path for file in self.files]


def find_files(patterns: Sequence[str], setting: str, suffixes: Sequence[str] = PARQUET) -> FoundFiles:
    """Expand files, folders and globs, folders and globs in name order; each may be a URL of a bucket.

    In folders the files with one of ``suffixes``, in any case, count, those behind links too; names that begin with
    ``_`` or ``.`` are passed over without a word, as all readers of such folders do.

    Raises:
        InputError: if a pattern leads to no file, or two lead to the same.
        ConfigError: if one is a URL that cannot be read.
        StorageError: if a bucket cannot be listed.
    """
    found: list[FoundFile] = []
    passed_over: list[str] = []
    for pattern in patterns:
        walk = _Walk(suffixes=tuple(suffixes))
        place = place_of(pattern, setting)
        try:
            matches = list(_objects(place, walk) if isinstance(place, Remote) else _matches(place, walk))
        except OSError as error:
            raise InputError(f"`{setting}` must be readable, but {pattern} gives: {first_line(error)}") from error
        if not matches:
            raise InputError(_nothing_found(pattern, setting, walk))
        found += matches
        passed_over += walk.passed_over
    check_once([file.path for file in found], setting)
    return FoundFiles(files=tuple(found), passed_over=tuple(passed_over))


def find_row_files(patterns: Sequence[str], setting: str, suffixes: Sequence[str] = PARQUET) -> FoundFiles:
    """Like :func:`find_files`, for rows in any form: in a folder without such files all forms count.

    Raises:
        InputError, ConfigError, StorageError: as that does.
    """
    found = [_found_rows(pattern, setting, suffixes) for pattern in patterns]
    files = tuple(file for each in found for file in each.files)
    check_once([file.path for file in files], setting)
    return FoundFiles(files=files, passed_over=tuple(name for each in found for name in each.passed_over))


def _found_rows(pattern: str, setting: str, suffixes: Sequence[str]) -> FoundFiles:
    try:
        return find_files([pattern], setting, suffixes)
    except InputError:
        return find_files([pattern], setting, suffixes=ALL)


def check_apart(files: Iterable[str], patterns: Sequence[str], output: Place, setting: str) -> None:
    """Check that the output would not become input of the next run, and that clearing it takes no input away.

    Raises:
        InputError: if the output lies in a folder that is read, or a file that is read lies in the output.
    """
    folders = [folder for pattern in patterns if (folder := _folder(place_of(pattern, setting))) is not None]
    around = next((folder for folder in folders if _lies_in(str(output), folder)), None)
    if around:
        raise InputError(f"`output` must lie outside the folders that are read, but {output} is in {around}")
    within = next((file for file in files if _lies_in(file, output)), None)
    if within:
        raise InputError(f"`{setting}` must lie outside the output, but {within} is in {output}")


def check_once(names: Iterable[str], setting: str) -> None:
    """Check that a file, or whatever else is named, is named once.

    Raises:
        InputError: if one is named twice.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"`{setting}` must name every file once, but names {name} twice")
        seen.add(name)


def _folder(place: Place) -> Place | None:
    """The folder that a pattern names, which what is written must not be in."""
    if isinstance(place, Remote):
        return None if WILD.search(place.key) else place
    return place.resolve() if place.is_dir() else None


def _lies_in(place: str, folder: Place) -> bool:
    return PurePath(place).is_relative_to(str(folder))


def _objects(place: Remote, walk: _Walk) -> Iterator[FoundFile]:
    found = find_objects(place, walk.suffixes)
    walk.passed_over += found.passed_over
    for each, below in found.files:
        stored = Stored(size=each.size, version=each.version)
        yield FoundFile(path=str(each.place), stored=stored, partitions=_partitions(below))


def _matches(pattern: Path, walk: _Walk) -> Iterator[FoundFile]:
    if pattern.is_dir():
        for path in walk.files(pattern):
            yield FoundFile(path=str(path.resolve()), partitions=_partitions(path.relative_to(pattern)))
    elif pattern.exists():
        yield FoundFile(path=str(pattern.resolve()))
    else:
        fixed = sum(1 for _ in _until_wild(pattern.parts))
        matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]
        files = [match for match in matches if match.is_file()]
        folders = [match for match in matches if match.is_dir()]
        if files:
            # A pattern with ** matches the folders of its files too.
            around = {folder for file in files for folder in file.parents}
            walk.passed_over += [f"{folder} (a folder beside files)" for folder in folders if folder not in around]
        for match in files or [path for folder in folders for path in walk.files(folder)]:
            yield FoundFile(path=str(match.resolve()), partitions=_partitions(Path(*match.parts[fixed:])))


def _until_wild(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        if WILD.search(part):
            return
        yield part


def _partitions(path: PurePath) -> tuple[tuple[str, str | None], ...]:
    pairs = (folder.partition("=") for folder in path.parts[:-1] if "=" in folder)
    return tuple((unquote(key), None if value == HIVE_NULL else unquote(value)) for key, _, value in pairs)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """A walk through a folder that follows links, each folder and file once."""

    suffixes: tuple[str, ...]
    passed_over: list[str] = field(default_factory=list)
    _roots: list[Path] = field(default_factory=list)

    def files(self, root: Path) -> Iterator[Path]:
        """The files in a folder and below it, in the order of their paths; a folder's content at its name."""
        self._roots.append(root.resolve())
        yield from self._below(root)

    def _below(self, folder: Path) -> Iterator[Path]:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        for entry in entries:
            path = folder / entry.name
            if entry.name[0] in "._":
                continue
            if entry.is_symlink() and self._comes_by_itself(path):
                self.passed_over.append(f"{path} (a link to what is read anyway)")
            elif path.is_dir():
                yield from self._below(path)
            elif not path.is_file():
                self.passed_over.append(f"{path} (a link to nothing)" if entry.is_symlink() else f"{path} (no file)")
            elif has_suffix(path.name, self.suffixes):
                yield path
            else:
                self.passed_over.append(str(path))

    def _comes_by_itself(self, link: Path) -> bool:
        """Whether a link leads into what is walked already, or back to where that began: a circle."""
        target = Path(os.path.realpath(link))  # which, unlike resolve, takes a link to itself
        if any(target.is_relative_to(root) or root.is_relative_to(target) for root in self._roots):
            return True
        if target.is_dir():
            self._roots.append(target)
        return False


def _nothing_found(pattern: str, setting: str, walk: _Walk) -> str:
    kind = {PARQUET: "Parquet ", ANY: ""}.get(walk.suffixes, "row ")
    there = f"no {kind}file" if walk.passed_over or Path(pattern).expanduser().is_dir() else "nothing"
    beside = f", only to {listed(walk.passed_over, 3)}" if walk.passed_over else ""
    forms = ", ".join(f"*{suffix}" for suffix in walk.suffixes if suffix.count(".") == 1)
    wanted = f"{kind}files" + (f" ({forms})" if forms else "")
    if not is_url(pattern) and is_saved_data_set(Path(pattern).expanduser()):
        beside = "; it is a data set that `save_to_disk` wrote: write it with its `to_parquet`"
    return f"`{setting}` must lead to {wanted}, but {pattern} leads to {there}{beside}"
