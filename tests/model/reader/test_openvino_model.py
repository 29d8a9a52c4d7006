"""The OpenVINO engine against torch in float32, on tiny models of every kind that is known to convert."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from ray_qa.errors import ConfigError, ModelError
from ray_qa.reader import openvino_conversion
from ray_qa.reader.cpu import X86_BFLOAT16, cpu_features
from ray_qa.reader.model_cache import cache_folder
from ray_qa.reader.model_files import find_model
from ray_qa.reader.openvino_conversion import CONVERTIBLE, converted_model
from ray_qa.reader.reader import Reader
from ray_qa.reader.span_model import SpanModel
from ray_qa.records import Row
from ray_qa.settings import ModelSettings, ReadingSettings
from tests.model.conftest import EXACT
from tests.tiny import TEXT, TOKENIZER_OF, tiny_model

pytest.importorskip("openvino")
NATIVE = pytest.mark.skipif(not cpu_features() & X86_BFLOAT16, reason="this CPU has no bfloat16 of its own")
SETTINGS = ReadingSettings(max_tokens=96, stride=24, max_question_tokens=24, n_best=3)
ROWS = [
    Row(question=question, context=f"{context} {' '.join(TEXT[:length])}")
    for length in range(6)
    for question, context in zip(TEXT[:4], TEXT[3:7], strict=True)
]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("RAY_QA_CACHE", str(folder))
        yield folder


def reader(folder: Path, **options: Any) -> Reader:
    return Reader.load(str(folder), settings=SETTINGS, device="cpu", **options)


def real_rows(shared: Path) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    table = pq.read_table(shared / "data" / "squad_v2_dev_a.parquet", columns=["question", "context"])
    rows: list[dict[str, str]] = table.slice(0, 40).to_pylist()
    return rows


def test_every_kind_that_is_said_to_convert_is_tried_here() -> None:
    assert TOKENIZER_OF.keys() == CONVERTIBLE


@pytest.mark.parametrize("model_type", TOKENIZER_OF)
def test_in_float32_answers_are_those_of_torch(model_type: str, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, model_type)
    expected = reader(folder, **EXACT).read(ROWS)
    found = reader(folder, dtype="float32", backend="openvino", batch_tokens=200).read(ROWS)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.status, ours.windows) == (theirs.status, theirs.windows)
        assert ours.start_score == pytest.approx(theirs.start_score, abs=1e-3)
        assert ours.end_score == pytest.approx(theirs.end_score, abs=1e-3)
        assert ours.null_score == pytest.approx(theirs.null_score, abs=1e-3)
        assert ours.log_partition == pytest.approx(theirs.log_partition, abs=1e-3)
        first, second = (span.start_score + span.end_score for span in theirs.n_best[:2])
        if first - second > 1e-3:
            assert (ours.start, ours.end) == (theirs.start, theirs.end)


@NATIVE
@pytest.mark.parametrize("model_type", ["roberta", "bert"])
def test_in_bfloat16_scores_are_near_those_of_float32(model_type: str, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, model_type)
    expected = reader(folder, **EXACT).read(ROWS)
    found = reader(folder, dtype="bfloat16", backend="openvino").read(ROWS)
    errors = [
        abs((ours.null_score or 0.0) - (theirs.null_score or 0.0)) for ours, theirs in zip(found, expected, strict=True)
    ]
    assert np.mean(errors) < 0.2  # logits of these models spread over some 20


def test_real_rows_have_the_answers_that_torch_gives_them(shared: Path) -> None:
    rows = real_rows(shared)
    model = str(shared / "models" / "minilm-squad")
    expected = Reader.load(model, device="cpu", **EXACT).read(rows)
    exact = Reader.load(model, device="cpu", dtype="float32", backend="openvino").read(rows)
    assert [each.answer for each in exact] == [each.answer for each in expected]


@NATIVE
def test_real_rows_have_nearly_the_answers_in_bfloat16_that_torch_gives_them_in_float32(shared: Path) -> None:
    rows = real_rows(shared)
    model = str(shared / "models" / "minilm-squad")
    expected = Reader.load(model, device="cpu", **EXACT).read(rows)
    rounded = Reader.load(model, device="cpu", dtype="bfloat16", backend="openvino").read(rows)
    same = sum(ours.answer == theirs.answer for ours, theirs in zip(rounded, expected, strict=True))
    assert same >= 0.9 * len(rows)


def test_a_model_is_converted_once_and_found_by_other_processes(tmp_path: Path, own_cache: Path) -> None:
    folder = tiny_model(tmp_path, "bert", seed=7)
    before = set(own_cache.rglob("encoder.xml"))
    script = (
        "from ray_qa.reader.model_files import find_model\n"
        "from ray_qa.reader.openvino_conversion import converted_model\n"
        f"print(converted_model(find_model({str(folder)!r})).network)"
    )
    both = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    networks = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    (made,) = set(own_cache.rglob("encoder.xml")) - before
    assert networks == {str(made)}
    stamp = made.stat().st_mtime_ns
    assert converted_model(find_model(str(folder))).network == made
    assert made.stat().st_mtime_ns == stamp
    assert not list((own_cache / "openvino").glob(".*.draft"))
    untouched = tiny_model(tmp_path / "untouched", "bert")
    assert {path.name for path in folder.iterdir()} - {"untouched"} == {path.name for path in untouched.iterdir()}


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    networks = {
        converted_model(find_model(str(tiny_model(tmp_path / str(seed), "bert", seed=seed)))).network for seed in (1, 2)
    }
    assert len(networks) == 2


def test_the_cache_is_where_the_environment_says_else_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_QA_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("RAY_QA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "ray_qa"


def test_hidden_states_that_are_no_numbers_fail_their_rows_alone(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "roberta")
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
    token = transformers.AutoTokenizer.from_pretrained(folder)("ꙮ", add_special_tokens=False)["input_ids"][0]
    with torch.no_grad():
        model.get_input_embeddings().weight[token] = torch.nan
    model.save_pretrained(folder)
    bad, good = reader(folder, backend="openvino").read([Row(question="Who?", context="a ꙮ b"), ROWS[0]])
    assert (bad.status, bad.reason) == ("failed", "not_finite")
    assert good.status != "failed"


def test_lengths_are_padded_to_few_and_never_beyond_the_models_positions(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "bert")
    config = json.loads((folder / "config.json").read_text())
    settings = ReadingSettings(max_tokens=config["max_position_embeddings"], stride=8, max_question_tokens=24)
    context = " ".join(TEXT * 12)
    exact: dict[str, Any] = {"dtype": "float32", "backend": "openvino"}
    ours = Reader.load(str(folder), settings=settings, device="cpu", **exact).answer("Who?", context)
    theirs = Reader.load(str(folder), settings=settings, device="cpu", **EXACT).answer("Who?", context)
    assert ours.windows == theirs.windows > 1
    assert ours.null_score == pytest.approx(theirs.null_score, abs=1e-3)


def test_openvino_that_is_not_installed_is_refused_with_how_to_get_it(
    tiny_reader_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_conversion, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"openvino is not: pip install 'ray_qa\[openvino\]', or use --backend torch"):
        reader(tiny_reader_folder, backend="openvino")


def test_devices_and_arithmetics_that_openvino_does_not_have_here(tiny_reader_folder: Path) -> None:
    with pytest.raises(ModelError, match="`device` must be cpu with `backend` openvino, but is cuda"):
        Reader.load(str(tiny_reader_folder), device="cuda", backend="openvino")
    with pytest.raises(ModelError, match="`dtype` must be float32, bfloat16 or int8 with OpenVINO, but is 'float16'"):
        Reader.load(str(tiny_reader_folder), dtype="float16", backend="openvino")
    if not cpu_features() & X86_BFLOAT16:
        with pytest.raises(
            ModelError, match="`dtype` must be float32 with OpenVINO on a CPU without bfloat16 of its own"
        ):
            Reader.load(str(tiny_reader_folder), dtype="bfloat16", backend="openvino")
    with pytest.raises(ConfigError, match="`backend` must be auto, torch or openvino, but is 'onnx'"):
        Reader.load(str(tiny_reader_folder), backend="onnx")
    with pytest.raises(ConfigError, match="`device` must be cpu with `backend` openvino, but is cuda"):
        ModelSettings(backend="openvino", device="cuda")
    with pytest.raises(
        ConfigError, match="`dtype` must be float32, bfloat16 or int8 with `backend` openvino, but is float16"
    ):
        ModelSettings(backend="openvino", dtype="float16")
    assert ModelSettings(backend="openvino").runs_on == "cpu"


def test_converting_says_nothing_and_reports_nothing_to_the_makers_of_openvino(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "bert", seed=9)
    script = (
        "import sys\n"
        "from ray_qa import Reader\n"
        f"Reader.load({str(folder)!r}, device='cpu', backend='openvino')\n"
        "print(sys.modules.get('openvino_telemetry'))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "None"
    assert ran.stderr == ""


def test_where_openvino_cannot_run_a_model_torch_does_unless_openvino_is_asked_for(
    tiny_reader_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_QA_CACHE", str(tmp_path / "file"))
    found = reader(tiny_reader_folder, dtype="float32")
    assert isinstance(found.backend, SpanModel)
    (told,) = caplog.messages
    assert told.startswith("torch runs the model: `RAY_QA_CACHE` must name a folder that can be written to")
    assert found.read(ROWS) == reader(tiny_reader_folder, **EXACT).read(ROWS)


def test_threads_may_share_a_reader(tiny_reader_folder: Path) -> None:
    shared = reader(tiny_reader_folder, backend="openvino", dtype="float32")
    expected = shared.read(ROWS)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: shared.read(ROWS), range(8))) == [expected] * 8


def test_what_openvino_raises_comes_in_our_words(tiny_reader_folder: Path) -> None:
    class Failing:
        def __init__(self, message: str) -> None:
            self.message = message

        def infer(self, _: object) -> None:
            raise RuntimeError(self.message)

    def with_error(message: str) -> Reader:
        loaded = reader(tiny_reader_folder, backend="openvino", dtype="float32")
        return replace(loaded, backend=replace(loaded.backend, request=Failing(message)))  # type: ignore[type-var]  # it is a record

    with pytest.raises(ModelError, match=r"^`backend` must be able to run the model, but OpenVINO gives: no such "):
        with_error("no such operation\nat line 5").read(ROWS)
    assert {answer.reason for answer in with_error("Failed to allocate 99 bytes").read(ROWS)} == {"out_of_memory"}


def test_a_cache_that_cannot_be_written_to_is_refused_in_one_line(
    tiny_reader_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_QA_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError) as refused:
        reader(tiny_reader_folder, backend="openvino")
    assert str(refused.value).startswith(
        f"`RAY_QA_CACHE` must name a folder that can be written to, but {tmp_path / 'file'} gives: "
    )
