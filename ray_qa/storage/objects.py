"""Objects in a bucket: read, listed, and published whole by one request each, or not at all.

What reads and lists is for distributed file systems too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ray_qa.errors import StorageError
from ray_qa.storage import file_systems
from ray_qa.storage.listing import Entry, Found
from ray_qa.storage.local import say_once
from ray_qa.storage.remote import READ_ONLY, Remote
from ray_qa.storage.stores import explained, store_of, unreachable

if TYPE_CHECKING:
    from obstore import ObjectMeta, ReadableFile

IN_ONE_REQUEST = 64 * 1024 * 1024
"""Files up to this size, in bytes, are sent whole."""
PIECE, PIECES_AT_ONCE = 16 * 1024 * 1024, 4
CONFLICT_LOOKS = 25
READ_BYTES = 1024 * 1024
"""What is fetched at least where an object is read piece by piece."""


def read(place: Remote) -> bytes:
    """The whole of an object.

    Raises:
        FileNotFoundError: if there is none.
        StorageError: if the store cannot be reached, or lets us not in.
    """
    import obstore

    if place.scheme in READ_ONLY:
        with file_systems.open_input(place) as stream:
            return bytes(stream.read())
    with explained(place, "read"):
        return bytes(obstore.get(store_of(place.scheme, place.bucket), place.key).bytes())


def open_input(place: Remote) -> pa.NativeFile:
    """An object, open for reading anywhere in it.

    Raises:
        FileNotFoundError: if there is none.
        StorageError: as :func:`read`, then and while it is read.
    """
    import obstore

    if place.scheme in READ_ONLY:
        return file_systems.open_input(place)
    with explained(place, "read"):
        reader = obstore.open_reader(store_of(place.scheme, place.bucket), place.key, buffer_size=READ_BYTES)
    return pa.PythonFile(_OpenObject(place, reader), mode="r")


def download(found: Found, path: Path) -> None:
    """Write an object into a file, piece by piece, as it was when it was listed.

    Raises:
        OSError: if the file cannot be written.
        StorageError: as :func:`read`, and if another object or none is there by now.
    """
    import obstore

    place = found.place
    with path.open("wb") as stream:
        try:
            with explained(place, "read"):
                there = obstore.get(store_of(place.scheme, place.bucket), place.key)
                if not _is_still(found, there.meta):
                    raise _has_changed(place, "has been replaced")
                for piece in there:
                    stream.write(piece)
        except FileNotFoundError:
            raise _has_changed(place, "is gone") from None


def _is_still(found: Found, now: ObjectMeta) -> bool:
    """Whether an answer is of the version that was listed; where one of the two has no ETag, sizes must do."""
    tagged = bool(now["e_tag"]) and found.version != found.modified.isoformat()
    return now["size"] == found.size and (not tagged or _tag(now["e_tag"]) == found.version)


def _has_changed(place: Remote, how: str) -> StorageError:
    return StorageError(f"{place} must stay while it is fetched, but {how}; run the same command again")


def look_for(place: Remote) -> Found | None:
    """The object of exactly this name, if there is one.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    if place.scheme in READ_ONLY:
        return file_systems.look_for(place)
    try:
        with explained(place, "look for"):
            head = obstore.head(store_of(place.scheme, place.bucket), place.key)
    except FileNotFoundError:
        return None
    return _found(place.scheme, place.bucket, head)


def exists(place: Remote) -> bool:
    """Whether there is an object of exactly this name.

    Raises:
        StorageError: as :func:`read`.
    """
    return look_for(place) is not None


def list_below(place: Remote, *, after: str = "") -> Iterator[Found]:
    """All objects below a place, by one listing, in the order of their keys; pages are asked for as they are wanted.

    Args:
        place: what their keys begin with.
        after: a name below it, or how one begins; only what comes later is listed.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    if place.scheme in READ_ONLY:
        yield from file_systems.list_below(place, after=after)
        return
    offset = (place / after).key if after else None
    with explained(place, "list"):
        pages = obstore.list(store_of(place.scheme, place.bucket), prefix=place.key or None, offset=offset)
        for page in pages:
            for each in page:
                if offset is None or each["path"] > offset:  # some stores list all, whatever they are asked
                    yield _found(place.scheme, place.bucket, each)


def entries_in(folder: Remote) -> list[Entry]:
    """What lies directly below a place, objects and what further ones lie in, in the order of names.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    if folder.scheme in READ_ONLY:
        return file_systems.entries_in(folder)
    with explained(folder, "list"):
        found = obstore.list_with_delimiter(store_of(folder.scheme, folder.bucket), prefix=folder.key or None)
    folders = [Entry(name=_last(key), is_file=False) for key in found["common_prefixes"]]
    objects = [each for each in found["objects"] if each["path"] != folder.key]  # consoles mark folders by such objects
    files = [Entry(name=_last(each["path"]), is_file=True, version=_version(each)) for each in objects]
    return sorted([*folders, *files], key=lambda entry: entry.name)


