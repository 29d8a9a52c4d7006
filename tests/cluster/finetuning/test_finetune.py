"""finetune on a real local cluster: the same as without Ray, used by annotate at once, unmoved by kills."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from ray_qa import AnnotateConfig, EvaluateConfig, FinetuneConfig, annotate, evaluate, finetune
from ray_qa.cli.main import main
from ray_qa.finetuning.checkpoints import ProcessGroupShape, checkpoint_steps
from ray_qa.finetuning.loop import train
from ray_qa.finetuning.summary import FinetuneSummary
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from tests.cluster import nodes
from tests.cluster.processes import (
    PATIENCE,
    assert_gone,
    driver,
    kill_group,
    lines_but_progress,
    one_killed,
    training_workers_below,
    wait_until,
)
from tests.model.finetuning.training_rows import losses, prepared, questions, weights

SMALL: dict[str, Any] = {"max_tokens": 96, "stride": 16, "max_question_tokens": 24, "batch_size": 8}
LAST_STEP = 80


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(questions(120, unanswerable=0.3), path)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A run of three workers, with which nothing happened."""

    config: FinetuneConfig
    summary: FinetuneSummary

    @property
    def flags(self) -> list[str]:
        return _flags(self.config)


@pytest.fixture(scope="module")
def undisturbed(
    ray_cluster: None,  # noqa: ARG001  # only has to be there
    tiny_base: Path,
    rows: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trained:
    config = FinetuneConfig(
        model=str(tiny_base), train=(str(rows),), eval=str(rows),
        output=str(tmp_path_factory.mktemp("trained") / "out"), workers=3, cpus_per_worker=0.5,
        epochs=20, max_steps=LAST_STEP, save_every=4, eval_every=25,
        learning_rate=1e-3, dropout=0.2, negative_ratio=0.5, **SMALL,
    )  # fmt: skip
    return Trained(config=config, summary=finetune(config))


def test_the_output_is_an_ordinary_model_folder_with_a_card_a_log_and_a_curve(undisturbed: Trained) -> None:
    folder = Path(undisturbed.config.output)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md", "metrics.jsonl",
        "learning_curve.png", "checkpoints", ".ray_qa", "_SUCCESS",
    }  # fmt: skip
    assert {path.name for path in (folder / ".ray_qa").iterdir()} >= {"plan.json", "run.json"}
    summary = undisturbed.summary
    assert (summary.steps, summary.restarts, summary.bad_steps) == (LAST_STEP, 0, 0)
    assert summary.teams == (ProcessGroupShape(workers=3, device="cpu", dtype="float32", threads=1),)
    assert summary.labels.rows == 120
    assert summary.f1 is not None
    assert f"| {summary.f1:.2f} |" in (folder / "README.md").read_text()
    assert (folder / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["RobertaForQuestionAnswering"]


def test_annotate_takes_the_model_at_once_and_gives_the_figures_it_was_judged_by(
    undisturbed: Trained, rows: Path, tmp_path: Path
) -> None:
    windows = {name: SMALL[name] for name in ("max_tokens", "stride", "max_question_tokens")}
    annotate(
        AnnotateConfig(
            input=(str(rows),), output=str(tmp_path / "a"), model=undisturbed.config.output, replicas="1", **windows
        )
    )
    scores = evaluate(EvaluateConfig(predictions=str(tmp_path / "a"), gold=str(rows))).scores
    assert (scores.exact, scores.f1) == (undisturbed.summary.exact, undisturbed.summary.f1)


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


@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_leaves_no_trace_in_the_weights(undisturbed: Trained, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with one_killed(
        lambda: training_workers_below(os.getpid()),
        lambda: max(checkpoint_steps(output), default=0) >= 12,
        "a checkpoint",
    ) as killed:
        summary = finetune(undisturbed.config.model_copy(update={"output": str(output)}))

    assert len(killed) == 3
    assert summary.restarts == 1
    _assert_same(output, undisturbed)


@pytest.mark.timeout(600)
def test_a_driver_that_is_killed_goes_on_when_the_command_is_run_again(undisturbed: Trained, tmp_path: Path) -> None:
    output = tmp_path / "out"
    flags = [*undisturbed.flags, "--output", str(output)]
    with driver("finetune", flags, tmp_path / "err") as process:
        wait_until(lambda: max(checkpoint_steps(output), default=0) >= 8, "a checkpoint")
        assert process.poll() is None
        orphans = kill_group(process)
    for orphan in orphans:  # as on a machine that goes down; left alone, the workers would train on for seconds
        with suppress(ProcessLookupError):
            os.kill(orphan.pid, signal.SIGKILL)
    assert_gone(orphans)
    assert not (output / "_SUCCESS").exists()
    kept = checkpoint_steps(output)
    assert 8 <= kept[-1] < LAST_STEP

    changed = undisturbed.config.model_copy(update={"output": str(output), "learning_rate": 2e-3, "seed": 4})
    assert main(["finetune", *_flags(changed)]) == 2
    assert checkpoint_steps(output) == kept

    assert main(["finetune", *flags]) == 0
    _assert_same(output, undisturbed)
    assert lines_but_progress((tmp_path / "err").read_text()) == []


@pytest.mark.timeout(600)
def test_a_node_that_goes_down_is_waited_for_and_leaves_no_trace_in_the_weights(
    undisturbed: Trained, tmp_path: Path, ray_token: str
) -> None:
    output, said = tmp_path / "out", tmp_path / "err"
    with nodes.head(tmp_path, ray_token, cpus=0) as head, nodes.node(head, cpus=2) as first:
        flags = [*undisturbed.flags, "--output", str(output), "--ray-address", head.address]
        with driver("finetune", flags, said) as process:
            wait_until(lambda: max(checkpoint_steps(output), default=0) >= 12, "a checkpoint")
            nodes.cut_off(first)
            wait_until(lambda: _waits_for_lost(said), "waiting")
            assert process.poll() is None
            assert checkpoint_steps(output)[-1] < LAST_STEP
            with nodes.node(head, cpus=2):
                assert process.wait(PATIENCE) == 0

    assert json.loads((output / ".ray_qa/run.json").read_text())["summary"]["restarts"] == 1
    _assert_same(output, undisturbed)


def test_changed_settings_are_refused_and_named(undisturbed: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", *undisturbed.flags, "--learning-rate", "0.5", "--seed", "4"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert line == (
        f"ray-qa finetune: `output` must have been made with the same model, data and settings, but "
        f"{undisturbed.config.output} differs in `learning_rate` (0.001 there, 0.5 now); `seed` (13 there, 4 now); "
        "name another output, or start again with --overwrite"
    )


def test_a_finished_output_is_reported_without_ray(undisturbed: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(address: str | None) -> None:
        raise AssertionError(f"Ray was about to be started ({address})")

    monkeypatch.setattr("ray_qa.finetuning.finetune.connected", fail)
    assert finetune(undisturbed.config) == undisturbed.summary


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
        *_flags_of(SMALL),
    ]
    assert main(["finetune", *flags, "--workers", "64", "--cpus-per-worker", "1"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert re.fullmatch(
        r"ray-qa finetune: `workers` must fit the cluster \(\d+ CPUs and 0 GPUs\), but 64 are asked for, "
        r"each with 1 CPUs and 0 GPUs; lower `workers` or what each is to have",
        line,
    )
    assert not (tmp_path / "out").exists()


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
    assert main(["finetune", *_flags(config)]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert re.search(r"`train` must give finite losses, but 2 of \d+ steps did not \(rows q5\)", line)


def _assert_same(output: Path, undisturbed: Trained) -> None:
    expected = Path(undisturbed.config.output)
    ours, theirs = load_file(output / "model.safetensors"), load_file(expected / "model.safetensors")
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []
    assert _learnt(output) == _learnt(expected)
    assert (output / "_SUCCESS").exists()


def _learnt(output: Path) -> list[dict[str, float]]:
    """The log without what depends on the clock."""
    kept = ("step", "loss", "learning_rate", "gradient_norm", "bad_steps", "eval_f1", "eval_exact")
    return [{name: line[name] for name in kept if name in line} for line in read_metrics(output / METRICS)]


def _flags(config: FinetuneConfig) -> list[str]:
    return _flags_of(config.model_dump(mode="json", exclude_defaults=True))


def _flags_of(settings: dict[str, Any]) -> list[str]:
    return [
        part
        for name, value in settings.items()
        for part in [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    ]


def _waits_for_lost(said: Path) -> bool:
    return re.search(r"waiting for room for 3 workers with .* each, as one was lost", said.read_text()) is not None
