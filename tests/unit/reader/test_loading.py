from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ray_qa.errors import ModelError
from ray_qa.reader import loading
from ray_qa.reader.model_files import ModelFiles
from ray_qa.settings import WindowSettings


def test_what_no_engine_can_run_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ModelError("it lacks a head")

    monkeypatch.setattr(loading, "model_kind", lambda _: "bert")
    monkeypatch.setattr(loading, "engine_on_cpu", lambda *_: SimpleNamespace(backend="openvino", dtype="float32"))
    monkeypatch.setattr(loading, "load_openvino_model", refuse)
    monkeypatch.setattr(loading, "_with_torch", refuse)
    files = cast(ModelFiles, SimpleNamespace(folder=tmp_path))
    with caplog.at_level("WARNING"), pytest.raises(ModelError, match="it lacks a head"):
        loading.load_model(
            files, backend="auto", device="cpu", dtype="auto", threads=1, calibration=None, settings=WindowSettings()
        )
    assert caplog.messages == []