def _last(key: str) -> str:
    return key.rstrip("/").rpartition("/")[2]


def publish(place: Remote, content: bytes) -> str:
    """Put an object in one request, over what was there; gives its version as a listing has it, "" where none is told.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    with explained(place, "write"):
        put = obstore.put(store_of(place.scheme, place.bucket), place.key, content, use_multipart=False)
    return _tag(put["e_tag"])


def upload(place: Remote, path: Path) -> None:
    """Publish what a file holds; a large one goes in pieces, which become an object when the last is there.

    Raises:
        OSError: if the file cannot be read.
        StorageError: as :func:`read`.
    """
    import obstore

    large = path.stat().st_size > IN_ONE_REQUEST
    with explained(place, "write"):
        obstore.put(
            store_of(place.scheme, place.bucket),
            place.key,
            path,
            use_multipart=large,
            chunk_size=PIECE,
            max_concurrency=PIECES_AT_ONCE,
        )


def publish_new(place: Remote, content: bytes) -> bool:
    """Put an object where there is none; says whether it was us.

    Args:
        place: where.
        content: unlike anybody else's, as by a nonce: an answer may be lost and the request sent again, and then only
            the content tells whether it was us who came first.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore
    from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

    try:
        with explained(place, "write"):
            obstore.put(store_of(place.scheme, place.bucket), place.key, content, mode="create")
    except (AlreadyExistsError, PreconditionError):
        return _is_there(place, content)
    except NotSupportedError:
        return _publish_new_unguarded(place, content)
    except StorageError as error:
        if not re.search(r"NotImplemented|\b501\b", str(error)):
            raise
        return _publish_new_unguarded(place, content)
    return True


def _is_there(place: Remote, content: bytes) -> bool:
    """Whether what came first is this; whoever is at it just now may not have finished."""
    for _ in range(CONFLICT_LOOKS):
        with suppress(FileNotFoundError):
            return read(place) == content
        time.sleep(0.2)
    raise StorageError(f"{place} must be there or not, but the store says both; run the same command again")


def delete(places: Iterable[Remote]) -> None:
    """Delete objects, as many as there are; one that is not there is no error.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    of_bucket: dict[tuple[str, str], list[Remote]] = {}
    for place in places:
        of_bucket.setdefault((place.scheme, place.bucket), []).append(place)
    for (scheme, bucket), all_of_it in of_bucket.items():
        with explained(all_of_it[0], "delete"):
            store = store_of(scheme, bucket)
            try:
                obstore.delete(store, [place.key for place in all_of_it])
            except FileNotFoundError:  # some stores say so of the first that is not there, and stop
                for place in all_of_it:
                    with suppress(FileNotFoundError):
                        obstore.delete(store, place.key)


def _publish_new_unguarded(place: Remote, content: bytes) -> bool:
    """For stores that cannot create exclusively: look, put, and read back who was last."""
    say_once(
        f"{place.scheme}://{place.bucket} cannot create an object only where there is none: two commands that begin at "
        "the same moment may both work"
    )
    if exists(place):
        return read(place) == content
    publish(place, content)
    return read(place) == content


def _found(scheme: str, bucket: str, meta: ObjectMeta) -> Found:
    return Found(
        place=Remote(scheme=scheme, bucket=bucket, key=meta["path"]),
        size=meta["size"],
        version=_version(meta),
        modified=meta["last_modified"],
    )


def _version(meta: ObjectMeta) -> str:
    return _tag(meta["e_tag"]) or meta["last_modified"].isoformat()


def _tag(e_tag: str | None) -> str:
    """An ETag as all answers of a store have it: some quote it in one, and not in another."""
    return (e_tag or "").removeprefix("W/").strip('"')


class _OpenObject:
    """A reader of obstore's as a file object, its errors explained."""

    closed = False

    def __init__(self, place: Remote, reader: ReadableFile) -> None:
        self._place = place
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        with explained(self._place, "read"):
            try:
                return bytes(self._reader.read(None if size < 0 else size))
            except FileNotFoundError:
                raise
            except OSError as error:  # which obstore makes of all that goes wrong here
                raise unreachable(self._place, "read", error) from None

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
