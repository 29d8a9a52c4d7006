from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """A finished output of five rows in three parts: two answers, one failed row, two without an answer."""
    return write_output(tmp_path / "annotated", ROWS, ANSWERS)
