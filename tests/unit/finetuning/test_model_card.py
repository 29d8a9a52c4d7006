from __future__ import annotations

import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # where it is documented
from markdown_it import MarkdownIt
from PIL import Image

from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.model_card import model_card, write_card_and_curve
from ray_qa.finetuning.summary import FinetuneSummary
from ray_qa.finetuning.tracking.metrics_log import Metrics
from tests.unit.finetuning.finished_run import (
    COMMIT,
    METRICS,
    ONE_GPU,
    SUMMARY,
    TWO_WORKERS,
    UNJUDGED,
    config,
    job,
    plan,
)

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<!-- no comment",
    "&lt;b&gt; &amp;",
    "x\n---\nlicense: mit\n---\n# x",
    "x\r\nlicense: mit",
    "a: {b: [c #d",
    "- 'it' \"is\" %x @y",
    "![x](http:x)",
    "[x](javascript:x)",
    "\\[x](x)",
    "[x]: http:x",
    "**b** _i_ __b__ ~~s~~",
    "`c` ``",
    "a | b |",
    "$x$ $$y$$",
    "# h #",
    "<http:x>",
    "__init__.py",
    "right \u202e left \u2028 \x1b[31m",
]
"""Names of files and folders that may be there."""


def card(of: FinetuneConfig, summary: FinetuneSummary = SUMMARY, metrics: list[Metrics] = METRICS) -> str:
    return model_card(job(of), plan(of), summary, metrics)


def unjudged(**settings: Any) -> str:
    return card(config(eval=None, **settings), UNJUDGED, METRICS[::2])


def metadata(text: str) -> Any:
    """The front matter, as the hub's own library reads it."""
    return ModelCard(text).data.to_dict()  # type: ignore[no-untyped-call]


