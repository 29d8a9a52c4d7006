from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.cli.main import main
from ray_qa.data.parts import part_path
from ray_qa.errors import ConfigError, RayQaError
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import export
from ray_qa.reader.answers import confidence
from ray_qa.reader.calibration import Calibration, FittedOn, Scale, write_calibration
from ray_qa.records import Question
from ray_qa.rescoring import parts as module
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.rescore import rescore
from ray_qa.rescoring.summary import describe
from ray_qa.runs.annotated_rows import open_source
from ray_qa.runs.part_labels import publish_part
from tests.unit.exporting.annotated import ANSWERS, CONTEXTS, ROWS, answer, write_output


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """A finished output of five rows in three parts: two answers, one failed row, two without an answer."""
    return write_output(tmp_path / "annotated", ROWS, ANSWERS)


def config(annotated: Path, output: Path, **settings: Any) -> RescoreConfig:
    return RescoreConfig(input=str(annotated), output=str(output), **({"null_threshold": 0.5} | settings))


def refusal(of: RescoreConfig) -> str:
    with pytest.raises(RayQaError) as caught:
        rescore(of)
    (problem,) = caught.value.problems
    return problem


def table_of(folder: Path) -> pa.Table:
    parts = [pq.read_table(part).replace_schema_metadata() for part in sorted(folder.glob("part-*.parquet"))]
    return pa.concat_tables(parts)


def test_a_rescored_output_has_the_same_parts_with_other_outcomes(annotated: Path, tmp_path: Path) -> None:
    summary = rescore(config(annotated, tmp_path / "out"))
    before, after = table_of(annotated), table_of(tmp_path / "out")
    assert after.schema == before.schema
    changed = {name for name in before.column_names if not before[name].equals(after[name])}
    assert changed == {"answer", "status", "confidence"}
    assert after["status"].to_pylist() == ["answered", "answered", "failed", "answered", "no_answer"]
    assert after["answer"].to_pylist() == ["oxygen", "in 1902", None, "日本", None]
    assert (summary.counts.answered, summary.counts.no_answer, summary.counts.failed) == (3, 1, 1)
    assert (summary.before.answered, summary.rescored_rows, summary.parts) == (2, 5, 3)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [".ray_qa", "_SUCCESS", *(f"part-000000{number}.parquet" for number in range(3))]
    assert describe(summary).startswith(
        "5 rows = 3 answered + 1 no answer + 1 failed\nbefore: 2 answered + 2 no answer; null threshold now: 0.5\n"
    )


def test_the_result_is_read_as_an_output_of_annotate_and_names_its_parent(annotated: Path, tmp_path: Path) -> None:
    rescore(config(annotated, tmp_path / "out"))
    source, parent = open_source(str(tmp_path / "out"), partial=False), open_source(str(annotated), partial=False)
    assert source.counts["answered"] == 3
    assert source.output.settings == {**parent.output.settings, "null_threshold": 0.5, "confidence": None}
    assert (source.model, source.output.weights_sha256) == (parent.model, parent.output.weights_sha256)
    assert source.plan != parent.plan
    plan = json.loads((tmp_path / "out/.ray_qa/plan.json").read_bytes())
    assert (plan["command"], plan["parent"]["output"], plan["parent"]["plan"]) == (
        "ray-qa rescore", str(annotated), parent.plan,
    )  # fmt: skip
    run = json.loads((tmp_path / "out/.ray_qa/run.json").read_bytes())
    assert (run["settings"]["null_threshold"], run["settings"]["model"]) == (0.5, "owner/reader")
    assert run["parent"]["run"]["answered"] == 2
    export(ExportConfig(input=str(tmp_path / "out"), to="squad", output=str(tmp_path / "out.json")))
    assert json.loads((tmp_path / "out.json").read_bytes())["d"] == "日本"


def test_rescoring_there_and_back_gives_the_rows_that_were_there(annotated: Path, tmp_path: Path) -> None:
    rescore(config(annotated, tmp_path / "there", always_answer=True, null_threshold=None))
    assert table_of(tmp_path / "there")["status"].to_pylist() == ["answered"] * 2 + ["failed"] + ["answered"] * 2
    rescore(config(tmp_path / "there", tmp_path / "back", null_threshold=0.0))
    columns = [*ROWS.column_names, "answer", "status", "span", "log_partition"]
    assert table_of(tmp_path / "back").select(columns).equals(table_of(annotated).select(columns))


