from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.calibration.config import CalibrateConfig
from ray_qa.cli.demo import DemoConfig
from ray_qa.errors import ConfigError
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.exporting.config import ExportConfig
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.preparation.config import PrepareConfig
from ray_qa.settings import (
    FREE,
    ModelSettings,
    ReadingSettings,
    Settings,
    check_kind,
    deciding_settings,
    in_seconds,
    unsettled,
)

ANNOTATE: dict[str, Any] = {"input": ["in"], "output": "out"}
FINETUNE: dict[str, Any] = {"model": "owner/base", "train": ["rows.json"], "output": "out"}
NEEDED = {AnnotateConfig: ANNOTATE, FinetuneConfig: FINETUNE}
COMMANDS = [PrepareConfig, AnnotateConfig, FinetuneConfig, EvaluateConfig, CalibrateConfig, ExportConfig, DemoConfig]


def refusals(kind: type[BaseModel] = AnnotateConfig, **settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        kind(**NEEDED.get(kind, {}) | settings)
    return caught.value.problems


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_setting_says_what_it_is_in_one_sentence(kind: type[BaseModel]) -> None:
    for name, field in kind.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize("kind", [*COMMANDS, ReadingSettings, ModelSettings])
def test_configurations_cannot_be_changed_nor_take_what_they_do_not_know(kind: type[BaseModel]) -> None:
    values: dict[str, Any] = {"train": ["x"], "to": "csv"}
    required = {name: values.get(name, "x") for name, field in kind.model_fields.items() if field.is_required()}
    required |= {"output": "x"} if kind is CalibrateConfig else {}
    config = kind.model_validate(required)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, next(iter(kind.model_fields)), "x")
    with pytest.raises(ConfigError, match=r"^`nonsense` must be a setting, but is unknown"):
        kind(**{**required, "nonsense": 1})


def test_the_defaults_are_those_of_the_design() -> None:
    config = AnnotateConfig(**ANNOTATE)
    assert (config.max_tokens, config.stride, config.max_question_tokens, config.max_answer_tokens) == (
        384,
        128,
        64,
        30,
    )
    assert (config.null_threshold, config.always_answer, config.n_best, config.max_failed) == ("auto", False, 1, 1.0)
    assert (config.model, config.question_column, config.context_column) == ("embedded", "question", "context")
    assert (config.input, config.overwrite) == (("in",), False)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"stride": 320}, "`stride` must be less than the window's room for context (at most 320), but is 320"),
        (
            {"max_tokens": 64},
            "`max_question_tokens` must be less than `max_tokens` (64), but is 64",
        ),
        ({"stride": -1}, "`stride` must be at least 0, but is -1"),
        ({"stride": 1.5}, "`stride` must be a whole number, but is 1.5"),
        ({"stride": "x"}, "`stride` must be a whole number, but is 'x'"),
        ({"stride": True}, "`stride` must be a whole number, but is 'true'"),
        ({"null_threshold": False}, "`null_threshold` must be 'auto' or a number, but is 'false'"),
        ({"unit_rows": True}, "`unit_rows` must be 'auto' or a whole number, but is 'true'"),
        ({"max_tokens": 0}, "`max_tokens` must be greater than 0, but is 0"),
        ({"max_answer_tokens": None}, "`max_answer_tokens` must be a whole number, but is None"),
        ({"n_best": 0}, "`n_best` must be at least 1, but is 0"),
        ({"n_best": 1001}, "`n_best` must be at most 1000, but is 1001"),
        ({"null_threshold": float("nan")}, "`null_threshold` must be 'auto' or a finite number, but is nan"),
        ({"null_threshold": "high"}, "`null_threshold` must be 'auto' or a number, but is 'high'"),
        ({"max_failed": 1.5}, "`max_failed` must be at most 1.0, but is 1.5"),
        ({"cpus_per_replica": 0}, "`cpus_per_replica` must be greater than 0.0, but is 0"),
        ({"always_answer": "perhaps"}, "`always_answer` must be true or false, but is 'perhaps'"),
        ({"always_answer": [1]}, "`always_answer` must be true or false, but is [1]"),
        ({"input": []}, "`input` must be given, but is empty"),
        ({"input": 3}, "`input` must be a list, but is 3"),
        (
            {"context_column": "question"},
            "`question_column` must be another column than `context_column`, but both are 'question'",
        ),
        ({"output": ""}, "`output` must be given, but is empty"),
        ({"model": ""}, "`model` must be given, but is empty"),
        ({"output": 3}, "`output` must be a text, but is 3"),
        ({"keep": ["a", 3]}, "`keep.1` must be a text, but is 3"),
        ({"dtype": "int4"}, "`dtype` must be 'auto', 'float32', 'bfloat16', 'float16' or 'int8', but is 'int4'"),
        ({"unit_rows": "many"}, "`unit_rows` must be 'auto' or a whole number, but is 'many'"),
        ({"unit_rows": 0}, "`unit_rows` must be 'auto' or greater than 0, but is 0"),
        ({"batch_tokens": 2.5}, "`batch_tokens` must be 'auto' or a whole number, but is 2.5"),
        (
            {"questions": "q.txt", "question_column": "foo"},
            "`question_column` must be left out with `questions`, which are asked instead, but is 'foo'",
        ),
        ({"replicas": "0"}, "`replicas` must be auto, N, or MIN:MAX with 1 ≤ MIN ≤ MAX, but is '0'"),
        ({"replicas": "3:2"}, "`replicas` must be auto, N, or MIN:MAX with 1 ≤ MIN ≤ MAX, but is '3:2'"),
        (
            {"device": "cuda:1"},
            "`device` must be auto, cpu, cuda or mps, as Ray gives each replica its card, but is 'cuda:1'",
        ),
        ({"device": "cpu", "gpus_per_replica": 1}, "`gpus_per_replica` must be 0 with `device` cpu, but is 1"),
        ({"device": "cuda", "gpus_per_replica": 0}, "`gpus_per_replica` must be above 0 with `device` cuda, but is 0"),
        ({"replicas": "1:2:3"}, "`replicas` must be auto, N, or MIN:MAX with 1 ≤ MIN ≤ MAX, but is '1:2:3'"),
    ],
    ids=str,
)
def test_every_wrong_setting_is_one_line_in_our_words(settings: dict[str, Any], line: str) -> None:
    assert refusals(**settings) == (line,)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", "cpu:0"])
