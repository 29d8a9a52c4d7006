"""What the tests of prepare share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output of a run."""
    return tmp_path / "out"
