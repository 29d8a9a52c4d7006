"""The versions of the packages that decide what a run gives, as its ``run.json`` and its card have them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("ray_qa", "ray", "torch", "transformers", "tokenizers", "pyarrow", "numpy")
OPTIONAL = ("openvino", "nncf")


def package_versions() -> dict[str, str]:
    """The version of each of ``PACKAGES``, by name."""
    return {name: version(name) for name in PACKAGES}


def versions() -> dict[str, str]:
    """Python's version, and those of the packages, the optional ones where they are installed."""
    return {"python": platform.python_version(), **package_versions(), **_optional_versions()}


def _optional_versions() -> dict[str, str]:
    found = {}
    for name in OPTIONAL:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