def test_the_same_command_goes_on_where_it_was_killed_and_reports_what_is_finished(
    annotated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = config(annotated, tmp_path / "out")

    def killed(folder: Path, number: int, *more: Any) -> str:
        if number == 1:
            raise KeyboardInterrupt
        return publish_part(folder, number, *more)

    with monkeypatch.context() as patch:
        patch.setattr(module, "publish_part", killed)
        with pytest.raises(KeyboardInterrupt):
            rescore(of)
    assert not (tmp_path / "out/_SUCCESS").exists()
    first = part_path(tmp_path / "out", 0).stat().st_mtime_ns
    assert rescore(of).rescored_rows < 5
    assert part_path(tmp_path / "out", 0).stat().st_mtime_ns == first
    run = (tmp_path / "out/.ray_qa/run.json").read_bytes()
    again = rescore(of)
    assert (again.rescored_rows, again.counts.answered) == (0, 3)
    assert "nothing to do" in describe(again)
    assert (tmp_path / "out/.ray_qa/run.json").read_bytes() == run
    part_path(tmp_path / "out", 2).unlink()
    assert rescore(of).rescored_rows == 1


def test_parts_whose_rows_have_failed_otherwise_since_are_made_again(annotated: Path, tmp_path: Path) -> None:
    of = config(annotated, tmp_path / "out")
    rescore(of)
    healed = [*ANSWERS[:2], answer(CONTEXTS[2], "Nothing"), *ANSWERS[3:]]
    shutil.rmtree(annotated)
    write_output(annotated, ROWS, healed)
    summary = rescore(of)
    assert (summary.rescored_rows, summary.counts.failed) == (2, 0)
    assert table_of(tmp_path / "out")["answer"][2].as_py() == "Nothing"


SPAN, NULL = Scale(slope=0.5, rest_slope=0.25, shift=1.0), Scale(slope=2.0)


def calibration(path: Path, **more: Any) -> Path:
    fitted_on = FittedOn(rows=9, contexts=9, windows_per_row=1.0, no_answer_share=0.5, unanswerable_share=0.5)
    own = Calibration(
        null_threshold=0.5,
        span=SPAN,
        null=NULL,
        weights_sha256=more.get("weights"),
        optimized="f1",
        fitted_on=fitted_on,
    )
    write_calibration(own, path)
    return path


def test_a_calibration_gives_threshold_and_confidence_of_all_rows(annotated: Path, tmp_path: Path) -> None:
    path = str(calibration(tmp_path / "ray_qa.json"))
    rescore(config(annotated, tmp_path / "out", null_threshold=None, calibration=path))
    rows = table_of(tmp_path / "out")
    assert rows["status"].to_pylist() == ["answered", "answered", "failed", "answered", "no_answer"]
    assert rows["confidence"][0].as_py() == pytest.approx(confidence(1.5, 2.0, SPAN))
    assert rows["confidence"][4].as_py() == pytest.approx(confidence(0.5, 2.0, NULL))
    settings = open_source(str(tmp_path / "out"), partial=False).output.settings
    assert settings["confidence"] == {"span": SPAN.model_dump(), "null": NULL.model_dump()}
    # What is not given stays as it was: another threshold leaves confidence calibrated.
    rescore(config(tmp_path / "out", tmp_path / "more", null_threshold=9.0))
    again = table_of(tmp_path / "more")["confidence"]
    assert again[0] == rows["confidence"][0]
    assert again[4].as_py() == pytest.approx(confidence(-2.5, 2.0, SPAN))


def test_a_calibration_of_another_model_or_none_is_refused(annotated: Path, tmp_path: Path) -> None:
    other = str(calibration(tmp_path / "ray_qa.json", weights="f" * 64))
    assert "is of others" in refusal(config(annotated, tmp_path / "out", null_threshold=None, calibration=other))
    missing = config(annotated, tmp_path / "out", null_threshold=None, calibration=str(tmp_path / "no.json"))
    assert refusal(missing) == f"`calibration` must be a file that calibrate wrote, but {tmp_path}/no.json is not there"


def test_another_threshold_wants_another_output_or_overwrite(annotated: Path, tmp_path: Path) -> None:
    rescore(config(annotated, tmp_path / "out"))
    assert refusal(config(annotated, tmp_path / "out", null_threshold=1.0)) == (
        f"`output` must have been made with the same model, input and settings, but {tmp_path}/out differs in "
        "`null_threshold` (0.5 there, 1.0 now); name another output, or start again with --overwrite"
    )
    rescore(config(annotated, tmp_path / "out", null_threshold=5.0, overwrite=True))
    assert table_of(tmp_path / "out")["status"].to_pylist().count("answered") == 4


@pytest.mark.parametrize("within", ["annotated/out", "annotated", "."])
def test_the_input_is_left_alone(annotated: Path, tmp_path: Path, within: str) -> None:
    before = sorted(annotated.rglob("*"))
    assert refusal(config(annotated, tmp_path / within, overwrite=True)).startswith(
        "`output` must lie outside `input`, but is"
    )
    assert sorted(annotated.rglob("*")) == before


def test_what_another_command_or_a_person_wrote_is_not_replaced(annotated: Path, tmp_path: Path) -> None:
    other = write_output(tmp_path / "other", ROWS, ANSWERS)
    assert "that ray-qa rescore made, but" in refusal(config(annotated, other, overwrite=True))
    assert len(list(other.glob("part-*"))) == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    assert "holds 'notes.txt'" in refusal(config(annotated, tmp_path / "mine", overwrite=True))


def test_an_unfinished_input_is_refused_or_rescored_as_far_as_it_is_there(
    annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(part_path(annotated, 1), tmp_path / "kept")
    part_path(annotated, 1).unlink()
    missing = f"{annotated} has 2 of 3 parts; run the same annotate command again for the rest"
    assert refusal(config(annotated, tmp_path / "out")).startswith(f"`input` must be finished, but {missing}")
    summary = rescore(config(annotated, tmp_path / "out", partial=True))
    assert capsys.readouterr().err == f"ray-qa rescore: NOT FINISHED: {missing}. Only what is there is rescored.\n"
    assert (summary.counts.rows, summary.parts) == (3, 2)
    assert describe(summary).startswith("NOT FINISHED: ")
    assert not (tmp_path / "out/_SUCCESS").exists()
    assert refusal(config(tmp_path / "out", tmp_path / "again")).endswith(
        "2 of 3 parts; run the same rescore command again for the rest, or take what is there with --partial"
    )
    shutil.copy(tmp_path / "kept", part_path(annotated, 1))
    assert rescore(config(annotated, tmp_path / "out")).rescored_rows == 2
    assert (tmp_path / "out/_SUCCESS").exists()


def test_question_sets_are_rescored_wide_and_long(tmp_path: Path) -> None:
    questions = (Question(id="who", text="Who?"), Question(id="when", text="When?"))
    contexts = ROWS.select(["id", "context"]).slice(0, 2)
    answers = [ANSWERS[0], answer(CONTEXTS[0], "blue", margin=-0.25, answered=False), ANSWERS[1], ANSWERS[3]]
    for wide in (True, False):
        annotated = write_output(tmp_path / f"in-{wide}", contexts, answers, questions, wide=wide)
        assert rescore(config(annotated, tmp_path / f"out-{wide}")).counts.answered == 4
    wide_rows, long_rows = (table_of(tmp_path / f"out-{wide}").to_pylist() for wide in (True, False))
    assert [row[name]["answer"] for row in wide_rows for name in ("who", "when")] == [
        row["answer"] for row in long_rows
    ]


def test_the_compression_and_the_prefix_are_the_inputs(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS, prefix="qa_", compression="snappy")
    part = part_path(annotated, 0)
    table = pq.read_table(part)
    pq.write_table(table, part, compression="snappy")
    rescore(config(annotated, tmp_path / "out"))
    metadata = pq.read_metadata(part_path(tmp_path / "out", 0))
    assert metadata.row_group(0).column(0).compression == "SNAPPY"
    assert table_of(tmp_path / "out")["qa_answer"].to_pylist()[3] == "日本"


def test_what_is_no_output_or_has_no_numbers_is_refused_in_one_line(annotated: Path, tmp_path: Path) -> None:
    assert refusal(config(tmp_path / "nowhere", tmp_path / "out")).startswith("`input` must be a folder that annotate")
    part = part_path(annotated, 1)
    table = pq.read_table(part)
    nan = pa.array([None, float("nan")], pa.float64())
    pq.write_table(table.set_column(table.schema.get_field_index("null_score"), "null_score", nan), part)
    assert refusal(config(annotated, tmp_path / "out")) == (
        f"`input` must have finite scores, but {part} has nan in 'null_score' of its row 2, which has not failed"
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "`null_threshold`, or another setting that"),
        (
            {"null_threshold": 0.0, "always_answer": True},
            "only one of `null_threshold` and `always_answer` must be given",
        ),
        ({"target_precision": 0.9}, "`gold` must be given with `target_precision`, but is not"),
        ({"null_threshold": 1.0, "gold": "x"}, "`target_precision` must be given with `gold`, but is not"),
        (
            {"target_precision": 0.9, "gold": "x", "partial": True},
            "`partial` must be left out with `target_precision`: what is promised of a part of the rows",
        ),
        ({"null_threshold": float("nan")}, "`null_threshold` must be"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RescoreConfig(input="in", output="out", **settings)
    assert caught.value.problems[0].startswith(line)


def test_the_command_prints_its_summary(annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--input", str(annotated), "--output", str(tmp_path / "out"), "--null-threshold", "0"]
    assert main(["rescore", *flags]) == 0
    assert capsys.readouterr().out.startswith("5 rows = 2 answered + 2 no answer + 1 failed\n")
    assert main(["rescore", *flags, "--log-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["answered"] == 2
