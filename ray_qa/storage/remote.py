"""Places in object stores and distributed file systems, as they are written down: ``s3://bucket/key``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ray_qa.errors import ConfigError

WRITABLE = ("s3", "gs", "az", "abfs")
"""Schemes of stores that objects can be read from and published to."""
READ_ONLY = ("hdfs", "viewfs")
"""Schemes of file systems that rows are read from, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """An object, or all objects whose keys begin with its key and a slash; holds no credentials.

    Of a file system the bucket is its address, "" being the one that the node's own settings name.
    """

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/")

    def __truediv__(self, name: str) -> Remote:
        return Remote(scheme=self.scheme, bucket=self.bucket, key=f"{self.key}/{name}".lstrip("/"))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def parent(self) -> Remote:
        """What the name lies in."""
        return Remote(scheme=self.scheme, bucket=self.bucket, key=self.key.rpartition("/")[0])


MISTYPED = re.compile(r"(s3|gs|az|abfs)(?::/?|//)(?!/)")
"""How a URL begins that lacks a character."""

Place = Path | Remote
"""Where something lies or is to lie."""


def is_url(text: str) -> bool:
    """Whether a text names a place by its scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def place_of(text: str, setting: str) -> Place:
    """The place that a text names; ``file://`` is a path of this machine.

    Args:
        text: a path or a URL.
        setting: the name of the setting it is given for.

    Raises:
        ConfigError: if it is a URL with credentials, of a scheme that is not known, or without a bucket.
    """
    if not is_url(text):
        typed = MISTYPED.match(text)
        if typed and not Path(Path(text).parts[0]).exists():
            raise ConfigError(
                f"`{setting}` must be a path or a URL, but is {text}; did you mean {typed[1]}://{text[typed.end() :]}?"
            )
        return Path(text).expanduser()
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise ConfigError(f"`{setting}` must be a path or a URL, but is none: {error}") from None
    scheme = {"s3a": "s3", "gcs": "gs", "azure": "az", "abfss": "abfs"}.get(url.scheme.lower(), url.scheme.lower())
    if scheme == "file":
        return Path(text.partition("://")[2].removeprefix("localhost"))
    # Only what cannot be a secret is shown.
    shown = f"{scheme}://{url.hostname or ''}{url.path}"
    if scheme not in WRITABLE and (scheme not in READ_ONLY or setting in ("output", "model")):
        why = f", as {scheme}:// is for reading rows only" if scheme in READ_ONLY else ""
        raise ConfigError(
            f"`{setting}` must be a path, or a URL of {', '.join(f'{each}://' for each in WRITABLE)}{why}, "
            f"but is {shown}"
        )
    if url.password is not None or (url.username is not None and scheme not in ("abfs", *READ_ONLY)):
        raise ConfigError(f"`{setting}` must be without credentials, which belong in the environment, but has some")
    bucket, key = text.partition("://")[2].partition("/")[::2]
    if not bucket and scheme in WRITABLE:
        raise ConfigError(f"`{setting}` must name a bucket, but is {shown}")
    names = [name for name in key.split("/") if name]
    if any(name in (".", "..") for name in names):
        raise ConfigError(f"`{setting}` must be a URL without . and .., but is {shown}")
    return Remote(scheme=scheme, bucket=bucket, key="/".join(names))