class Page(HTMLParser):
    """A card as a browser gets it: its tags with their attributes' names, its comments, and the texts of blocks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.comments: list[str] = []
        self._blocks: list[tuple[str, str]] = []
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(ModelCard(text).text))

    def of(self, tag: str) -> list[str]:
        return [text.strip() for each, text in self._blocks if each == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += [tag, *(name for name, _ in attrs)]
        if tag in ("h1", "h2", "p", "td"):
            self._blocks.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self._blocks:
            tag, text = self._blocks[-1]
            self._blocks[-1] = tag, text + data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


# What the hub reads


def test_the_metadata_names_base_data_and_scores_as_the_hub_wants_them(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\ntags: [x]\n---\nA base.\n")
    settings = config(
        model="owner/base@v1.0", train=("squad", "owner/data:train", "owner/data:more"), eval="owner/data:dev"
    )
    of_run = job(settings)
    of_run = replace(of_run, base=replace(of_run.base, folder=tmp_path))
    summary = replace(SUMMARY, output="/somewhere/my reader")
    (tmp_path / "card.md").write_text(model_card(of_run, plan(settings), summary, METRICS))

    loaded: Any = ModelCard.load(tmp_path / "card.md").data

    assert loaded.to_dict() == {
        "base_model": "owner/base",
        "datasets": ["squad", "owner/data"],
        "language": "en",
        "library_name": "transformers",
        "license": "apache-2.0",
        "metrics": ["exact_match", "f1"],
        "pipeline_tag": "question-answering",
        "tags": ["ray_qa"],
        "model-index": loaded.to_dict()["model-index"],
    }
    assert loaded.model_name == "my-reader"
    assert loaded.eval_results == [
        EvalResult(
            task_type="question-answering",
            task_name="Extractive question answering",
            dataset_type="owner/data",
            dataset_name="owner/data",
            dataset_split="dev",
            metric_type=kind,
            metric_name=name,
            metric_value=value,
        )
        for kind, name, value in (("exact_match", "exact match", 61.25), ("f1", "F1", 70.5))
    ]


def test_what_is_not_on_the_hub_is_not_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "roberta-base").mkdir()
    (tmp_path / "squad").touch()
    settings = config(
        model=str(tmp_path / "roberta-base"),
        train=(str(tmp_path / "squad"), "größe", "mine.json", str(tmp_path / "*.parquet")),
        eval=str(tmp_path / "my dev.json"),
    )
    found = metadata(card(settings))
    assert found.keys() == {"library_name", "pipeline_tag", "tags", "metrics", "model-index"}
    (result,) = found["model-index"][0]["results"]
    assert result["dataset"] == {"type": "unknown", "name": "my-dev.json"}


@pytest.mark.parametrize("model", ["embedded", "o/b: {c} #d", "FOLDER"])
def test_only_a_base_that_the_hub_could_have_is_named_as_such(tmp_path: Path, model: str) -> None:
    assert "base_model" not in metadata(card(config(model=model.replace("FOLDER", str(tmp_path)))))


def test_without_evaluation_there_are_no_metrics() -> None:
    assert metadata(unjudged()) == {
        "base_model": "owner/base",
        "datasets": ["squad"],
        "library_name": "transformers",
        "pipeline_tag": "question-answering",
        "tags": ["ray_qa"],
    }


@pytest.mark.parametrize(
    ("front_matter", "said"),
    [
        ("license: mit\nlanguage: de", {"license": "mit", "language": "de"}),
        ("license: [cc-by-sa-4.0]\nlanguage: [pt-br]", {"license": "cc-by-sa-4.0", "language": "pt-br"}),
        ("license: other\nlanguage: [en, de]", {}),
        ("license: unknown\nlanguage: English", {}),
        ("license: <b>\nlanguage: no", {}),
        ("license: {a: 1}\nlanguage: 3", {}),
        ("license: [", {}),
        ("- license", {}),
        ("", {}),
    ],
)
def test_license_and_language_are_the_bases_where_its_card_has_them(
    tmp_path: Path, front_matter: str, said: dict[str, str]
) -> None:
    (tmp_path / "README.md").write_text(f"---\n{front_matter}\n---\nA base.\n")
    text = card(config(model=str(tmp_path)))
    found = metadata(text)
    assert {name: found[name] for name in ("license", "language") if name in found} == said
    assert (f"The license ({said.get('license')}) is that of the base" in text) == ("license" in said)
    assert ("No license is given" in text) == ("license" not in said)


def test_a_card_of_the_base_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\n---\n")
    assert "license" not in metadata(card(config(model=str(tmp_path))))


# Names


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_and_nothing_is_made_of_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    odd = config(model=str(tmp_path / name), train=(f"./{name}",), eval=f"./{name}")
    expected, page = Page(card(config(model=str(tmp_path), train=("a.json",), eval="b.json"))), Page(card(odd))
    shown = "".join(each if each.isprintable() else " " for each in name)
    assert page.tags == expected.tags
    assert page.comments == expected.comments
    assert page.of("h1") == [f"{shown}, fine-tuned for extractive question answering"]
    assert any(text.startswith(f"Trained on {shown}: 1,100 rows") for text in page.of("p"))
    assert any(text.startswith(f"SQuAD exact match and F1 on {shown} (120 rows") for text in page.of("p"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_adds_nothing_to_the_front_matter(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    odd = config(model=str(tmp_path / name), train=(f"./{name}", f" {name}"), eval=f"./{name}")
    text = card(odd, replace(SUMMARY, output=str(tmp_path / name)))
    _, front, _ = text.split("---\n", 2)
    assert "<" not in front
    assert yaml.safe_load(front).keys() == {"library_name", "pipeline_tag", "tags", "metrics", "model-index"}


def test_data_sets_are_named_whole_and_files_without_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "mine.json").touch()
    settings = config(
        train=("owner/data:train", str(tmp_path / "mine.json"), "my/own/*.parquet", str(tmp_path)),
        eval="owner/data:test",
    )
    page = Page(card(settings))
    told = f"Trained on owner/data:train, mine.json, *.parquet, {tmp_path.name}: 1,100 rows"
    assert any(text.startswith(told) for text in page.of("p"))
    assert any(text.startswith("SQuAD exact match and F1 on owner/data:test (120") for text in page.of("p"))
    assert str(tmp_path) not in card(settings)


@pytest.mark.parametrize(
    ("model", "name"),
    [("owner/base@v1.0", "owner/base"), ("FOLDER", "mini_lm"), ("embedded", "ray_qa's embedded model")],
)
def test_the_heading_names_the_base(tmp_path: Path, model: str, name: str) -> None:
    (tmp_path / "mini_lm").mkdir()
    text = card(config(model=model.replace("FOLDER", str(tmp_path / "mini_lm"))))
    assert Page(text).of("h1") == [f"{name}, fine-tuned for extractive question answering"]
    assert (f"The base is that of revision {COMMIT}." in text) == (model == "owner/base@v1.0")


# What people read


def test_the_card_tells_data_scores_and_settings() -> None:
    text = card(config(learning_rate=1e-5), replace(SUMMARY, bad_steps=4))
    for told in (
        "1,100 rows, of which 900 with an answer\nand 100 without were used",
        "| answers used | 1,500 |",
        "| answers dropped: not_found | 1,200 |",
        "| rows dropped: context_empty | 60 |",
        "| 4,000 ← | 61.25 | 70.50 |\n| 5,000 | 60.00 | 69.00 |",
        "The weights are those after step 4,000.",
        "Last training loss: 1.250.",
        "4 steps were skipped",
        "![learning curve](learning_curve.png)",
        "| steps | 5,000 |",
        "| learning_rate | 1e-05 |",
    ):
        assert told in text


def test_the_settings_are_told_as_they_really_were() -> None:
    text = card(config(), replace(SUMMARY, teams=(TWO_WORKERS, ONE_GPU)))
    for told in (
        "| workers | 2 workers on cpu in float32, 1 thread each, then 1 worker on cuda in bfloat16 |",
        "| batch_tokens | 4096 |",
        "| dtype | float32 |",
        "| gradient_checkpointing | no |",
        "| max_steps | no limit |",
        "| dropout | as in the base |",
        "| negative_ratio | all windows |",
        "| eval_every | after every epoch |",
    ):
        assert told in text


def test_no_setting_is_told_as_auto_none_or_a_list_of_python() -> None:
    for text in (card(config()), unjudged(), card(config(report_to=("mlflow", "tensorboard"), workers=2))):
        cells = Page(text).of("td")
        assert {"auto", "None", "True", "False", ""}.isdisjoint(cells)
        assert not [cell for cell in cells if cell.startswith(("[", "("))]


def test_settings_of_judging_are_told_only_where_it_was_judged() -> None:
    for name in ("eval_every", "max_answer_tokens"):
        assert f"| {name} |" in card(config())
        assert f"| {name} |" not in unjudged()


def test_tables_of_the_card_have_no_holes() -> None:
    for text in (card(config()), unjudged()):
        tables = [block for block in text.split("\n\n") if block.startswith("|")]
        assert len(tables) >= 2
        for table in tables:
            assert all(line.startswith("|") and line.endswith("|") for line in table.strip().splitlines())
            assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_without_evaluation_and_without_any_log_there_is_still_a_card() -> None:
    text = card(config(eval=None), UNJUDGED, [])
    assert "Not judged: no `--eval` was given." in text
    assert "Last training loss" not in text


def test_card_and_curve_lie_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "größe $x$").mkdir()
    settings = config(model=str(tmp_path / "größe $x$"), train=("數據.json",), output=str(tmp_path))
    write_card_and_curve(job(settings), plan(settings), SUMMARY, METRICS)
    assert "# größe \\$x\\$, fine" in (tmp_path / "README.md").read_text(encoding="utf-8")
    with Image.open(io.BytesIO((tmp_path / "learning_curve.png").read_bytes())) as picture:
        assert picture.format == "PNG"
    assert len(list(tmp_path.iterdir())) == 3


def test_the_names_of_the_hub_in_these_tests_are_such_as_it_has() -> None:
    for name in ("owner/base", "owner/data", "squad"):
        validate_repo_id(name)


def test_scores_of_rows_with_and_without_an_answer_stand_apart_where_there_are_both() -> None:
    kinds = {"eval_has_answer_f1": 3.25, "eval_no_answer_f1": 100.0}
    both = card(config(), metrics=[{**line, **kinds} if "eval_f1" in line else line for line in METRICS])
    assert "| step | exact | F1 | F1 with an answer | F1 without |" in both
    assert "| 60.00 | 69.00 | 3.25 | 100.00 |" in both
    assert "F1 without" not in card(config())


def test_the_cards_own_command_cuts_windows_as_training_did() -> None:
    assert "--output annotated\n" in card(config())
    text = card(config(max_tokens=160, stride=32))
    assert "--output annotated --max-tokens 160 --stride 32\n" in text


def test_how_a_run_was_extended_is_told_with_settings_that_are_those_at_the_end() -> None:
    told = "the run is extended from 1 epoch to 3 epochs; the learning rate stays at its highest"
    text = card(config(), replace(SUMMARY, extensions=(told,)))
    assert f"When it had ended, {told}." in text
    assert "As they were at the end" in text
    assert "When it had ended" not in card(config())
