"""docs/positions-and-scores.md, run: what it shows is what comes out."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest
import torch

from ray_qa.errors import ModelError
from ray_qa.reader.reader import Reader
from ray_qa.reader.transformers_logging import quiet_transformers

PAGE = Path(__file__).parents[3] / "docs" / "positions-and-scores.md"
BASE = "FacebookAI/roberta-base"


def test_what_the_page_shows_is_what_comes_out(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(shared / "tokenizers" / "roberta-base", tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(f'"{BASE}"') == 1
    shown = doctest.DocTestParser().get_doctest(
        text.replace(f'"{BASE}"', repr(str(tmp_path))), {}, PAGE.name, str(PAGE), 0
    )
    assert len(shown.examples) > 20
    said: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(shown, out=said.append)
    assert not results.failed, "".join(said)


def test_a_base_model_is_given_another_random_span_head_each_time_and_is_refused_here(tiny_base: Path) -> None:
    from transformers import RobertaForQuestionAnswering

    with quiet_transformers(), torch.inference_mode():
        heads = [
            RobertaForQuestionAnswering.from_pretrained(tiny_base).qa_outputs.weight  # as the documentation does it
            for _ in range(2)
        ]
    assert not torch.equal(*heads)
    with pytest.raises(ModelError, match="must have a trained span head"):
        Reader.load(str(tiny_base), backend="torch", device="cpu")
