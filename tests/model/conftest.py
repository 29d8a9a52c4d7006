"""What the model ring shares: tokenizers of every family, tiny readers, the embedded model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.reader import Reader
from ray_qa.reader.span_model import SpanModel
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.settings import ReadingSettings
from tests.tiny import TOKENIZER_FAMILIES, TokenizerFamily, save_tokenizer

SMALL = ReadingSettings(max_tokens=40, stride=8, max_question_tokens=12, max_answer_tokens=10)
"""Windows so short that a paragraph gives several."""

OpenReader = Callable[..., Reader]

EXACT: dict[str, Any] = {"backend": "torch", "dtype": "float32"}
"""What an oracle computes with."""


def span_model_of(reader: Reader) -> SpanModel:
    """The torch model of a reader."""
    assert isinstance(reader.backend, SpanModel)
    return reader.backend


class PairTokenizers(dict[TokenizerFamily, PairTokenizer]):
    """A tokenizer of every family; prints short where hypothesis shows what failed."""

    def __repr__(self) -> str:
        return f"<tokenizers {', '.join(self)}>"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """One thread: tiny models lose by sharing, and on a busy machine torch's threads burn time waiting."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread_again() -> Iterator[None]:
    """Training in this process sets threads of its own: the tests that follow have one again."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[TokenizerFamily, Path]:
    """A tokenizer of every family, as a folder."""
    return {family: save_tokenizer(tmp_path_factory.mktemp(family), family) for family in TOKENIZER_FAMILIES}


@pytest.fixture(scope="session")
def tokenizers(tokenizer_folders: dict[TokenizerFamily, Path]) -> PairTokenizers:
    """A tokenizer of every family."""
    return PairTokenizers({family: load_pair_tokenizer(folder) for family, folder in tokenizer_folders.items()})


@pytest.fixture(params=TOKENIZER_FAMILIES)
def tokenizer(request: pytest.FixtureRequest, tokenizers: PairTokenizers) -> PairTokenizer:
    """Each family's tokenizer in turn."""
    return tokenizers[request.param]


@pytest.fixture(scope="session")
def tiny(tiny_reader_folder: Path) -> Reader:
    """The tiny RoBERTa, with windows of 40 tokens."""
    return Reader.load(str(tiny_reader_folder), settings=SMALL, device="cpu", **EXACT)


@pytest.fixture(scope="session")
def open_tiny(tiny: Reader) -> OpenReader:
    """The tiny RoBERTa with some settings changed."""

    def with_settings(**changes: object) -> Reader:
        settings = ReadingSettings.model_validate(SMALL.model_dump() | changes)
        return Reader(tokenizer=tiny.tokenizer, backend=tiny.backend, settings=settings, budget=tiny.budget)

    return with_settings


@pytest.fixture(scope="session")
def embedded() -> Reader:
    """The model that comes with the package, with default settings."""
    return Reader.load("embedded", device="cpu", **EXACT)
