"""Opening the store of a bucket, and saying what is wrong with it.

A store is opened where it is used, by each process for itself: what it knows of credentials never travels.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from ray_qa.errors import StorageError, first_line
from ray_qa.storage.credentials import NOBODY, is_anonymous, s3_credentials
from ray_qa.storage.remote import Remote

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PATIENCE = timedelta(seconds=25)
"""How long a request is tried again after the first attempt."""
TIMEOUTS = {
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(hours=1),
}
"""Of a request: to be let in, between two pieces of the answer, and in all. Weights take minutes on a slow line."""
REFUSED = re.compile(r"AccessDenied|SignatureDoesNotMatch|InvalidAccessKeyId|\b40[13] (Forbidden|Unauthorized)")
"""What stores say to those whom they do not know, where obstore makes no error of its own of it."""
WITHOUT_NAME = re.compile(r"performing token request|must be specified")
"""What obstore says where it finds no credentials to show."""
KEYS_OF = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
    "abfs": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
}
"""Variables that a store takes its credentials from."""
ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "abfs": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
"""Variables that lead to another store than the provider's; one that begins with ``http://`` asks for plain HTTP."""


@contextmanager
def explained(place: Remote, action: str) -> Iterator[None]:
    """Turn a store's errors into ours, which name the bucket, what was tried, and what may help."""
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError, exceptions.NotSupportedError):
        raise  # answers, for whoever asked
    except (FileNotFoundError, exceptions.NotFoundError) as error:
        if "NoSuchBucket" in str(error):
            raise unreachable(place, action, error) from None
        raise FileNotFoundError(errno.ENOENT, "there is no such object", str(place)) from None
    except exceptions.BaseError as error:
        raise unreachable(place, action, error) from None


def unreachable(place: Remote, action: str, error: Exception) -> StorageError:
    """What to say where a store does not do what it is asked."""
    from obstore import exceptions

    if "NoSuchBucket" in str(error):
        return StorageError(f"{place} must lie in a bucket, but there is none of the name {place.bucket!r}")
    if WITHOUT_NAME.search(str(error)):
        return StorageError(
            f"{place} must be opened with credentials, but none are found here ({_reason(error)}); set "
            f"{' and '.join(KEYS_OF[place.scheme])}"
        )
    refused = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
    if isinstance(error, refused) or REFUSED.search(str(error)):
        keys = " and ".join(KEYS_OF[place.scheme])
        help_ = f"set {keys} to credentials that may {action} in {place.bucket}"
        if is_anonymous(place.scheme, place.bucket):
            help_ = "leave `anonymous` out, which shows it no credentials"
        return StorageError(f"{place} must let us {action} it, but the store refuses ({_reason(error)}); {help_}")
    return StorageError(
        f"{place} must be there to {action}, but the store gives: {_reason(error)}; {_where_to_look(place)}"
    )


def forget_stores() -> None:
    """Open stores anew, as where the environment has changed."""
    _opened.cache_clear()


def store_of(scheme: str, bucket: str) -> ObjectStore:
    """The store of a bucket, for this process."""
    return _opened(scheme, bucket, anonymous=is_anonymous(scheme, bucket))


@cache
def _opened(scheme: str, bucket: str, *, anonymous: bool) -> ObjectStore:
    from obstore.store import from_url

    options: dict[str, Any] = {
        "retry_config": {"max_retries": 10, "retry_timeout": PATIENCE},
        "client_options": dict(TIMEOUTS),
    }
    endpoint = next((value for name in ENDPOINTS[scheme] if (value := os.environ.get(name))), "")
    if endpoint.startswith("http://"):
        options["client_options"]["allow_http"] = True
    if anonymous:
        options |= NOBODY
    elif scheme == "s3":
        options |= s3_credentials()
    return from_url(f"{scheme}://{bucket}", **options)


def _reason(error: Exception) -> str:
    """What a store says, in a line, of its XML the code and the message alone."""
    text = str(error)
    told = re.search(r"<Code>(.*?)</Code>(?:.*?<Message>(.*?)</Message>)?", text, re.DOTALL)
    if told:
        return ": ".join(part for part in told.groups() if part)
    system = re.search(r'kind: \w+,\s*message: "([^"]+)"', text)
    if system:
        return system[1]
    line = first_line(error)
    return (line.rpartition(" - ")[2] or line)[:200]


def _where_to_look(place: Remote) -> str:
    if place.scheme == "s3":
        return "see AWS_ENDPOINT_URL and AWS_REGION, and whether this machine reaches them"
    return "see whether this machine reaches it"