def test_a_device_that_torch_would_not_know_is_refused(device: str) -> None:
    (line,) = refusals(device=device)
    assert line.startswith("`device` must be ")
    assert line.endswith(f"but is {device!r}")


@pytest.mark.parametrize(
    "settings",
    [
        {"device": "cuda", "dtype": "bfloat16", "batch_tokens": "4096", "unit_rows": "auto"},
        {"replicas": "1:8", "cpus_per_replica": "0.5", "gpus_per_replica": 0},
        {"max_tokens": 65, "stride": 0, "replicas": "2:2"},
        {"stride": 319, "n_best": 1000, "null_threshold": "-1.5", "max_failed": 0},
    ],
    ids=str,
)
def test_settings_at_their_limits_and_as_texts_are_taken(settings: dict[str, Any]) -> None:
    config = AnnotateConfig(**ANNOTATE | settings)
    for name, value in settings.items():
        assert str(getattr(config, name)) in (str(value), f"{value}.0")


def test_several_wrong_settings_are_reported_together_in_the_order_of_the_settings() -> None:
    lines = refusals(stride="x", n_best=0, dtype=5, keep=[1, 2], stirde=3, replicas="no")
    assert [line.split("`")[1] for line in lines] == [
        "dtype",
        "stride",
        "n_best",
        "keep.0",
        "keep.1",
        "replicas",
        "stirde",
    ]


def test_what_is_missing_is_named() -> None:
    assert refusals(EvaluateConfig) == ("`predictions` must be given, but is missing",)
    assert refusals(CalibrateConfig, predictions="p") == (
        "`model` must be given unless `output` says where the calibration goes, but is missing",
    )


def test_names_must_not_be_empty() -> None:
    assert refusals(EvaluateConfig, predictions="", gold="", id_column="") == (
        "`predictions` must be given, but is empty",
        "`gold` must be given, but is empty",
        "`id_column` must be given, but is empty",
    )
    assert refusals(DemoConfig, output="") == ("`output` must be given, but is empty",)


def test_an_unknown_setting_that_looks_like_one_of_ours_gets_a_suggestion() -> None:
    assert refusals(strid=1) == ("`strid` must be a setting, but is unknown; did you mean `stride`?",)
    (line,) = refusals(EvaluateConfig, predictions="p", gold="g", zzz=1)
    there = "predictions, gold, compare, by, id_column, prefix, partial, seed, output, log_format, quiet, anonymous"
    assert line == f"`zzz` must be a setting, but is unknown; there are: {there}"


