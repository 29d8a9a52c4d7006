"""The training loop without Ray, in one process and in teams, against plainer ways to the same numbers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoModelForQuestionAnswering

from ray_qa import Reader
from ray_qa.errors import InputError
from ray_qa.finetuning.base_model import load_base
from ray_qa.finetuning.checkpoints import checkpoint_steps
from ray_qa.finetuning.dataset import TrainingSet, open_training_set
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.loop import train
from ray_qa.finetuning.output import shards_here
from ray_qa.finetuning.process_group import ProcessGroup
from ray_qa.finetuning.step import FlatGradients, ModelWithOptimizer, take_step
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.settings import ReadingSettings
from tests.model.finetuning.training_rows import losses, prepared, questions, train_in_processes, weights


def test_64_rows_are_learnt_by_heart_and_the_model_can_be_used_at_once(tiny_base: Path, tmp_path: Path) -> None:
    rows = questions(64)
    job = prepared(
        tmp_path / "run",
        tiny_base,
        rows,
        eval_rows=rows,
        epochs=50,
        batch_size=16,
        learning_rate=3e-3,
        schedule="constant",
    )
    started = time.monotonic()
    state = train(replace(job, config=job.config.model_copy(update={"dropout": 0.0, "eval_every": 50})))
    assert time.monotonic() - started < 120

    assert state.best is not None
    assert state.best.f1 >= 99
    settings = ReadingSettings(max_tokens=96, stride=16, max_question_tokens=24)
    reader = Reader.load(job.config.output, settings=settings, dtype="float32")
    answers = reader.read(rows.select(["question", "context"]).to_pylist())
    golds = [each["text"][0] for each in rows["answers"].to_pylist()]
    assert np.mean([answer.answer == gold for answer, gold in zip(answers, golds, strict=True)]) >= 0.99


@pytest.mark.slow
def test_one_two_and_four_workers_follow_the_same_trajectory(tiny_base: Path, tmp_path: Path) -> None:
    rows = questions(90, unanswerable=0.2)
    jobs = [
        prepared(tmp_path / str(workers), tiny_base, rows, dropout=0.0, batch_size=9, batch_tokens=200, max_steps=20)
        for workers in (1, 2, 4)
    ]
    followed = [_loss_of_every_step(job, workers) for job, workers in zip(jobs, (1, 2, 4), strict=True)]

    assert [len(each) for each in followed] == [20, 20, 20]
    assert len(set(followed[0])) == 20
    for other in followed[1:]:
        np.testing.assert_allclose(other, followed[0], rtol=2e-4)
    for name, weight in weights(jobs[0]).items():
        np.testing.assert_allclose(weights(jobs[2])[name], weight, atol=2e-4, err_msg=name)


def test_dropout_is_drawn_anew_in_every_step_and_alike_in_every_run(tiny_base: Path, tmp_path: Path) -> None:
    # All rows in every step, and weights that stay as they are: only dropout can change the loss.
    still: dict[str, Any] = {"batch_size": 40, "epochs": 4, "learning_rate": 1e-12}

    def run(name: str, **settings: Any) -> list[float]:
        return _loss_of_every_step(prepared(tmp_path / name, tiny_base, questions(40), **still | settings), 1)

    assert len({round(loss, 4) for loss in run("without", dropout=0.0)}) == 1
    drawn = run("with", dropout=0.3)
    assert len({round(loss, 4) for loss in drawn}) == 4
    assert run("again", dropout=0.3) == drawn


def test_the_loss_of_a_batch_is_that_of_transformers_and_its_gradient_too(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(30, unanswerable=0.3), dropout=0.0)
    data, model = _set_up(job)
    labels = data.label(seed=1, epoch=0)
    # Windows of one length: transformers would score padding as well.
    window_B = np.flatnonzero(data.windows.tokens == np.bincount(data.windows.tokens).argmax())
    assert len(window_B) > 3
    batch = data.batch(window_B, labels, load_pair_tokenizer(job.base.folder).template)
    reference = load_base(job.base, job.config).train()
    output = reference(
        input_ids=torch.from_numpy(batch.batch.input_ids_WT),
        attention_mask=torch.from_numpy(batch.batch.attention_mask_WT),
        start_positions=torch.from_numpy(batch.start_positions_B),
        end_positions=torch.from_numpy(batch.end_positions_B),
    )
    output.loss.backward()
    norm = torch.cat([p.grad.flatten() for p in reference.parameters() if p.grad is not None]).norm()

    result = take_step(model, [batch], windows=len(window_B), learning_rate=1e-3, max_grad_norm=0, group=ProcessGroup())

    assert result.loss == pytest.approx(float(output.loss.detach()), rel=1e-5)
    assert result.gradient_norm == pytest.approx(float(norm), rel=1e-4)


def test_the_first_update_is_that_of_plain_adamw(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(8), dropout=0.0, max_steps=1, warmup=0, weight_decay=0.1)
    data, _ = _set_up(job)
    labels = data.label(seed=job.config.seed, epoch=0)
    batch = data.batch(np.arange(len(data.windows)), labels, load_pair_tokenizer(job.base.folder).template)
    reference = load_base(job.base, job.config)
    matrices = [p for p in reference.parameters() if p.ndim >= 2]
    vectors = [p for p in reference.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=job.config.learning_rate)
    logits = reference(
        input_ids=torch.from_numpy(batch.batch.input_ids_WT),
        attention_mask=torch.from_numpy(batch.batch.attention_mask_WT),
    )
    hidden = torch.from_numpy(batch.batch.attention_mask_WT) == 0
    loss = sum(
        torch.nn.functional.cross_entropy(each.masked_fill(hidden, -torch.inf), torch.from_numpy(positions)) / 2
        for each, positions in (
            (logits.start_logits, batch.start_positions_B),
            (logits.end_logits, batch.end_positions_B),
        )
    )
    assert isinstance(loss, torch.Tensor)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
    optimizer.step()

    train(job)

    compared = 0
    for name, weight in reference.named_parameters():
        # The first update is the gradient's sign: where the gradient is nothing but rounding, as for what adds the same
        # to all tokens before a softmax, there is nothing to compare.
        felt = (weight.grad.abs() > 1e-5).numpy()
        compared += felt.sum()
        ours = weights(job)[name]
        np.testing.assert_allclose(ours[felt], weight.detach().numpy()[felt], atol=1e-6, err_msg=name)
    assert compared > 5_000


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float16", marks=pytest.mark.slow)])
def test_a_step_may_have_fewer_windows_than_there_are_workers(tiny_base: Path, tmp_path: Path, dtype: str) -> None:
    rows = questions(5)
    # Steps of 2, 2 and 1 windows, of which the last worker gets none.
    settings: dict[str, Any] = {"dropout": 0.0, "batch_size": 2, "epochs": 2, "dtype": dtype}
    alone, three = (prepared(tmp_path / name, tiny_base, rows, **settings) for name in ("alone", "three"))
    np.testing.assert_allclose(_loss_of_every_step(three, 3), _loss_of_every_step(alone, 1), rtol=5e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_learns_like_float32(tiny_base: Path, tmp_path: Path, dtype: str) -> None:
    rows = questions(64)
    settings: dict[str, Any] = {
        "dropout": 0.0,
        "max_steps": 60,
        "epochs": 20,
        "warmup": 0,
        "learning_rate": 3e-3,
        "batch_size": 16,
    }
    exact = prepared(tmp_path / "exact", tiny_base, rows, **settings)
    low = prepared(tmp_path / "low", tiny_base, rows, **settings | {"dtype": dtype})
    train(exact)
    state = train(low)

    # The scale begins at 65,536, which overflows once or twice; then the loss scaler has found its place.
    assert bool(state.scaler) == (dtype == "float16")
    assert state.bad_steps == 0
    assert losses(low)[0] == pytest.approx(losses(exact)[0], rel=0.02)
    assert losses(low)[-1] < 1.0
    assert losses(low) != losses(exact)


def test_gradient_checkpointing_changes_memory_not_numbers(tiny_base: Path, tmp_path: Path) -> None:
    rows = questions(30)
    plain = prepared(tmp_path / "plain", tiny_base, rows, dropout=0.1, max_steps=5)
    twice = prepared(tmp_path / "twice", tiny_base, rows, dropout=0.1, max_steps=5, gradient_checkpointing=True)
    train(plain)
    train(twice)

    np.testing.assert_allclose(losses(twice), losses(plain), rtol=1e-5)


def test_frozen_parts_stay_as_they_are_and_the_others_learn(tiny_base: Path, tmp_path: Path) -> None:
    before = {
        f"roberta.{name}": weight.numpy() for name, weight in AutoModel.from_pretrained(tiny_base).state_dict().items()
    }

    def moved(freeze: str) -> set[str]:
        job = prepared(tmp_path / freeze.replace(":", ""), tiny_base, questions(20), max_steps=3, freeze=freeze)
        train(job)
        after = weights(job)
        return {name for name in after.keys() & before.keys() if not np.array_equal(after[name], before[name])}

    everything = moved("none")
    assert any("embeddings" in name for name in everything)
    assert moved("embeddings") == {name for name in everything if "embeddings" not in name}
    assert moved("layers:1") == {name for name in everything if "layer.1." in name}


def test_steps_with_losses_that_are_not_finite_are_skipped_and_named(tiny_base: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    model = AutoModelForQuestionAnswering.from_pretrained(tiny_base)
    poison = load_pair_tokenizer(tiny_base).fast_tokenizer.encode("ꙮ", add_special_tokens=False).ids[0]
    with torch.no_grad():
        model.get_input_embeddings().weight[poison] = torch.nan
    model.save_pretrained(broken)
    for path in tiny_base.glob("tokenizer*"):
        (broken / path.name).write_bytes(path.read_bytes())
    rows = questions(40).to_pylist()
    rows[7]["context"] += " ꙮ"
    table = pa.Table.from_pylist(rows, schema=questions(1).schema)

    patient = prepared(tmp_path / "patient", broken, table, epochs=2, max_bad_steps=2, freeze="embeddings")
    state = train(patient)
    assert (state.step, state.bad_steps, state.bad_rows) == (10, 2, (7,))
    assert all(np.isfinite(weight).all() for name, weight in weights(patient).items() if "word_embeddings" not in name)

    strict = prepared(tmp_path / "strict", broken, table, epochs=2, max_bad_steps=0, freeze="embeddings")
    with pytest.raises(InputError, match=r"`train` must give finite losses, but 1 of \d+ steps did not \(rows q7\)"):
        train(strict)


def test_the_log_has_a_line_at_least_every_ten_steps_with_everything_in_it(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(60), eval_rows=questions(10, seed=1), epochs=4, eval_every=13)
    train(job)

    lines = read_metrics(Path(job.config.output) / METRICS)
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps[0] == 1
    assert steps[-1] == 32
    assert max(np.diff(steps)) <= 10
    for line in lines:
        assert line.keys() >= {"loss", "learning_rate", "windows_per_second", "tokens_per_second"} or "eval_f1" in line
    assert [line["step"] for line in lines if "eval_f1" in line] == [13, 26, 32]
    assert [line["epoch"] for line in lines if "loss" in line] == [(step - 1) // 8 + 1 for step in steps]


def test_rows_that_say_nothing_of_answers_are_left_out_of_judging(tiny_base: Path, tmp_path: Path) -> None:
    judged = questions(10, seed=1)
    silent = pa.Table.from_pylist([{**row, "answers": None} for row in questions(3, seed=2).to_pylist()], judged.schema)
    scores = []
    for name, rows in (("all", judged), ("with", pa.concat_tables([silent, judged]))):
        job = prepared(tmp_path / name, tiny_base, questions(16), eval_rows=rows, max_steps=2, dropout=0.0)
        scores.append(train(job).evaluations)
    assert scores[0] == scores[1]


def test_old_checkpoints_go_and_the_best_one_becomes_the_model(tiny_base: Path, tmp_path: Path) -> None:
    rows = questions(48)
    # It learns fast, then is thrown far off by a learning rate that never falls.
    job = prepared(
        tmp_path / "run", tiny_base, rows, eval_rows=rows, epochs=40, eval_every=20, save_every=30, keep_checkpoints=1,
        schedule="constant", learning_rate=8e-3, dropout=0.2, max_grad_norm=0,
    )  # fmt: skip
    state = train(job)

    best = state.best
    assert best is not None
    assert [each.step for each in state.evaluations] == list(range(20, 241, 20))
    assert checkpoint_steps(Path(job.config.output)) == sorted({best.step, 240})
    kept = Path(job.config.output) / "checkpoints" / f"checkpoint-{best.step:07d}" / "model.safetensors"
    for name, weight in load_file(kept).items():
        assert np.array_equal(weight, weights(job)[name])


def _loss_of_every_step(job: TrainingJob, workers: int) -> list[float]:
    """Train in several processes, with a line in the log for every step."""
    every_step = replace(job, config=job.config.model_copy(update={"log_every": 1}))
    if workers == 1:
        train(every_step)
    else:
        train_in_processes(every_step, workers)
    return losses(job)


def _set_up(job: TrainingJob) -> tuple[TrainingSet, ModelWithOptimizer]:
    tokenizer = load_pair_tokenizer(job.base.folder)
    data = open_training_set(shards_here(job.config.folder, Path()), job.config, tokenizer.template.special_tokens)
    module = load_base(job.base, job.config).train()
    model = ModelWithOptimizer(
        module=module,
        gradients=FlatGradients(module.parameters()),
        optimizer=torch.optim.AdamW(module.parameters()),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    return data, model


def test_a_run_that_is_extended_at_a_constant_rate_is_the_longer_run(tiny_base: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"schedule": "constant", "warmup": 2, "epochs": 3, "dropout": 0.1, "log_every": 1}
    longer = prepared(tmp_path / "longer", tiny_base, questions(40), max_steps=8, **settings)
    shorter = prepared(tmp_path / "shorter", tiny_base, questions(40), max_steps=5, **settings)
    train(longer)
    assert train(shorter).step == 5
    extended = replace(shorter, config=shorter.config.model_copy(update={"max_steps": 8}))
    assert train(extended).step == 8
    whole, in_two = weights(longer), weights(extended)
    assert whole.keys() == in_two.keys()
    assert all(np.array_equal(whole[name], in_two[name]) for name in whole)
