"""Objects in a bucket: read, listed, and published whole by one request each, or not at all.

A store is opened where it is used, by each process for itself: what it knows of credentials never travels.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ray_qa.errors import StorageError, first_line
from ray_qa.storage.credentials import s3_credentials
from ray_qa.storage.local import say_once
from ray_qa.storage.remote import Remote

if TYPE_CHECKING:
    from obstore import ObjectMeta, ReadableFile
    from obstore.store import ObjectStore

PATIENCE = timedelta(seconds=25)
"""How long a request is tried again after the first attempt."""
TIMEOUTS = {
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(hours=1),
}
"""Of a request: to be let in, between two pieces of the answer, and in all. Weights take minutes on a slow line."""
IN_ONE_REQUEST = 64 * 1024 * 1024
"""Files up to this size, in bytes, are sent whole."""
PIECE, PIECES_AT_ONCE = 16 * 1024 * 1024, 4
CONFLICT_LOOKS = 25
READ_BYTES = 1024 * 1024
"""What is fetched at least where an object is read piece by piece."""
KEYS_OF = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
    "abfs": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
}
"""Variables that a store takes its credentials from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object of a listing; ``version`` changes when its content does (its ETag)."""

    place: Remote
    size: int
    version: str
    modified: datetime
    """By the store's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What lies in a folder: a file or object, or what further ones lie in."""

    name: str
    is_file: bool
    version: str = ""
    """Of an object."""


def read(place: Remote) -> bytes:
    """The whole of an object.

    Raises:
        FileNotFoundError: if there is none.
        StorageError: if the store cannot be reached, or lets us not in.
    """
    import obstore

    with _explained(place, "read"):
        return bytes(obstore.get(_store(place.scheme, place.bucket), place.key).bytes())


def open_input(place: Remote) -> pa.NativeFile:
    """An object, open for reading anywhere in it.

    Raises:
        FileNotFoundError: if there is none.
        StorageError: as :func:`read`, then and while it is read.
    """
    import obstore

    with _explained(place, "read"):
        reader = obstore.open_reader(_store(place.scheme, place.bucket), place.key, buffer_size=READ_BYTES)
    return pa.PythonFile(_OpenObject(place, reader), mode="r")


def download(place: Remote, path: Path) -> None:
    """Write an object into a file, piece by piece.

    Raises:
        FileNotFoundError: if there is no such object.
        OSError: if the file cannot be written.
        StorageError: as :func:`read`.
    """
    import obstore

    with path.open("wb") as stream, _explained(place, "read"):
        for piece in obstore.get(_store(place.scheme, place.bucket), place.key):
            stream.write(piece)


def look_for(place: Remote) -> Found | None:
    """The object of exactly this name, if there is one.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    try:
        with _explained(place, "look for"):
            head = obstore.head(_store(place.scheme, place.bucket), place.key)
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
    """All objects below a place, by one listing, in the order of their keys.

    Args:
        place: what their keys begin with.
        after: a name below it; only what comes later is listed.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    offset = (place / after).key if after else None
    with _explained(place, "list"):
        pages = obstore.list(_store(place.scheme, place.bucket), prefix=place.key or None, offset=offset)
        for page in pages:
            for each in page:
                yield _found(place.scheme, place.bucket, each)


def entries_in(folder: Remote) -> list[Entry]:
    """What lies directly below a place, objects and what further ones lie in, in the order of names.

    Raises:
        StorageError: as :func:`read`.
    """
    import obstore

    with _explained(folder, "list"):
        found = obstore.list_with_delimiter(_store(folder.scheme, folder.bucket), prefix=folder.key or None)
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

    with _explained(place, "write"):
        put = obstore.put(_store(place.scheme, place.bucket), place.key, content, use_multipart=False)
    return _tag(put["e_tag"])


def upload(place: Remote, path: Path) -> None:
    """Publish what a file holds; a large one goes in pieces, which become an object when the last is there.

    Raises:
        OSError: if the file cannot be read.
        StorageError: as :func:`read`.
    """
    import obstore

    large = path.stat().st_size > IN_ONE_REQUEST
    with _explained(place, "write"):
        obstore.put(
            _store(place.scheme, place.bucket),
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
        with _explained(place, "write"):
            obstore.put(_store(place.scheme, place.bucket), place.key, content, mode="create")
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
        with _explained(all_of_it[0], "delete"):
            store = _store(scheme, bucket)
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
        with _explained(self._place, "read"):
            try:
                return bytes(self._reader.read(None if size < 0 else size))
            except FileNotFoundError:
                raise
            except OSError as error:  # which obstore makes of all that goes wrong here
                raise _unreachable(self._place, "read", error) from None

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


@contextmanager
def _explained(place: Remote, action: str) -> Iterator[None]:
    """Turn a store's errors into ours, which name the bucket, what was tried, and what may help."""
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError, exceptions.NotSupportedError):
        raise  # answers, for whoever asked
    except (FileNotFoundError, exceptions.NotFoundError) as error:
        if "NoSuchBucket" in str(error):
            raise StorageError(f"`{place.scheme}://{place.bucket}` must be a bucket, but is none") from None
        raise FileNotFoundError(str(place)) from None
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise StorageError(
            f"{place} must let us {action} it, but the store refuses ({_reason(error)}); set "
            f"{' and '.join(KEYS_OF[place.scheme])} to credentials that may {action} in {place.bucket}"
        ) from None
    except exceptions.BaseError as error:
        raise _unreachable(place, action, error) from None


def _unreachable(place: Remote, action: str, error: Exception) -> StorageError:
    return StorageError(
        f"{place} must be there to {action}, but the store gives: {_reason(error)}; {_where_to_look(place)}"
    )


def forget_stores() -> None:
    """Open stores anew, as where the environment has changed."""
    _store.cache_clear()


@cache
def _store(scheme: str, bucket: str) -> ObjectStore:
    """The store of a bucket, for this process."""
    from obstore.store import from_url

    options: dict[str, Any] = {
        "retry_config": {"max_retries": 10, "retry_timeout": PATIENCE},
        "client_options": dict(TIMEOUTS),
    }
    if scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        options["client_options"]["allow_http"] = endpoint.startswith("http://")
        options |= s3_credentials()
    return from_url(f"{scheme}://{bucket}", **options)


def _reason(error: Exception) -> str:
    """What a store says, in a line, of its XML the code and the message alone."""
    text = str(error)
    told = re.search(r"<Code>(.*?)</Code>(?:.*?<Message>(.*?)</Message>)?", text, re.DOTALL)
    if told:
        return ": ".join(part for part in told.groups() if part)
    status = re.search(r"status (\d{3}[^:<]*)", text)
    return status[1].strip() if status else first_line(error)[:200]


def _where_to_look(place: Remote) -> str:
    if place.scheme == "s3":
        return "see AWS_ENDPOINT_URL and AWS_REGION, and whether this machine reaches them"
    return "see whether this machine reaches it"
