"""Whose name to show to a store: that of environment, profile or role, or nobody's."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ray_qa.errors import StorageError, first_line
from ray_qa.storage.remote import Place, Remote

NAMED_IN_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
INSTANCE = "http://169.254.169.254/latest/api/token"
"""Where a machine of EC2 asks for the role it has."""
INSTANCE_SECONDS = 1.0
NOBODY: dict[str, Any] = {"skip_signature": True}
"""What to open any store with in nobody's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which buckets credentials are shown to: all, or where ``anonymous`` that of the output alone; holds none."""

    anonymous: bool = False
    output: Place | None = None


_access = Access()


def use_access(access: Access) -> None:
    """Open stores as ``access`` says from now on, in this process; each that opens some is told so first.

    Processes of Ray's serve one run after another: whoever is not told keeps to what was said for another.
    """
    global _access
    _access = access


def is_anonymous(scheme: str, bucket: str) -> bool:
    """Whether a bucket is opened in nobody's name because the user wants it so."""
    output = _access.output
    written = isinstance(output, Remote) and (output.scheme, output.bucket) == (scheme, bucket)
    return _access.anonymous and not written


def s3_credentials() -> dict[str, Any]:
    """What to open an S3 store with, by what this process finds in this order: keys, web identity or a container's role
    in the environment; a profile in the AWS files; the instance's role; else nobody's name, for public buckets.

    Raises:
        StorageError: if a profile is named, and boto3, which reads them, is not installed.
    """
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):
        return NOBODY
    if any(os.environ.get(name) for name in NAMED_IN_ENVIRONMENT):
        return {}
    if "AWS_PROFILE" in os.environ or _aws_file().exists():
        return _of_profile()
    return {} if _has_instance_role() else NOBODY


def _of_profile() -> dict[str, Any]:
    if find_spec("boto3") is None:
        raise StorageError(
            "`AWS_PROFILE` must be read by boto3, but that is not installed: pip install boto3, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return {"credential_provider": Boto3CredentialProvider()}
    except Exception as error:  # boto3 raises what its files provoke
        raise StorageError(
            f"`AWS_PROFILE` must name a profile with credentials, but boto3 gives: {first_line(error)}"
        ) from None


def _aws_file() -> Path:
    return Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser()


def _has_instance_role() -> bool:
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    request = urllib.request.Request(INSTANCE, method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    try:
        # The address is the cloud's own; a proxy has no business with it.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=INSTANCE_SECONDS):
            return True
    except (OSError, urllib.error.URLError):
        return False
