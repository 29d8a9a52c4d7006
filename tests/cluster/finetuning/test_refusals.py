"""Fine-tuning that cannot work ends with exit code 2 and one line that says why, before any worker starts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import transformers
from transformers import AutoModel

from ray_qa.cli.main import main
from ray_qa.cluster.connection import Cluster
from ray_qa.cluster.placement import Node
from ray_qa.runs.ownership import output_lock
from tests.model.finetuning.training_rows import questions
from tests.tiny import save_model, save_tokenizer

Refused = Callable[..., list[str]]
"""Gives a command's lines on standard error after it was refused; takes flags that come after those that would do."""
SMALL = ["--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    pq.write_table(questions(20), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.fixture
def refused(
    tiny_base: Path,
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Refused:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("Ray was about to be started")

    monkeypatch.setattr("ray_qa.finetuning.finetune.connected", fail)
    output = tmp_path / "out"

    def run(*flags: str) -> list[str]:
        usual = {"--train": rows, "--output": output, "--model": tiny_base}
        others = [str(part) for flag, value in usual.items() if flag not in flags for part in (flag, value)]
        assert main(["finetune", *others, *SMALL, *flags]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert not output.exists()
        return printed.err.splitlines()

    return run


def written(path: Path, table: pa.Table) -> str:
    pq.write_table(table, path)
    return str(path)


def test_an_empty_training_set(refused: Refused, tmp_path: Path) -> None:
    path = written(tmp_path / "empty.parquet", questions(3).slice(0, 0))
    assert refused("--train", path) == [f"ray-qa finetune: `train` must have rows, but {path} has none"]


def test_no_row_with_an_answer(refused: Refused, tmp_path: Path) -> None:
    path = written(tmp_path / "none.parquet", questions(5, unanswerable=1.0))
    assert refused("--train", path) == [
        f"ray-qa finetune: `train` must have rows with an answer, but none of the 5 of {path} has one; "
        "is the column `answers` filled?"
    ]


def test_an_evaluation_file_without_answers(refused: Refused, tmp_path: Path) -> None:
    bare = written(tmp_path / "bare.parquet", questions(5).drop_columns(["answers", "malformed"]))
    unanswerable = written(tmp_path / "none.parquet", questions(5, unanswerable=1.0))
    assert refused("--eval", bare) == [
        f"ray-qa finetune: `eval` must have one column 'answers', but {bare} has id, question, context; "
        "name yours with --answers-column"
    ]
    assert refused("--eval", unanswerable)[0].startswith("ray-qa finetune: `eval` must have rows with an answer, but")


def test_what_lies_in_a_folder_of_rows_and_is_not_read_is_named(refused: Refused, rows: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    rows.rename(tmp_path / "folder" / "rows.parquet")
    (tmp_path / "folder" / "notes.csv").touch()
    passed_over, line = refused("--train", str(tmp_path / "folder"), "--model", str(tmp_path / "no-model"))
    assert passed_over == f"ray-qa finetune: `train` passes over {tmp_path / 'folder' / 'notes.csv'}"
    assert "`model` must" in line


def test_a_base_that_is_no_encoder_with_a_span_head(refused: Refused, tmp_path: Path) -> None:
    decoder = save_tokenizer(tmp_path / "gpt2", "byte_level_bpe")
    save_model(decoder, AutoModel, transformers.GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=500))
    seq2seq = save_tokenizer(tmp_path / "t5", "byte_level_bpe")
    save_model(
        seq2seq,
        AutoModel,
        transformers.T5Config(d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, vocab_size=500),
    )
    for folder in (decoder, seq2seq):
        (line,) = refused("--model", str(folder))
        assert line.startswith("ray-qa finetune: `model` must be an encoder")
        assert str(folder) in line


def test_what_is_wrong_in_several_places_is_said_together(refused: Refused, tmp_path: Path) -> None:
    lines = refused("--train", "nowhere/*.parquet", "--eval", str(tmp_path / "no.json"), "--model", "nowhere/at/all")
    assert [line.split("`")[1] for line in lines] == ["train", "eval", "model"]


def test_settings_out_of_range_are_all_named(refused: Refused) -> None:
    flags = ["--learning-rate", "0", "--batch-size", "many", "--freeze", "heads", "--schedule", "steps"]
    assert refused(*flags) == [
        "ray-qa finetune: `batch_size` must be a whole number, but is 'many'",
        "ray-qa finetune: `learning_rate` must be greater than 0.0, but is 0",
        "ray-qa finetune: `schedule` must be 'linear', 'cosine' or 'constant', but is 'steps'",
        "ray-qa finetune: `freeze` must be none, embeddings or layers:K, but is 'heads'",
    ]


def test_an_output_that_holds_something_else(refused: Refused, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").touch()
    assert refused("--output", str(foreign)) == [
        "ray-qa finetune: `output` must be a new folder, an empty one, or one that ray-qa finetune made, but "
        f"{foreign} holds 'thesis.tex'; name another"
    ]


def test_a_base_or_rows_that_lie_in_the_output(refused: Refused, tiny_base: Path, rows: Path) -> None:
    for flags, setting in (
        (["--output", str(tiny_base), "--overwrite"], "model"),
        (["--output", str(rows.parent), "--overwrite"], "train"),
    ):
        lines = refused(*flags)
        assert any(f"`{setting}` must lie outside the output, but" in line for line in lines)
    assert (tiny_base / "model.safetensors").exists()
    assert rows.exists()


def test_a_second_command_at_work_in_the_same_output(
    tiny_base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    (output / "checkpoints" / "checkpoint-0000005").mkdir(parents=True)
    (output / ".ray_qa").mkdir()
    (output / ".ray_qa" / "plan.json").touch()
    machine = Cluster(private=True, nodes=(Node(cpus=2, gpus=0),))
    monkeypatch.setattr("ray_qa.finetuning.finetune.connected", lambda _: nullcontext(machine))
    flags = ["--train", str(rows), "--output", str(output), "--model", str(tiny_base), *SMALL, "--workers", "1"]
    with output_lock(output, "training"):
        assert main(["finetune", *flags, "--overwrite"]) == 2
    assert (output / "checkpoints" / "checkpoint-0000005").exists()
    assert (output / ".ray_qa" / "plan.json").exists()
    assert capsys.readouterr().err.splitlines() == [
        f"ray-qa finetune: `output` must be one command's at a time, but another is training in {output}; "
        "wait for it to end"
    ]


def test_more_workers_than_a_machine_of_ones_own_has_room_for(
    tiny_base: Path,
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = Cluster(private=True, nodes=(Node(cpus=2, gpus=0),))
    monkeypatch.setattr("ray_qa.finetuning.finetune.connected", lambda _: nullcontext(machine))
    flags = [
        "--train",
        str(rows),
        "--output",
        str(tmp_path / "out"),
        "--model",
        str(tiny_base),
        *SMALL,
        "--workers",
        "3",
    ]
    assert main(["finetune", *flags]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "ray-qa finetune: `workers` must fit the machine (2 CPUs and 0 GPUs), but 3 are asked for, "
        "each with 1 CPUs and 0 GPUs; ask for less"
    ]
    assert not (tmp_path / "out").exists()


def test_answers_that_lie_nowhere_in_their_contexts_are_refused_before_training(
    tiny_base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ray_cluster: None,  # noqa: ARG001  # only has to be there
) -> None:
    rows = questions(5).to_pylist()
    for row in rows:
        row["answers"]["text"] = ["nowhere to be found"]
    path = written(tmp_path / "rows.parquet", pa.Table.from_pylist(rows, schema=questions(1).schema))
    flags = ["--train", path, "--output", str(tmp_path / "out"), "--model", str(tiny_base), *SMALL]
    assert main(["finetune", *flags, "--cpus-per-worker", "0.5"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == (
        "ray-qa finetune: `train` must have rows with an answer that lies in its context, but none of 5 has one "
        "(dropped: 5 answer_not_found)"
    )
