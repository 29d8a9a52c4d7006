from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.cli.main import main
from ray_qa.data.gold import read_gold
from ray_qa.errors import ConfigError, RayQaError
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.evaluation.evaluate import evaluate
from ray_qa.records import Question
from ray_qa.sampling.config import SampleConfig
from ray_qa.sampling.sample import SampleSummary, sample
from tests.unit.exporting.annotated import ANSWERS, CONTEXTS, FAILED, ROWS, answer, without_scores, write_output

QUESTIONS = (Question(id="who", text="Who?"), Question(id="2.1", text="Anything else?"))


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """A finished output of five rows in three parts: two answers, one failed row, two without an answer."""
    return write_output(tmp_path / "annotated", ROWS, ANSWERS)


def config(annotated: Path, output: Path, **settings: Any) -> SampleConfig:
    values = {} if "lowest_margin" in settings else {"random": 9}
    return SampleConfig(input=str(annotated), output=str(output), **{**values, **settings})


def refusal(of: SampleConfig) -> str:
    with pytest.raises(RayQaError) as caught:
        sample(of)
    (problem,) = caught.value.problems
    return problem


def test_rows_become_tasks_with_their_answers_filled_in(annotated: Path, tmp_path: Path) -> None:
    of = config(annotated, tmp_path / "tasks.json", random=4, labels_config=str(tmp_path / "labels.xml"))
    assert sample(of) == SampleSummary(rows=4, of_rows=4, output=of.output, form="label-studio")
    tasks = json.loads((tmp_path / "tasks.json").read_bytes())
    assert [task["data"] for task in tasks] == [
        {"text": row["context"], "question": row["question"], "id": row["id"]}
        for row in ROWS.to_pylist()
        if row["id"] != "c"
    ]
    given = [[region["value"]["text"] for region in task["predictions"][0]["result"]] for task in tasks]
    assert given == [["oxygen"], ["in 1902"], [], []]
    assert (tmp_path / "labels.xml").read_text().startswith("<View>")


def test_more_columns_go_along_where_they_are_named_and_ids_are_called_id(annotated: Path, tmp_path: Path) -> None:
    sample(config(annotated, tmp_path / "tasks.json", columns=("id", "windows"), id_column="span"))
    data = json.loads((tmp_path / "tasks.json").read_bytes())[0]["data"]
    assert (data["id"], data["windows"], set(data)) == ("oxygen", 1, {"id", "windows", "text", "question"})


def test_rows_become_squad_json_that_is_read_as_gold(annotated: Path, tmp_path: Path) -> None:
    sample(config(annotated, tmp_path / "sample.json", to="squad"))
    gold = read_gold(str(tmp_path / "sample.json"), "id")
    assert gold.by_id() == {"a": ("oxygen",), "b": ("in 1902",), "d": (), "e": ()}
    (article,) = json.loads((tmp_path / "sample.json").read_bytes())["data"]
    first = article["paragraphs"][0]
    (answer,) = first["qas"][0]["answers"]
    assert first["context"][answer["answer_start"] :].startswith("oxygen")


def test_rows_stay_as_they_are_in_parquet(annotated: Path, tmp_path: Path) -> None:
    sample(config(annotated, tmp_path / "new/sample.parquet", to="parquet", lowest_margin=2))
    rows = pq.read_table(tmp_path / "new/sample.parquet")
    assert rows["id"].to_pylist() == ["a", "d"]
    assert rows.column_names[:4] == ROWS.column_names
    sample(config(annotated, tmp_path / "ids.parquet", to="parquet", columns=("id", "status")))
    assert pq.read_table(tmp_path / "ids.parquet").column_names == ["id", "status"]


def test_the_rows_nearest_to_the_null_threshold_are_those_of_the_lowest_margin(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS, null_threshold=3.0)
    sample(config(annotated, tmp_path / "tasks.json", lowest_margin=1))
    (task,) = json.loads((tmp_path / "tasks.json").read_bytes())
    assert task["data"]["id"] == "e"  # null 0.5, best −2.5: just at the threshold


def test_of_each_value_its_share_is_taken(annotated: Path, tmp_path: Path) -> None:
    for seed in range(5):
        sample(config(annotated, tmp_path / "tasks.json", random=2, by="status", seed=seed, overwrite=True))
        tasks = json.loads((tmp_path / "tasks.json").read_bytes())
        assert sorted(len(task["predictions"][0]["result"]) for task in tasks) == [0, 1]