@pytest.mark.parametrize("name", ["integral", "literally", "tuple", "constrained"])
def test_an_unknown_setting_keeps_its_name_whatever_it_begins_with(name: str) -> None:
    assert refusals(AnnotateConfig, **{name: 1})[0].startswith(f"`{name}` must be a setting, but is unknown")


def test_a_kind_of_error_that_has_no_words_of_ours_still_names_setting_and_value() -> None:
    class Odd(Settings):
        when: complex

    assert refusals(Odd, when="x")[0].startswith("`when` must be valid, but is 'x': ")


def test_reading_settings_are_checked_wherever_they_are_used() -> None:
    with pytest.raises(ConfigError, match="`stride` must be less than the window's room"):
        ReadingSettings(max_tokens=100, max_question_tokens=50, stride=50)


def test_the_defaults_of_finetuning_are_those_that_readers_know() -> None:
    config = FinetuneConfig(**FINETUNE)
    assert (config.epochs, config.batch_size, config.learning_rate, config.weight_decay) == (2, 32, 3e-5, 0.01)
    assert (config.warmup, config.schedule, config.max_grad_norm, config.seed) == (0.05, "linear", 1.0, 13)
    assert (config.workers, config.eval, config.max_steps, config.report_to) == ("auto", None, None, ())
    assert (config.max_tokens, config.stride, config.max_question_tokens) == (384, 128, 64)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"train": []}, "`train` must be given, but is empty"),
        ({"train": 7}, "`train` must be a list, but is 7"),
        ({"model": ""}, "`model` must be given, but is empty"),
        ({"output": ""}, "`output` must be given, but is empty"),
        ({"eval": ""}, "`eval` must be given, but is empty"),
        ({"workers": 0}, "`workers` must be 'auto' or greater than 0, but is 0"),
        ({"workers": "all"}, "`workers` must be 'auto' or a whole number, but is 'all'"),
        ({"gpus_per_worker": -1}, "`gpus_per_worker` must be at least 0.0, but is -1"),
        ({"gpus_per_worker": 2}, "`gpus_per_worker` must be 0 or 1, as a worker trains on one GPU, but is 2"),
        (
            {"output": "hdfs://bucket/model"},
            "`output` must be a path, or a URL of s3://, gs://, az://, abfs://, as hdfs:// is for reading rows only, "
            "but is hdfs://bucket/model",
        ),
        ({"cpus_per_worker": 0}, "`cpus_per_worker` must be greater than 0.0, but is 0"),
        ({"cpus_per_worker": "inf"}, "`cpus_per_worker` must be a finite number, but is 'inf'"),
        ({"epochs": 0}, "`epochs` must be greater than 0, but is 0"),
        ({"epochs": 1.5}, "`epochs` must be a whole number, but is 1.5"),
        ({"max_steps": 0}, "`max_steps` must be greater than 0, but is 0"),
        ({"batch_size": "big"}, "`batch_size` must be a whole number, but is 'big'"),
        ({"batch_tokens": 0}, "`batch_tokens` must be 'auto' or greater than 0, but is 0"),
        ({"learning_rate": 0}, "`learning_rate` must be greater than 0.0, but is 0"),
        ({"learning_rate": "inf"}, "`learning_rate` must be a finite number, but is 'inf'"),
        ({"weight_decay": -0.1}, "`weight_decay` must be at least 0.0, but is -0.1"),
        ({"warmup": -1}, "`warmup` must be at least 0.0, but is -1"),
        ({"max_grad_norm": float("nan")}, "`max_grad_norm` must be a finite number, but is nan"),
        ({"schedule": "steps"}, "`schedule` must be 'linear', 'cosine' or 'constant', but is 'steps'"),
        ({"dtype": "int8"}, "`dtype` must be 'auto', 'float32', 'bfloat16' or 'float16', but is 'int8'"),
        ({"dropout": 1}, "`dropout` must be less than 1.0, but is 1"),
        ({"freeze": "layers"}, "`freeze` must be none, embeddings or layers:K, but is 'layers'"),
        ({"freeze": "layers:-1"}, "`freeze` must be none, embeddings or layers:K, but is 'layers:-1'"),
        ({"negative_ratio": -1}, "`negative_ratio` must be at least 0.0, but is -1"),
        ({"seed": -1}, "`seed` must be at least 0, but is -1"),
        ({"eval_every": 0}, "`eval_every` must be greater than 0, but is 0"),
        ({"save_every": 0}, "`save_every` must be greater than 0, but is 0"),
        ({"keep_checkpoints": 0}, "`keep_checkpoints` must be greater than 0, but is 0"),
        ({"max_bad_steps": -1}, "`max_bad_steps` must be at least 0, but is -1"),
        ({"report_to": ["wandb"]}, "`report_to` must be of tensorboard, mlflow, but has 'wandb'"),
        ({"stride": 320}, "`stride` must be less than the window's room for context (at most 320), but is 320"),
    ],
    ids=str,
)
def test_every_wrong_setting_of_finetuning_is_one_line(settings: dict[str, Any], line: str) -> None:
    assert refusals(FinetuneConfig, **settings) == (line,)


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": "4", "gpus_per_worker": 0, "cpus_per_worker": "0.5", "batch_tokens": "4096"},
        {"warmup": 0, "weight_decay": 0, "max_grad_norm": 0, "dropout": 0, "negative_ratio": 0, "max_bad_steps": 0},
        {"freeze": "layers:0", "schedule": "cosine", "max_steps": 1, "seed": 0, "eval": "dev.json"},
    ],
    ids=str,
)
def test_settings_of_finetuning_at_their_limits_are_taken(settings: dict[str, Any]) -> None:
    config = FinetuneConfig(**FINETUNE | settings)
    for name, value in settings.items():
        assert str(getattr(config, name)) in (str(value), f"{value}.0")


