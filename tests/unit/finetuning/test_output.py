from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ray_qa.data.examples import ExamplesSummary
from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import TrainingState, publish_checkpoint
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.output import (
    EXPORT,
    TrainingPlan,
    check_joins,
    check_output,
    clear_output,
    finish,
    join_plan,
    publish_export,
    read_plan,
    shard_path,
    shards_here,
)
from ray_qa.finetuning.tracking.metrics_log import append_metrics
from ray_qa.settings import deciding_settings
from ray_qa.storage import places
from ray_qa.storage.local import publish

CONFIG = FinetuneConfig(model="owner/base", train=("rows.json",), output="out")
PLAN = TrainingPlan(
    algorithm=1,
    device="cpu",
    settings=deciding_settings(CONFIG),
    weights_sha256="a" * 64,
    tokenizer_sha256="b" * 64,
    train=ExamplesSummary(rows=1_000, answerable=900, sha256="d" * 64),
    eval=ExamplesSummary(rows=100, answerable=90, sha256="e" * 64),
)
MODEL = ("config.json", "model.safetensors", "tokenizer.json")


def tensors(draft: Path) -> None:
    (draft / "model.safetensors").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output folder in the middle of a run, with all that there can be."""
    folder = tmp_path / "out"
    join_plan(folder, PLAN)
    for name in ("train.parquet", "eval.parquet", "mlflow_run_id", "beat.json", ".beat.json.draft"):
        (folder / ".ray_qa" / name).touch()
    for name in ("train", "ray_train/run", "export"):
        (folder / ".ray_qa" / name).mkdir(parents=True)
    shard_path(folder, 0).touch()
    for name in MODEL:
        (folder / ".ray_qa/export" / name).write_text(name)
    append_metrics(folder / "metrics.jsonl", {"step": 1})
    publish_checkpoint(folder, TrainingState(step=5), tensors, folder)
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard/events.out.tfevents.1.host.0000").touch()
    return folder


def finished(folder: Path) -> Path:
    publish_export(folder, folder / EXPORT)
    for name in ("README.md", "learning_curve.png"):
        (folder / name).touch()
    finish(folder, b"{}")
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Whose folder it is


@pytest.mark.parametrize("name", ["notes.txt", "model.safetensors", "checkpoints", "_SUCCESS", "part-0000000.parquet"])
def test_a_folder_that_holds_something_else_is_refused_by_name_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match=rf"^`output` must be a new folder, .* but {tmp_path} holds '{name}'; name"):
        check_output(tmp_path)
    assert snapshot(tmp_path) == {name: b"precious"}


def test_a_new_an_empty_and_an_own_folder_will_do(tmp_path: Path, folder: Path) -> None:
    check_output(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/.DS_Store").touch()
    check_output(tmp_path / "empty")
    check_output(folder)
    check_output(finished(folder))
    (folder / "notes.txt").touch()
    check_output(folder)


def test_an_output_of_annotate_is_foreign(tmp_path: Path) -> None:
    (tmp_path / ".ray_qa").mkdir()
    (tmp_path / "part-0000000.parquet").touch()
    with pytest.raises(OutputError, match=r"holds 'part-0000000\.parquet'"):
        check_output(tmp_path)


@pytest.mark.parametrize("under", ["", "/deeper"])
def test_a_file_is_no_output_folder(tmp_path: Path, under: str) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(OutputError, match=rf"^`output` must be .*, but {tmp_path}/out{under} "):  # noqa: PT012  # either of the two may refuse
        check_output(tmp_path / f"out{under}")
        join_plan(tmp_path / f"out{under}", PLAN)
    assert (tmp_path / "out").read_text() == "precious"


# Clearing


@pytest.mark.parametrize("ended", [True, False])
def test_clearing_removes_what_finetune_wrote_and_nothing_else(folder: Path, ended: bool) -> None:
    if ended:
        finished(folder)
    (folder / "checkpoints/.checkpoint-0000010.0a.draft").mkdir()
    mine = ["notes.txt", "model.safetensors.bak", "data/rows.json", "checkpoints/mine/a", "tensorboard/other/events"]
    for name in mine:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
    clear_output(folder)
    assert snapshot(folder) == dict.fromkeys(mine, b"precious")


def test_the_calibration_of_the_model_before_goes_with_it(folder: Path) -> None:
    (folder / "ray_qa.json").touch()
    finished(folder)
    assert not (folder / "ray_qa.json").exists()


def test_after_clearing_nothing_is_left_of_a_run(folder: Path) -> None:
    (finished(folder) / "ray_qa.json").touch()
    clear_output(folder)
    assert list(folder.iterdir()) == []


def test_what_cannot_be_cleared_is_told_before_it_could_pass_for_the_next_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(folder)

    def denied(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", denied)
    with pytest.raises(
        OutputError, match=rf"^`output` must be a folder that can be cleared, but {folder} gives: .*denied"
    ):
        clear_output(folder)
    assert (folder / ".ray_qa/plan.json").exists()


def test_clearing_what_is_not_there_does_nothing(tmp_path: Path) -> None:
    clear_output(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_clearing_that_is_killed_leaves_the_plan_for_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[set[str]] = []
    rmtree, unlink = shutil.rmtree, Path.unlink

    def noting_rmtree(path: Path, ignore_errors: bool = False) -> None:
        left.append(set(snapshot(folder)))
        rmtree(path, ignore_errors=ignore_errors)

    def noting_unlink(self: Path, missing_ok: bool = False) -> None:
        left.append(set(snapshot(folder)))
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(shutil, "rmtree", noting_rmtree)
    monkeypatch.setattr(Path, "unlink", noting_unlink)
    clear_output(finished(folder))
    assert all(".ray_qa/plan.json" in names for names in left)
    assert left[-1] == {".ray_qa/plan.json"}


# The plan


def test_the_first_plan_is_kept_and_an_equal_one_joins_it(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    for _ in range(2):
        join_plan(tmp_path / "deep/out", PLAN)
        assert read_plan(tmp_path / "deep/out") == PLAN


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"weights_sha256": "c" * 64}, r"the base model's weights \(a{12} there, c{12} now\)"),
        ({"tokenizer_sha256": "c" * 64}, r"the tokenizer \(b{12} there, c{12} now\)"),
        ({"train": replace(PLAN.train, sha256="f" * 64)}, r"the rows of `train` \(1,000 rows, d{12} there, 1,000 rows"),
        ({"eval": None}, r"the rows of `eval` \(100 rows, e{12} there, none now\)"),
        ({"settings": PLAN.settings | {"epochs": 3}}, r"`epochs` \(2 there, 3 now\)"),
        ({"settings": PLAN.settings | {"max_steps": 7}}, r"`max_steps` \(None there, 7 now\)"),
        ({"settings": PLAN.settings | {"of_tomorrow": 1}}, r"`of_tomorrow` \(None there, 1 now\)"),
    ],
    ids=str,
)
def test_a_plan_that_differs_is_refused_and_the_difference_named(
    folder: Path, change: dict[str, Any], difference: str
) -> None:
    before = snapshot(folder)
    with pytest.raises(OutputError, match=rf"^`output` must have been made with the same .* differs in {difference}"):
        join_plan(folder, replace(PLAN, **change))
    assert snapshot(folder) == before


def test_another_device_is_refused_by_the_setting_that_decides_it(folder: Path) -> None:
    check_joins(folder, PLAN, replace(PLAN, device=None))
    with pytest.raises(OutputError, match=r"differs in the device \(cpu there, cuda now; see `gpus_per_worker`\)"):
        join_plan(folder, replace(PLAN, device="cuda"))


def test_all_differences_are_named_in_one_line(folder: Path) -> None:
    settings = deciding_settings(CONFIG.model_copy(update={"seed": 14, "learning_rate": 1e-4}))
    with pytest.raises(OutputError) as caught:
        join_plan(folder, replace(PLAN, settings=settings, weights_sha256="c" * 64, eval=None))
    (line,) = caught.value.problems
    wanted = ["the base model's weights", "`eval`", "`seed` (13 there, 14 now)", "`learning_rate` (3e-05 there"]
    assert [text for text in wanted if text not in line] == []
    assert not any(text in line for text in ("tokenizer", "`train`", "`epochs`"))
    assert line.endswith("name another output, or start again with --overwrite")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"settings": {}}', b"\xff"])
def test_a_plan_that_cannot_be_understood_is_refused(folder: Path, content: bytes) -> None:
    (folder / ".ray_qa/plan.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"plan\.json must be a plan of this version of ray-qa finetune, but is not"):
        join_plan(folder, PLAN)


def test_what_decides_what_is_learnt_is_in_the_plan_and_nothing_else() -> None:
    free = {
        "anonymous", "answers_column", "batch_tokens", "context_column", "cpus_per_worker", "eval", "extend",
        "gpus_per_worker", "gradient_checkpointing", "keep_checkpoints", "log_every", "log_format", "max_bad_steps",
        "max_dropped", "model", "output", "overwrite", "question_column", "quiet", "ray_address", "report_to",
        "save_every", "scratch", "train", "wait_for_nodes", "workers",
    }  # fmt: skip
    assert PLAN.settings.keys() == FinetuneConfig.model_fields.keys() - free


# Export and end


def test_shards_come_in_order(tmp_path: Path) -> None:
    (tmp_path / ".ray_qa/train").mkdir(parents=True)
    for number in (10, 9, 123_456):
        shard_path(tmp_path, number).touch()
    assert shards_here(tmp_path, tmp_path) == [shard_path(tmp_path, number) for number in (9, 10, 123_456)]
    assert shards_here(tmp_path / "nowhere", tmp_path) == []


def test_the_exported_model_lies_beside_what_else_there_is_with_its_weights_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    replace_file = Path.replace

    def noting(self: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", noting)
    publish_export(folder, folder / EXPORT)
    assert moved[0] == "exported.txt"
    assert moved[-1] == "model.safetensors"
    assert {name: (folder / name).read_text() for name in MODEL} == {name: name for name in MODEL}


def test_at_the_end_what_only_training_needed_is_gone_and_success_comes_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []

    def noting(path: Path, content: bytes) -> None:
        published.append(path.name)
        publish(path, content)

    monkeypatch.setattr(places, "publish", noting)
    finished(folder)
    assert published[-2:] == ["run.json", "_SUCCESS"]
    assert sorted(path.name for path in (folder / ".ray_qa").iterdir()) == [
        "exported.txt",
        "mlflow_run_id",
        "plan.json",
        "run.json",
    ]
    finish(folder, b"{}")
