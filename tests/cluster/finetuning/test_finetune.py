"""finetune on a real local cluster: the same as without Ray, used by annotate at once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file

from ray_qa import AnnotateConfig, EvaluateConfig, FinetuneConfig, annotate, evaluate, finetune
from ray_qa.cli.main import main
from ray_qa.finetuning.checkpoints import ProcessGroupShape
from ray_qa.finetuning.loop import train
from ray_qa.finetuning.summary import describe
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.reader.arithmetic import Arithmetic
from tests.cluster.finetuning.conftest import LAST_STEP, SMALL, Trained, flags_of
from tests.cluster.processes import (
    lines_but_progress,
)
from tests.model.finetuning.training_rows import losses, prepared, questions, weights


def test_the_output_is_an_ordinary_model_folder_with_a_card_a_log_and_a_curve(undisturbed: Trained) -> None:
    folder = Path(undisturbed.config.output)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md", "metrics.jsonl",
        "learning_curve.png", "checkpoints", ".ray_qa", "_SUCCESS",
    }  # fmt: skip
    assert {path.name for path in (folder / ".ray_qa").iterdir()} == {
        "plan.json",
        "run.json",
        "exported.txt",
        "commands",
    }
    summary = undisturbed.summary
    assert (summary.steps, summary.restarts, summary.bad_steps) == (LAST_STEP, 0, 0)
    assert summary.teams == (ProcessGroupShape(workers=2, device="cpu", dtype="float32", threads=1),)
    assert summary.labels.rows == 120
    assert summary.f1 is not None
    assert f"| {summary.f1:.2f} |" in (folder / "README.md").read_text()
    told: Any = ModelCard.load(folder / "README.md").data
    assert [each.metric_value for each in told.eval_results] == [round(summary.exact or 0, 2), round(summary.f1, 2)]
    assert (folder / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["RobertaForQuestionAnswering"]


def test_annotate_takes_the_model_at_once_and_gives_the_figures_it_was_judged_by(
    undisturbed: Trained, rows: Path, tmp_path: Path
) -> None:
    windows = {name: SMALL[name] for name in ("max_tokens", "stride", "max_question_tokens")}
    annotate(
        AnnotateConfig(
            input=(str(rows),),
            output=str(tmp_path / "a"),
            model=undisturbed.config.output,
            replicas="1",
            dtype="float32",
            **windows,
        )
    )
    scores = evaluate(EvaluateConfig(predictions=str(tmp_path / "a"), gold=str(rows))).scores
    assert (scores.exact, scores.f1) == (undisturbed.summary.exact, undisturbed.summary.f1)


@pytest.mark.slow
def test_two_workers_of_ray_train_follow_the_loop_of_one_process(
    ray_cluster: None,  # noqa: ARG001  # only has to be there
    tiny_base: Path,
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {"dropout": 0.0, "max_steps": 20, "epochs": 3, "batch_size": 8}
    alone = prepared(tmp_path / "alone", tiny_base, questions(60), **settings)
    train(alone)
    together = alone.config.model_copy(
        update={"output": str(tmp_path / "together"), "workers": 2, "cpus_per_worker": 0.5}
    )
    finetune(together)

    theirs = [line["loss"] for line in read_metrics(tmp_path / "together" / METRICS)]
    np.testing.assert_allclose(theirs, losses(alone), rtol=2e-4)
    ours = load_file(tmp_path / "together" / "model.safetensors")
    for name, weight in weights(alone).items():
        np.testing.assert_allclose(ours[name], weight, atol=2e-4, err_msg=name)


def test_changed_settings_are_refused_and_named(undisturbed: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", *undisturbed.flags, "--learning-rate", "0.5", "--seed", "4"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert line == (
        f"ray-qa finetune: `output` must have been made with the same model, data and settings, but "
        f"{undisturbed.config.output} differs in `learning_rate` (0.001 there, 0.5 now); `seed` (13 there, 4 now); "
        "name another output, or start again with --overwrite"
    )


@pytest.mark.slow
def test_settings_of_a_run_that_kept_no_step_bind_nobody(
    undisturbed: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = undisturbed.config.model_copy(update={"output": str(tmp_path / "out"), "max_steps": 2, "eval": None})

    def fails(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("ray_qa.finetuning.finetune.train_to_the_end", fails)
    with pytest.raises(ZeroDivisionError):
        finetune(config)
    monkeypatch.undo()
    assert finetune(config.model_copy(update={"seed": 4})).steps == 2


def test_a_finished_output_is_reported_without_ray_and_its_rows_are_not_read_again(
    undisturbed: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(asked: object) -> None:
        raise AssertionError(f"Ray was about to be started, or rows to be read ({asked})")

    monkeypatch.setattr("ray_qa.finetuning.finetune.connected", fail)
    monkeypatch.setattr("ray_qa.data.examples.read_examples", fail)
    assert finetune(undisturbed.config) == replace(undisturbed.summary, was_finished=True)


@pytest.mark.usefixtures("ray_cluster")
def test_more_workers_than_the_cluster_can_place_are_refused_with_what_there_is(
    tiny_base: Path,
    rows: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = [
        "--model",
        str(tiny_base),
        "--train",
        str(rows),
        "--output",
        str(tmp_path / "out"),
        *flags_of(SMALL),
    ]
    assert main(["finetune", *flags, "--workers", "64", "--cpus-per-worker", "1"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert re.fullmatch(
        r"ray-qa finetune: `workers` must fit the machine \(\d+ CPUs and 0 GPUs\), but 64 are asked for, "
        r"each with 1 CPUs and 0 GPUs; ask for less",
        line,
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_steps_without_a_finite_loss_end_the_run_in_one_line_that_names_the_rows(
    undisturbed: Trained, rows: Path, poisoned_reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pq.read_table(rows).to_pylist()
    table[5]["context"] += " ꙮ"
    pq.write_table(pa.Table.from_pylist(table, schema=pq.read_schema(rows)), tmp_path / "rows.parquet")
    config = undisturbed.config.model_copy(
        update={
            "output": str(tmp_path / "out"), "train": (str(tmp_path / "rows.parquet"),), "eval": None, "workers": 2,
            "model": str(poisoned_reader), "freeze": "embeddings", "max_bad_steps": 1,
        }
    )  # fmt: skip
    assert main(["finetune", *flags_of(config)]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert re.search(r"`train` must give finite losses, but 2 of \d+ steps did not \(rows q5\)", line)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_malformed_rows_are_left_out_and_counted_by_reason(tiny_base: Path, tmp_path: Path) -> None:
    good = questions(40, unanswerable=0.3).drop("malformed").to_pylist()
    renamed = [{"id": row["id"], "q": row["question"], "c": row["context"], "gold": row["answers"]} for row in good]
    lines = [json.dumps(row) for row in renamed]
    lines[3], lines[7] = '{"broken"', json.dumps(renamed[7] | {"gold": {"text": "a", "answer_start": 0}})
    for name in ("train.jsonl", "dev.json"):
        (tmp_path / name).write_text("\n".join(lines))
    config = FinetuneConfig(
        model=str(tiny_base),
        train=(str(tmp_path / "train.jsonl"),),
        eval=str(tmp_path / "dev.json"),
        output=str(tmp_path / "out"),
        question_column="q",
        context_column="c",
        answers_column="gold",
        max_steps=1,
        cpus_per_worker=0.5,
        **SMALL,
    )
    summary = finetune(config)
    malformed = {"line_not_json": 1, "answers_malformed": 1}
    assert summary.labels.rows == 40
    assert {name: summary.labels.dropped_rows[name] for name in malformed} == summary.eval_dropped == malformed
    assert "evaluation rows that are malformed and not judged: 1 line_not_json, 1 answers_malformed" in describe(
        summary
    )


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_finished_run_is_extended_and_refused_where_its_rate_has_ended(
    tiny_base: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FinetuneConfig(
        model=str(tiny_base),
        train=(str(rows),),
        output=str(tmp_path / "out"),
        max_steps=2,
        cpus_per_worker=0.5,
        **SMALL,
    )
    first = finetune(config)
    longer = ["finetune", *flags_of(config.model_copy(update={"max_steps": 3})), "--extend"]
    assert main(longer) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert "`schedule` must be given to extend a run whose linear schedule has ended at zero" in line
    with monkeypatch.context() as patch:
        on_a_gpu = Arithmetic(device="cuda", dtype="float32", batch_tokens=4_096)
        patch.setattr("ray_qa.finetuning.finetune.settle_arithmetic", lambda **_: on_a_gpu)
        assert main([*longer, "--schedule", "constant"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert "differs in the device (cpu there, cuda now" in line
    assert (tmp_path / "out" / "_SUCCESS").exists()

    for _ in range(2):  # the second has nothing to do
        assert main([*longer, "--schedule", "constant"]) == 0
    printed = capsys.readouterr()
    (line,) = lines_but_progress(printed.err)
    assert line.endswith(
        "from 2 epochs, at most 2 steps to 2 epochs, at most 3 steps; the learning rate stays at its highest"
    )
    assert "3 steps in " in printed.out
    assert " of 2 commands" in printed.out
    record = json.loads((tmp_path / "out" / ".ray_qa" / "run.json").read_text())["summary"]
    assert (record["steps"], record["commands"]) == (3, 2)
    assert record["seconds"] > first.seconds