def test_several_wrong_settings_of_finetuning_are_reported_together() -> None:
    lines = refusals(FinetuneConfig, train=[], epochs=0, freeze="all", report_to=["x"], learnin_rate=1, schedule="x")
    names = ["train", "epochs", "schedule", "freeze", "report_to", "learnin_rate"]
    assert [line.split("`")[1] for line in lines] == names
    assert lines[-1].endswith("did you mean `learning_rate`?")


class _Invented(Settings):
    """Settings of which one is new and not marked, as a forgotten one would be."""

    forgotten: int = 1
    free: Annotated[int, FREE] = 2
    limited: Annotated[int, Field(gt=0), FREE] = 3


def test_a_setting_decides_the_result_unless_it_is_marked() -> None:
    assert deciding_settings(_Invented()) == {"forgotten": 1}


def test_only_what_is_marked_is_left_to_be_settled() -> None:
    config = AnnotateConfig(input=("in",), output="out", prefix="auto", batch_tokens=5)
    assert unsettled(config) == {"backend", "device", "dtype", "unit_rows"}
    assert unsettled(FinetuneConfig(**FINETUNE)) == {"dtype"}


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5s", 1.5), ("15m", 900), ("2h", 7_200), ("0", 0)])
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    assert in_seconds(AnnotateConfig(**ANNOTATE | {"wait_for_nodes": text}).wait_for_nodes) == seconds


@pytest.mark.parametrize("text", ["", "m", "15 m", "-3", "1d", "∞"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    (line,) = refusals(wait_for_nodes=text)
    assert line == f"`wait_for_nodes` must be a number of seconds, or one with s, m or h behind it, but is {text!r}"


def test_one_path_or_text_stands_for_itself_where_several_may_be_given() -> None:
    config = AnnotateConfig(input="x.parquet", output=Path("out"), keep="id")
    assert (config.input, config.output, config.keep) == (("x.parquet",), "out", ("id",))
    several = AnnotateConfig(input=[Path("a"), "b"], output="out")
    assert several.input == ("a", "b")


def test_settings_are_refused_in_our_words_wherever_they_are_made() -> None:
    with pytest.raises(ConfigError) as caught:
        ReadingSettings(stride=-1, n_best=0)
    assert caught.value.problems == (
        "`stride` must be at least 0, but is -1",
        "`n_best` must be at least 1, but is 0",
    )


@pytest.mark.parametrize("given", ["x", {"model": "a"}, None, ReadingSettings()])
def test_a_command_that_is_given_something_else_than_its_settings_says_what_it_wants(given: object) -> None:
    check_kind(ModelSettings(), ModelSettings)
    with pytest.raises(ConfigError, match=r"^the settings must be ModelSettings, but are \w+: "):
        check_kind(given, ModelSettings)
