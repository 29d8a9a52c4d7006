"""Markers by folder, and what several rings share. Imports nothing heavy: the unit ring runs without torch."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Models that are converted once need not be converted by every run of the tests.
os.environ["RAY_QA_CACHE"] = str(TESTS.parent / ".pytest_cache" / "ray_qa")
SHARED = TESTS.parent.parent / "shared"
RINGS = ("cluster", "model", "stores", "gpu", "unit")
"""The slowest first: files go to two workers whole, and a slow one at the end would keep one of them idle."""
# Started in the background of a script, Python leaves Ctrl-C ignored: tests that send it need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests under tests/model, tests/cluster, tests/stores and tests/gpu carry the marker of that name."""
    for item in items:
        if _ring(item) != "unit":
            item.add_marker(getattr(pytest.mark, _ring(item)))
    items.sort(key=lambda item: RINGS.index(_ring(item)))


def _ring(item: pytest.Item) -> str:
    ring = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    return ring if ring in RINGS else "unit"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """GPU tests are skipped where there is no GPU."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("torch finds no CUDA device")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data, models and golden outputs that lies beside the repository on some machines."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    return SHARED


@pytest.fixture(scope="session")
def tiny_reader_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa question answerer with random weights."""
    from tests.tiny import tiny_reader

    return tiny_reader(tmp_path_factory.mktemp("tiny-reader"))


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa encoder with random weights, without a span head."""
    from transformers import AutoModel

    from tests.tiny import tiny_model

    return tiny_model(tmp_path_factory.mktemp("tiny-base"), "roberta", class_of=AutoModel)
