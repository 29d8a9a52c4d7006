from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ray_qa import Reader, ReadingSettings, Row
from ray_qa.errors import ConfigError, ModelError
from ray_qa.reader import quantization
from ray_qa.settings import ModelSettings
from tests.tiny import TEXT, tiny_model

pytest.importorskip("nncf")
SETTINGS = ReadingSettings(max_tokens=96, stride=24, max_question_tokens=24)
ROWS = [Row(question=question, context=context) for question in TEXT[:4] for context in TEXT[3:7]]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("RAY_QA_CACHE", str(folder))
        yield folder


def reader(folder: Path, dtype: str, **options: Any) -> Reader:
    return Reader.load(str(folder), settings=SETTINGS, device="cpu", backend="openvino", dtype=dtype, **options)


SLOW_KINDS = [
    pytest.param(kind, marks=pytest.mark.slow) for kind in ("bert", "xlm-roberta", "deberta-v2", "modernbert")
]


@pytest.mark.parametrize("model_type", ["roberta", *SLOW_KINDS])
def test_scores_in_int8_are_near_those_of_float32_and_protected_layers_stay_as_they_are(
    model_type: str, tmp_path: Path, own_cache: Path
) -> None:
    folder = tiny_model(tmp_path, model_type)
    exact = reader(folder, "float32").read(ROWS)
    rounded, found = [], {}
    for protected in (False, True):
        before = set((own_cache / "int8").glob("*/encoder.xml"))
        found[protected] = reader(folder, "int8", calibration=ROWS, protected=protected).read(ROWS)
        (network,) = set((own_cache / "int8").glob("*/encoder.xml")) - before
        rounded.append(network.read_text().count('type="FakeQuantize"'))
    scores = np.array(
        [[ours.null_score or 0.0, theirs.null_score or 0.0] for ours, theirs in zip(found[False], exact, strict=True)]
    )
    errors = np.abs(scores[:, 0] - scores[:, 1])
    # The median: a network of random weights may be far off in one row, and in which row depends on the CPU.
    assert 0 < np.median(errors) < 0.25 * max(1.0, np.abs(scores[:, 1]).mean())
    assert 0 < rounded[1] < rounded[0]


@pytest.mark.slow
def test_real_rows_have_nearly_the_answers_in_int8_that_float32_gives(shared: Path) -> None:
    table = pq.read_table(shared / "data" / "squad_v1_dev_a.parquet", columns=["question", "context"])
    rows: list[dict[str, str]] = table.to_pylist()[::20]
    model = shared / "models" / "minilm-squad"
    held, rest = rows[:60], rows[60:160]
    exact = Reader.load(str(model), device="cpu", backend="openvino", dtype="float32").read(held)
    rounded = Reader.load(str(model), device="cpu", backend="openvino", dtype="int8", calibration=rest).read(held)
    same = sum(ours.answer == theirs.answer for ours, theirs in zip(rounded, exact, strict=True))
    assert same >= 0.8 * len(held)


def test_a_model_is_quantised_once_for_the_same_rows(tmp_path: Path, own_cache: Path) -> None:
    folder = tiny_model(tmp_path, "bert", seed=3)
    first = reader(folder, "int8", calibration=ROWS).read(ROWS)
    made = set((own_cache / "int8").glob("*/encoder.xml"))
    assert reader(folder, "int8", calibration=ROWS).read(ROWS) == first
    assert set((own_cache / "int8").glob("*/encoder.xml")) == made
    reader(folder, "int8", calibration=ROWS[:5])
    assert len(set((own_cache / "int8").glob("*/encoder.xml")) - made) == 1
    assert {path.name for path in folder.iterdir()}.isdisjoint({"encoder.xml", "encoder.bin"})


def test_int8_says_what_it_lacks(tiny_reader_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^`calibration` must name rows to calibrate int8 on, but there are none$"):
        reader(tiny_reader_folder, "int8")
    with pytest.raises(ModelError, match=r"^`calibration` must have rows that can be scored, but has none$"):
        reader(tiny_reader_folder, "int8", calibration=[Row(question="", context="b")])
    with pytest.raises(ConfigError, match=r"^`backend` must be openvino with `dtype` int8, but is torch$"):
        ModelSettings(dtype="int8", backend="torch")
    with pytest.raises(ConfigError, match=r"^`device` must be cpu with `dtype` int8, but is cuda$"):
        ModelSettings(dtype="int8", device="cuda")
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"but int8 needs nncf: pip install 'ray_qa\[int8\]'$"):
        reader(tiny_reader_folder, "int8", calibration=ROWS)