def test_rows_whose_scores_are_no_numbers_are_left_out_which_is_said(
    annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no numbers" not in sampled_with_logs(annotated, tmp_path / "all.json", capsys)
    without_scores(annotated, 1)
    assert sampled_with_logs(annotated, tmp_path / "some.json", capsys).startswith(
        "ray-qa sample: the scores of 1 row are no numbers; they are left out of what rows are taken from"
    )
    assert len(json.loads((tmp_path / "some.json").read_bytes())) == 3


def sampled_with_logs(annotated: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    sample(config(annotated, output))
    return capsys.readouterr().err


def test_pairs_are_drawn_of_a_wide_output_and_judged_by_their_ids(tmp_path: Path) -> None:
    contexts = pa.table({"id": [7, 8], "context": [CONTEXTS[0], CONTEXTS[1]]})
    given = [answer(CONTEXTS[0], "oxygen"), answer(CONTEXTS[0], "blue"), answer(CONTEXTS[1], "1902"), FAILED]
    wide = write_output(tmp_path / "wide", contexts, given, QUESTIONS, wide=True, prefix="qa_")
    assert sample(config(wide, tmp_path / "gold.json", to="squad")).rows == 3
    assert read_gold(str(tmp_path / "gold.json"), "id").by_id() == {
        "7.who": ("oxygen",),
        "7.2.1": ("blue",),
        "8.who": ("1902",),
    }
    report = evaluate(EvaluateConfig(predictions=str(wide), gold=str(tmp_path / "gold.json")))
    assert (report.scores.exact, report.scores.total, report.scores.extra) == (100, 3, 1)
    assert [each.name for each in report.breakdowns[3].kinds] == ["who", "other"]

    sample(config(wide, tmp_path / "tasks.json", lowest_margin=1, columns=("qa_question_id",)))
    (task,) = json.loads((tmp_path / "tasks.json").read_bytes())
    assert task["data"] == {"text": CONTEXTS[0], "question": "Who?", "id": "7.who", "qa_question_id": "who"}
    assert task["predictions"][0]["result"][0]["value"]["text"] == "oxygen"
    sample(config(wide, tmp_path / "pairs.parquet", to="parquet", by="qa_question_id"))
    assert pq.read_table(tmp_path / "pairs.parquet")["id"].to_pylist() == ["7.who", "7.2.1", "8.who"]


def test_what_cannot_be_sampled_is_refused_in_one_line(annotated: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert refusal(config(tmp_path / "nowhere", out)).startswith("`input` must be a folder that annotate wrote")
    assert refusal(config(annotated, annotated / "out")).startswith("`output` must lie outside the output that is read")
    assert refusal(config(annotated, out, by="url")).startswith("`by` must name a column of")
    assert refusal(config(annotated, out, id_column="url")).startswith("`id_column` must name a column of")
    assert refusal(config(annotated, out, id_column="windows")).startswith("`id_column` must have every id once")
    failed = write_output(tmp_path / "failed", ROWS, [FAILED] * 5)
    assert "all rows of" in refusal(config(failed, out))
    assert not out.exists()
    out.touch()
    assert "is there; name another, or use --overwrite" in refusal(config(annotated, out))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "one of `random` and `lowest_margin` must be given, but none is"),
        ({"random": 1, "lowest_margin": 1}, "one of `random` and `lowest_margin` must be given, but both are"),
        ({"random": 1, "to": "squad", "labels_config": "x"}, "`labels_config` must be left out with `to` squad"),
        ({"random": 1, "to": "squad", "columns": ("id",)}, "`columns` must be left out with `to` squad"),
        ({"random": 1, "to": "parquet", "output": "-"}, "`output` must be a file with `to` parquet, but is -"),
        (
            {"random": 1, "output": "x.Parquet"},
            "`to` must be parquet where `output` is x.Parquet, but is label-studio",
        ),
        (
            {"random": 1, "output": "x.json", "to": "parquet"},
            "`to` must be label-studio or squad where `output` is x.json, but is parquet",
        ),
        ({"random": 1, "labels_config": "out"}, "`labels_config` must be another file than `output`"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SampleConfig(**{"input": "in", "output": "out", **settings})
    assert caught.value.problems[0].startswith(line)


def test_the_command_writes_tasks_to_standard_output(annotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "--input", str(annotated), "--output", "-", "--random", "2"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2
    assert captured.err == "2 rows of 4 as label-studio in -\n"


def test_the_summary_is_for_programs_where_that_is_asked_for(
    annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = str(tmp_path / "tasks.json")
    given = ["--input", str(annotated), "--output", tasks, "--random", "2", "--log-format", "json"]
    assert main(["sample", *given]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 2, "of_rows": 4, "output": tasks, "form": "label-studio"}
