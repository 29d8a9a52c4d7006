"""Commands that cannot work end with exit code 2 and one line that says why, before Ray is reached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from transformers import AutoModel

from ray_qa.cli.main import main
from tests.cluster import corpora
from tests.tiny import tiny_model

Refused = Callable[..., list[str]]
"""Gives a command's lines on standard error after it was refused; takes flags that come after those that would do."""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return corpora.write(tmp_path / "in.parquet", corpora.plain(20))


@pytest.fixture
def refused(
    corpus: Path,
    tiny_reader_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Refused:
    def fail(address: str | None) -> None:
        raise AssertionError(f"Ray was about to be started ({address})")

    monkeypatch.setattr("ray_qa.annotation.running.connected", fail)
    output = tmp_path / "out"

    def run(*flags: str) -> list[str]:
        usual = {"--input": corpus, "--output": output, "--model": tiny_reader_folder}
        others = [str(part) for flag, value in usual.items() if flag not in flags for part in (flag, value)]
        assert main(["annotate", *others, *flags]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert not output.exists() or not list(output.iterdir())
        return printed.err.splitlines()

    return run


def test_a_missing_column_is_named_with_the_columns_that_are_there(refused: Refused) -> None:
    assert refused("--question-column", "frage") == [
        "ray-qa annotate: `question_column` must name one column of the input, but is 'frage'; "
        "there are: id, question, context"
    ]


def test_a_column_without_text_is_named_with_its_type(refused: Refused) -> None:
    assert refused("--context-column", "id") == [
        "ray-qa annotate: `context_column` must name a text column, but 'id' is int64"
    ]


def test_a_kept_column_that_is_not_there_is_named(refused: Refused) -> None:
    (line,) = refused("--keep", "id", "titel")
    assert "`keep`" in line
    assert "'titel'" in line


@pytest.mark.parametrize(("content", "found"), [(None, "nothing"), (b"", "empty"), (b"id,question\n1,who?\n", "")])
def test_an_input_that_is_missing_empty_or_no_parquet_is_named(
    refused: Refused, tmp_path: Path, content: bytes | None, found: str
) -> None:
    path = tmp_path / "other.parquet"
    if content is not None:
        path.write_bytes(content)
    (line,) = refused("--input", str(path))
    assert str(path) in line
    assert "`input`" in line
    assert found in line


def test_a_truncated_input_is_named(refused: Refused, corpus: Path) -> None:
    content = corpus.read_bytes()
    corpus.write_bytes(content[: len(content) // 2])
    (line,) = refused()
    assert str(corpus) in line
    assert "truncated" in line


def test_a_folder_without_parquet_files_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (line,) = refused("--input", str(tmp_path / "folder"))
    assert f"{tmp_path / 'folder'} leads to no row file" in line


def test_an_input_without_rows_is_named(refused: Refused, tmp_path: Path) -> None:
    path = corpora.write(tmp_path / "none.parquet", corpora.plain(0))
    (line,) = refused("--input", str(path))
    assert "must have rows" in line
    assert str(path) in line


def test_files_whose_schemas_differ_are_named_with_the_first_difference(
    refused: Refused, corpus: Path, tmp_path: Path
) -> None:
    table = corpora.plain(3)
    other = table.set_column(0, "id", table["id"].cast(pa.string()))
    path = corpora.write(tmp_path / "other.parquet", other)
    (line,) = refused("--input", str(corpus), str(path))
    assert f"{path} has 'id' as string, {corpus} as int64" in line


def test_an_input_column_that_bears_an_added_name_is_named(refused: Refused, corpus: Path) -> None:
    table = corpora.plain(3)
    corpora.write(corpus, table.append_column("answer", table["context"]))
    (line,) = refused()
    assert "'answer'" in line
    assert "--prefix" in line
    assert "--keep" in line


def test_an_output_that_is_a_file_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("precious")
    assert refused("--output", str(tmp_path / "notes")) == [
        f"ray-qa annotate: `output` must be a folder, but {tmp_path / 'notes'} is a file"
    ]
    assert (tmp_path / "notes").read_text() == "precious"


def test_an_output_within_the_input_is_refused(refused: Refused, tmp_path: Path) -> None:
    (line,) = refused("--input", str(tmp_path), "--output", str(tmp_path / "new"))
    assert f"`output` must lie outside the folders that are read, but {tmp_path / 'new'} is in {tmp_path}" in line


def test_a_checkpoint_without_a_trained_span_head_is_refused_with_what_to_do(refused: Refused, tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base", "roberta", class_of=AutoModel)
    (line,) = refused("--model", str(base))
    assert str(base) in line
    assert "qa_outputs" in line
    assert "fine-tune" in line


def test_a_model_that_does_not_exist_is_named(refused: Refused, tmp_path: Path) -> None:
    (line,) = refused("--model", str(tmp_path / "nowhere"))
    assert "`model`" in line
    assert str(tmp_path / "nowhere") in line


def test_pickled_weights_are_refused_by_name(refused: Refused, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "pickled", "roberta")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (line,) = refused("--model", str(folder))
    assert "safetensors" in line
    assert "pytorch_model.bin" in line


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--stride", "320"], "`stride` must be less than the window's room for context (at most 320), but is 320"),
        (["--stride", "317"], "`stride` must be less than the window's room for context (316), but is 317"),
        (["--max-tokens", "513"], "`max_tokens` must be at most the model's positions (512), but is 513"),
        (["--replicas", "4:2"], "`replicas` must be auto, N, or MIN:MAX with 1 ≤ MIN ≤ MAX, but is '4:2'"),
        (["--config", "/no/job.yaml"], "`config` must be a YAML file that can be read, but /no/job.yaml gives"),
    ],
)
def test_settings_that_cannot_work_are_named(refused: Refused, flags: list[str], expected: str) -> None:
    (line,) = refused(*flags)
    assert line.startswith(f"ray-qa annotate: {expected}")


def test_problems_that_do_not_depend_on_each_other_are_told_together(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    lines = refused("--output", str(tmp_path / "full"), "--question-column", "frage", "--model", "no/such/model")
    assert ["thesis.tex" in lines[0], "frage" in lines[1], "no/such/model" in lines[2]] == [True] * 3
    assert len(lines) == 3


def test_a_refused_command_prints_one_line_and_ends_with_code_2_as_a_process_too(corpus: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ray_qa", "annotate", "--input", str(corpus), "--output", str(tmp_path / "o")]
    done = subprocess.run(
        [*command, "--question-column", "frage"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "RAY_ADDRESS": "10.255.255.1:6379"},  # leads nowhere: reaching for Ray would show
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "'frage'" in line
    assert not (tmp_path / "o").exists()
