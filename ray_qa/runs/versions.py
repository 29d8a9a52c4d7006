"""The versions of the packages that decide what a run gives, as its ``run.json`` and its card have them."""

from __future__ import annotations

import platform
from importlib.metadata import version

PACKAGES = ("ray_qa", "ray", "torch", "transformers", "tokenizers", "pyarrow", "numpy")


def package_versions() -> dict[str, str]:
    """The version of each of ``PACKAGES``, by name."""
    return {name: version(name) for name in PACKAGES}


def versions() -> dict[str, str]:
    """Python's version, and those of the packages."""
    return {"python": platform.python_version(), **package_versions()}
