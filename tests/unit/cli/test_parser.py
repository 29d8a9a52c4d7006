from __future__ import annotations

import io
import re
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.asking.config import AskConfig
from ray_qa.cli.demo import DemoConfig
from ray_qa.cli.parser import parse
from ray_qa.errors import ConfigError
from ray_qa.finetuning.config import FinetuneConfig

NEEDED = ("--input", "in", "--output", "out")


def annotate(*arguments: str) -> AnnotateConfig:
    return parse(AnnotateConfig, "ray-qa annotate", [*NEEDED, *arguments])


@pytest.fixture
def yaml(tmp_path: Path) -> Path:
    return tmp_path / "job.yaml"


def from_yaml(path: Path, content: str, *flags: str) -> AnnotateConfig:
    path.write_text(content, encoding="utf-8")
    return parse(AnnotateConfig, "ray-qa annotate", ["--config", str(path), *flags])


def refusals(path: Path, content: str, *flags: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        from_yaml(path, content, *flags)
    return caught.value.problems


def test_flags_become_settings() -> None:
    config = annotate("--n-best", "3", "--null-threshold", "-1.5", "--keep", "id", "title", "--replicas", "1:4")
    assert config == AnnotateConfig(
        input=("in",), output="out", n_best=3, null_threshold=-1.5, keep=("id", "title"), replicas="1:4"
    )
    assert annotate("--keep", "a", "b").keep == ("a", "b")
    assert annotate("--prefix=--").prefix == "--"


def test_a_list_s_flag_may_be_repeated() -> None:
    config = annotate("--input", "a", "--keep", "id", "title", "--n-best", "3", "--input=b", "--input", "c", "d")
    assert (config.input, config.keep) == (("in", "a", "b", "c", "d"), ("id", "title"))
    assert config.n_best == 3
    assert annotate("--keep=--x").keep == ("--x",)


def test_a_flag_may_have_another_name_than_its_field() -> None:
    asked = ["--question", "Who?", "--question", "When?", "--context", "text"]
    assert parse(AskConfig, "ray-qa ask", [*asked, "--json"]) == AskConfig(
        question=("Who?", "When?"), context="text", json=True
    )
    assert not parse(AskConfig, "ray-qa ask", asked).as_json
    with pytest.raises(ConfigError, match=r"^`dtype` must be another than int8, which is calibrated on many rows"):
        parse(AskConfig, "ray-qa ask", [*asked, "--dtype", "int8"])


@pytest.mark.parametrize(("flag", "value"), [("--always-answer", True), ("--no-always-answer", False)])
def test_switches_are_turned_on_and_off(flag: str, value: bool) -> None:
    assert annotate(flag).always_answer is value
    assert annotate().always_answer is False


def test_a_file_supplies_what_flags_do_not_say(yaml: Path) -> None:
    content = "input: [a, b]\noutput: out\nstride: 64\nnull_threshold: 0.25\nmodel: größe/模型\n"
    config = from_yaml(yaml, content, "--stride", "32")
    assert (config.input, config.stride, config.null_threshold) == (("a", "b"), 32, 0.25)
    assert config.model == "größe/模型"


def test_flags_override_the_file_even_back_to_the_default(yaml: Path) -> None:
    content = "input: [a]\noutput: out\nstride: 64\nkeep: [id]\nbatch_tokens: 5\n"
    config = from_yaml(yaml, content, "--stride", "128", "--keep", "title", "--batch-tokens", "auto", "--input", "z")
    assert (config.stride, config.keep, config.batch_tokens, config.input) == (128, ("title",), "auto", ("z",))


@pytest.mark.parametrize(
    ("flags", "value"),
    [((), True), (("--no-always-answer",), False), (("--always-answer",), True)],
)
def test_a_switch_that_the_file_turns_on_stays_on_until_a_flag_turns_it_off(
    yaml: Path, flags: tuple[str, ...], value: bool
) -> None:
    assert from_yaml(yaml, "input: [a]\noutput: out\nalways_answer: true\n", *flags).always_answer is value


def test_a_switch_that_is_no_switch_in_the_file_is_refused_and_not_passed_over(yaml: Path) -> None:
    lines = refusals(yaml, "input: [a]\noutput: out\nalways_answer: perhaps\noverwrite: 3\n")
    assert lines == (
        "`always_answer` must be true or false, but is 'perhaps'",
        "`overwrite` must be true or false, but is 3",
    )


def test_an_unknown_key_gets_a_suggestion(yaml: Path) -> None:
    (line,) = refusals(yaml, "input: [a]\noutput: out\nmax_token: 3\n")
    assert line == f"`max_token` in {yaml} must be a setting, but is unknown; did you mean `max_tokens`?"


def test_an_unknown_key_like_no_other_is_told_which_keys_there_are_as_the_file_has_them(yaml: Path) -> None:
    yaml.write_text("question: Who?\ncontext: text\nzzz: 1\n")
    with pytest.raises(ConfigError) as caught:
        parse(AskConfig, "ray-qa ask", ["--config", str(yaml)])
    (line,) = caught.value.problems
    head, _, names = line.partition("there are: ")
    assert head == f"`zzz` in {yaml} must be a setting, but is unknown; "
    assert {"json", "n_best"} <= set(names.split(", "))
    assert "as_json" not in names


def test_errors_of_file_and_flags_are_reported_together(yaml: Path) -> None:
    lines = refusals(yaml, "input: {a: 1}\nstride: 1.5\nn_bst: 2\n", "--max-failed", "7", "--dtype", "int4")
    assert [line.split("`")[1] for line in lines] == ["dtype", "stride", "input", "output", "max_failed", "n_bst"]


def test_wrong_flags_are_told_in_our_words() -> None:
    with pytest.raises(ConfigError) as caught:
        annotate("--n-best", "many", "--unit-rows", "0")
    assert caught.value.problems == (
        "`n_best` must be a whole number, but is 'many'",
        "`unit_rows` must be 'auto' or greater than 0, but is 0",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[a, b]", "must be a YAML mapping of settings, but {path} holds something else"),
        ("", "must be a YAML mapping of settings, but {path} holds something else"),
        ("1: 2", "must be a YAML mapping of settings, but {path} holds something else"),
        ("{", "must be a YAML file that can be read, but {path} gives: "),
        ("a: !!python/object/apply:os.getcwd []", "must be a YAML file that can be read, but {path} gives: "),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(yaml: Path, content: str, message: str) -> None:
    (line,) = refusals(yaml, content)
    assert line.startswith("`config` " + message.format(path=yaml))
    assert "\n" not in line


@pytest.mark.parametrize("binary", [True, False])
def test_a_file_that_cannot_be_read_is_refused(yaml: Path, binary: bool) -> None:
    if binary:
        yaml.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=f"^`config` must be a YAML file that can be read, but {yaml} gives: "):
        parse(DemoConfig, "ray-qa demo", ["--config", str(yaml)])


def test_what_is_wrong_with_flags_and_values_is_told_without_tyro_s_frames() -> None:
    with pytest.raises(ConfigError) as caught:
        annotate("--strid", "3", "--always-answer", "4", "--n-best", "--quiet", "--prefix", "a", "b")
    assert caught.value.problems == (
        "`--strid` must be a flag of ray-qa annotate, but is unknown; did you mean `--stride`?",
        "`--always-answer` must have no value, but has '4'; leave that out",
        "`--n-best` must have a value (N), but has none; a value that begins with - is joined to it: --n-best=-…",
        "`--prefix` must have one value, but 'b' follows it; put a text with spaces in quotes",
    )


WORDS = st.sampled_from(["--nbest", "--n-best", "--n-best=2", "--keep", "--quiet", "--", "-", "-x", "-3", "a b", "="])


def problems_of(words: list[str]) -> tuple[str, ...]:
    try:
        annotate(*words)
    except ConfigError as error:
        return error.problems
    return ()


@settings(max_examples=25)
@given(st.lists(WORDS | st.text(max_size=5).filter(lambda word: word != "-h"), max_size=6))
def test_any_command_line_gives_settings_or_problems_of_one_line_each(words: list[str]) -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        problems = problems_of(words)
    assert said.getvalue() == ""
    assert all("\n" not in problem and "╭" not in problem for problem in problems)


@pytest.mark.parametrize(("written", "replicas"), [("2", "2"), ("1:4", "1:4"), ("'3'", "3"), ("auto", "auto")])
def test_replicas_may_stand_in_yaml_without_quotes(tmp_path: Path, written: str, replicas: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"input: [a.parquet]\noutput: out\nreplicas: {written}\nstride: 100\n")
    config = parse(AnnotateConfig, "ray-qa annotate", ["--config", str(file)])
    assert (config.replicas, config.stride) == (replicas, 100)


def test_a_device_of_no_known_kind_is_refused_in_words() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(AnnotateConfig, "ray-qa annotate", ["--input", "a", "--output", "b", "--device", "gpu"])
    assert str(caught.value) == "`device` must be auto, cpu, cuda, cuda:N or mps, but is 'gpu'"


FINETUNE = ("--model", "owner/base", "--train", "a.json", "b.parquet", "--output", "out")


def finetune(*arguments: str) -> FinetuneConfig:
    return parse(FinetuneConfig, "ray-qa finetune", arguments)


def test_flags_become_settings_of_finetuning() -> None:
    config = finetune(
        *FINETUNE, "--workers", "4", "--learning-rate", "1e-5", "--report-to", "tensorboard", "mlflow", "--freeze",
        "layers:3", "--max-steps", "10", "--gradient-checkpointing", "--gpus-per-worker", "1", "--warmup", "100",
    )  # fmt: skip
    assert config == FinetuneConfig(
        model="owner/base", train=("a.json", "b.parquet"), output="out", workers=4, learning_rate=1e-5,
        report_to=("tensorboard", "mlflow"), freeze="layers:3", max_steps=10, gradient_checkpointing=True,
        gpus_per_worker=1.0, warmup=100,
    )  # fmt: skip


def test_a_file_and_flags_make_the_settings_of_finetuning_together(yaml: Path) -> None:
    yaml.write_text(
        "model: owner/base\ntrain: [a.json]\noutput: out\nworkers: 2\nlearning_rate: 1e-5\neval: dev.json\n"
        "freeze: layers:2\nreport_to: [mlflow]\ngradient_checkpointing: true\n"
    )
    config = finetune("--config", str(yaml), "--workers", "auto", "--train", "b.json", "c.json")
    assert (config.workers, config.train, config.learning_rate) == ("auto", ("b.json", "c.json"), 1e-5)
    assert (config.eval, config.freeze, config.report_to) == ("dev.json", "layers:2", ("mlflow",))
    assert config.gradient_checkpointing is True


def test_what_finetuning_needs_is_named_and_what_is_wrong_with_it(yaml: Path) -> None:
    yaml.write_text("train: {a: 1}\nepoch: 3\n")
    with pytest.raises(ConfigError) as caught:
        finetune("--config", str(yaml), "--report-to", "wandb", "--epochs", "none")
    assert caught.value.problems == (
        "`model` must be given, but is missing",
        "`train` must be a list, but is {'a': 1}",
        "`output` must be given, but is missing",
        "`epochs` must be a whole number, but is 'none'",
        "`report_to` must be of tensorboard, mlflow, but has 'wandb'",
        f"`epoch` in {yaml} must be a setting, but is unknown; did you mean `epochs`?",
    )


def test_a_yaml_file_that_is_broken_is_told_with_the_line(yaml: Path) -> None:
    lines = refusals(yaml, "input: a\noutput: [b\nstride: 3\n")
    assert len(lines) == 1
    assert re.search(
        r"`config` must be a YAML file that can be read, but .*job\.yaml gives: line 3, column \d+: ", lines[0]
    )


def test_a_list_that_is_given_without_a_value_is_refused(yaml: Path) -> None:
    assert refusals(yaml, "input: [a]\noutput: b\n", "--keep") == (
        "`keep` must have a value where it is given, but is empty",
    )
