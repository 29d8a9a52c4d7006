from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.calibration.calibrate import as_record, calibrate
from ray_qa.calibration.config import CalibrateConfig
from ray_qa.calibration.model_card import card_text
from ray_qa.calibration.table import describe
from ray_qa.cli import main as cli
from ray_qa.errors import ConfigError, InputError, ModelError, RayQaError
from ray_qa.reader.answers import confidence
from ray_qa.reader.calibration import RAW, read_calibration
from ray_qa.reader.model_files import find_model
from ray_qa.runs.cards import OF_CALIBRATION, card_section
from tests.unit.calibration.outputs import HALF, WEIGHTS, drawn, failed, model, row, write


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return drawn(4_000)


def config(predictions: str, folder: Path, **more: Any) -> CalibrateConfig:
    return CalibrateConfig(predictions=predictions, output=str(folder / "calibration.json"), **more)


def refused(kind: type[RayQaError], wanted: CalibrateConfig) -> str:
    with pytest.raises(kind) as caught:
        calibrate(wanted)
    (line,) = caught.value.problems
    assert len(line.splitlines()) == 1
    assert not Path(wanted.output or "none").exists()
    return line


def test_what_is_fitted_on_one_half_holds_on_the_other(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    report = calibrate(config(write(tmp_path / "out", rows), tmp_path))
    fitted = report.calibration
    assert report.after.f1.value > report.before.f1.value + 0.03
    assert report.after.ece.value < 0.6 * report.before.ece.value
    assert report.after.ece_by_chance < 0.03
    after, before = report.after.log_loss.interval, report.before.log_loss.interval
    assert after is not None
    assert before is not None
    assert after.high < before.low
    assert report.after.brier.value < report.before.brier.value
    assert -7 < fitted.null_threshold < -1
    assert (fitted.optimized, fitted.weights_sha256) == ("f1", WEIGHTS)
    assert read_calibration(report.place) == fitted


def test_before_is_what_the_predictions_say_themselves(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    report = calibrate(config(write(tmp_path / "out", rows), tmp_path))
    answered = np.mean([each["status"] == "answered" for each in rows])
    right = np.mean([each["answer"] == (each["answers"]["text"] or [None])[0] for each in rows])
    assert report.before.answered.value == pytest.approx(answered, abs=0.03)
    assert report.before.exact.value == pytest.approx(right, abs=0.03)
    assert report.threshold_before == 0.0


@pytest.mark.parametrize("without", [[], ["."]])
def test_where_no_outcome_changes_exact_match_and_f1_are_the_same_before_and_after(
    without: list[str], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    """An abstention may be right though the gold data have a text: one of punctuation alone."""
    rows = [each | {"answers": {"text": each["answers"]["text"] or without, "answer_start": []}} for each in rows]
    report = calibrate(config(write(tmp_path / "out", rows), tmp_path, optimize="none"))
    assert report.before.exact == report.after.exact
    assert report.before.f1 == report.after.f1
    assert report.before.answered == report.after.answered


def test_no_context_is_in_both_halves_and_every_row_in_one(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    report = calibrate(config(write(tmp_path / "out", rows), tmp_path))
    assert report.calibration.fitted_on.rows + report.after.rows == len(rows)
    assert report.calibration.fitted_on.contexts + report.held_contexts == 800
    by_title = calibrate(config(str(tmp_path / "out"), tmp_path, split_by="title"))
    assert by_title.calibration.fitted_on.contexts + by_title.held_contexts == 80
    assert "(40 titles), judged on 2,000 others (40 titles)" in describe(by_title)
    assert "intervals over titles" in " ".join(card_text(by_title).split())


def test_the_same_seed_gives_the_same_and_another_one_something_else(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    predictions = write(tmp_path / "out", rows[:1_200])
    first, again, other = (calibrate(config(predictions, tmp_path, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.calibration != other.calibration


def test_gold_may_lie_apart_and_say_other_things(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    gold = [{"id": each["id"], "answers": each["answers"]} for each in reversed(rows[:2_000])]
    gold.append({"id": "another", "answers": {"text": ["x"], "answer_start": [0]}})
    pq.write_table(pa.Table.from_pylist(gold), tmp_path / "gold.parquet")
    predictions = write(tmp_path / "out", rows, drop=("answers",))
    report = calibrate(config(predictions, tmp_path, gold=str(tmp_path / "gold.parquet")))
    assert report.calibration.fitted_on.rows + report.after.rows == 2_000
    assert report.missing == 1


def test_the_calibration_goes_into_the_folder_of_the_model(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    predictions = write(tmp_path / "out", rows[:1_000], weights_sha256=find_model(folder).weights_sha256)
    report = calibrate(CalibrateConfig(predictions=predictions, model=folder))
    assert report.place == f"{folder}/ray_qa.json"
    assert read_calibration(folder) == report.calibration
    assert find_model(folder).weights_sha256 == report.calibration.weights_sha256


def test_a_threshold_that_is_not_asked_for_stays(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    plan = {"null_threshold": 2.5, "always_answer": False}
    report = calibrate(config(write(tmp_path / "out", rows, settings=plan), tmp_path, optimize="none"))
    assert (report.calibration.null_threshold, report.calibration.optimized) == (2.5, "none")
    exact = calibrate(config(str(tmp_path / "out"), tmp_path, optimize="exact"))
    assert exact.calibration.null_threshold < 2.5


def test_rows_that_all_have_an_answer_leave_the_threshold_alone(tmp_path: Path) -> None:
    plan = {"null_threshold": 0.0, "always_answer": True}
    rows = drawn(1_000, answerable=1)
    rows = [each | {"status": "answered", "answer": each["span"]} for each in rows]
    report = calibrate(config(write(tmp_path / "out", rows, settings=plan), tmp_path))
    assert (report.calibration.null_threshold, report.calibration.optimized) == (0.0, "none")
    assert (report.after.answered.value, report.threshold_before) == (1, None)
    assert report.calibration.null == RAW != report.calibration.span


def test_where_nothing_tells_how_sure_an_abstention_is_its_confidence_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"null_threshold": -7.0, "always_answer": False, "confidence": {"span": {}, "null": HALF.model_dump()}}
    rows = drawn(600, answerable=1)
    report = calibrate(config(write(tmp_path / "out", rows, settings=plan), tmp_path))
    assert "nor how sure an abstention is; the null threshold and the confidence of no answer stay" in (
        capsys.readouterr().err
    )
    assert report.calibration.null == HALF
    assert 0 < report.after.confidence_rows == round(report.after.answered.value * report.after.rows)
    assert sum(each.rows for each in report.after.reliability) == report.after.confidence_rows < report.after.rows
    assert f"confidence, of the {report.after.confidence_rows} rows answered alone:" in describe(report)


def test_confidence_of_a_span_is_fitted_to_answered_rows_alone_where_all_have_an_answer(tmp_path: Path) -> None:
    """Rows that are left unanswered, and how sure that was, change nothing."""
    rows = drawn(600, answerable=1)
    other = [each if each["answer"] else each | {"log_partition": each["log_partition"] + 9} for each in rows]
    fits = [
        calibrate(config(write(tmp_path / name, some), tmp_path)).calibration.span
        for name, some in (("out", rows), ("other", other))
    ]
    assert fits[0] == fits[1]


def test_rows_that_failed_are_left_out_and_counted(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    report = calibrate(config(write(tmp_path / "out", [*rows[:500], failed(9_000), failed(9_001)]), tmp_path))
    assert report.failed == 2
    assert report.calibration.fitted_on.rows + report.after.rows == 500
    assert "rows that failed, left out: 2" in describe(report)


def test_the_card_that_finetune_wrote_tells_of_it(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    card = Path(folder, "README.md")
    card.write_text("# Mine\n" + card_section(OF_CALIBRATION, "") + "## Settings\n")
    predictions = write(tmp_path / "out", rows[:1_000], weights_sha256=find_model(folder).weights_sha256)
    report = calibrate(CalibrateConfig(predictions=predictions, model=folder))
    told = card.read_text()
    ece, interval = report.after.ece.value, report.after.ece.interval
    assert interval is not None
    assert told.startswith("# Mine\n<!--")
    assert told.endswith("-->\n## Settings\n")
    assert f"{report.calibration.fitted_on.rows} rows with gold answers\nof out. On {report.after.rows} other" in told
    assert f"| null threshold | 0 | {report.calibration.null_threshold:.4g} |" in told
    assert f" | {100 * ece:.2f} ({100 * interval.low:.2f}–{100 * interval.high:.2f}) |\n| Brier score, % |" in told
    calibrate(CalibrateConfig(predictions=predictions, model=folder, seed=1))
    assert card.read_text().count("## Calibration") == 1
    assert card.read_text() != told


def test_a_card_without_room_for_it_and_one_elsewhere_stay_as_they_are(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = model(tmp_path / "model")
    card = Path(folder, "README.md")
    predictions = write(tmp_path / "out", rows[:1_000], weights_sha256=find_model(folder).weights_sha256)
    for text, more in (("# Mine\n", {}), (card_section(OF_CALIBRATION, ""), {"output": str(tmp_path / "x.json")})):
        card.write_text(text)
        calibrate(CalibrateConfig(predictions=predictions, model=folder, **more))
        assert card.read_text() == text


def test_what_is_replaced_is_told_and_what_is_no_calibration_is_not_replaced(
    rows: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = config(write(tmp_path / "out", rows[:400]), tmp_path, optimize="none")
    calibrate(wanted)
    assert "is replaced" not in capsys.readouterr().err
    calibrate(wanted)
    assert (
        f"{tmp_path}/calibration.json had a calibration fitted on 200 rows, with null threshold 0, and is replaced\n"
    ) in capsys.readouterr().err
    other = tmp_path / "package.json"
    other.write_text('{"name": "mine"}')
    with pytest.raises(ModelError, match=r"`output` must have room .*package\.json is in the way"):
        calibrate(CalibrateConfig(predictions=str(tmp_path / "out"), output=str(other)))
    assert other.read_text() == '{"name": "mine"}'


@pytest.mark.parametrize("output", ["c7.txt", "s3://bucket/c7.txt"])
def test_an_output_of_another_ending_is_refused_unless_it_is_a_folder(
    output: str, rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    predictions = write(tmp_path / "out", rows[:200])
    line = refused(ModelError, CalibrateConfig(predictions=predictions, output=output))
    assert line == (
        f"`output` must be a folder, or a file ending in .json, but {output} ends in .txt; name another, or make the "
        "folder first"
    )
    Path("c7.txt").mkdir()
    assert calibrate(CalibrateConfig(predictions=predictions, output="c7.txt")).place == "c7.txt/ray_qa.json"


def test_predictions_that_are_so_calibrated_already_are_said_to_change_nothing(
    rows: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = calibrate(config(write(tmp_path / "out", rows[:600]), tmp_path, optimize="none")).calibration
    again = []
    for each in rows[:600]:
        scale = found.span if each["answer"] else found.null
        score = 1.5 if each["answer"] else each["null_score"]
        again.append(each | {"confidence": confidence(score, each["log_partition"], scale)})
    capsys.readouterr()
    report = calibrate(config(write(tmp_path / "again", again), tmp_path, optimize="none"))
    told = capsys.readouterr().err
    assert report.is_as_before
    assert "nothing has changed: the predictions are so calibrated already\n" in told
    assert "no better" not in told


def test_another_models_predictions_are_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    predictions = write(tmp_path / "out", rows[:200])
    line = refused(ModelError, config(predictions, tmp_path, model=model(tmp_path / "model")))
    assert re.fullmatch(
        r"`model` must be the one that made `predictions`, but .*/model has other weights "
        r"\(65138f726513 there, \w{12} in the model\)",
        line,
    )


def test_a_model_that_is_no_folder_needs_an_output(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    predictions = write(tmp_path / "out", rows[:200], weights_sha256=find_model("embedded").weights_sha256)
    line = refused(ModelError, CalibrateConfig(predictions=predictions, model="embedded"))
    assert line == (
        "`output` must be given where `model` is no folder that a calibration can be put into, but is 'embedded'"
    )


def test_an_unfinished_output_is_refused_unless_it_is_allowed_and_said(
    rows: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = write(tmp_path / "out", rows[:400], units=3)
    assert "must be a finished run of annotate" in refused(InputError, config(predictions, tmp_path))
    report = calibrate(config(predictions, tmp_path, partial=True))
    assert "NOT FINISHED" in capsys.readouterr().err
    assert describe(report).startswith("not finished: ")


@pytest.mark.parametrize("drop", ["span", "null_score", "log_partition", "confidence", "status"])
def test_columns_that_are_missing_are_named(drop: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    line = refused(InputError, config(write(tmp_path / "out", rows[:200], drop=(drop,)), tmp_path))
    assert f"must have a column '{drop}'" in line


def test_what_annotate_did_not_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "predictions.json").write_text('{"1": "x"}')
    line = refused(InputError, config(str(tmp_path / "predictions.json"), tmp_path))
    assert line.startswith("`predictions` must be a folder that annotate wrote, with its plan, but ")


@pytest.mark.parametrize("bad", [math.nan, math.inf, None])
@pytest.mark.parametrize("name", ["start_score", "log_partition", "confidence"])
def test_scores_that_are_none_are_refused_by_their_row(
    bad: float | None, name: str, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    broken = [*rows[:200], rows[200] | {name: bad}, *rows[201:220]]
    line = refused(InputError, config(write(tmp_path / "out", broken), tmp_path))
    assert re.fullmatch(r"`predictions` must have finite scores in all rows .*, but row 201 of .*/out has not", line)


def test_ids_that_match_nothing_or_come_twice_are_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    gold = [{"id": f"x{each['id']}", "answers": each["answers"]} for each in rows[:20]]
    pq.write_table(pa.Table.from_pylist(gold), tmp_path / "gold.parquet")
    wanted = config(write(tmp_path / "out", rows[:200]), tmp_path, gold=str(tmp_path / "gold.parquet"))
    assert "`predictions` must share ids with `gold`, but none" in refused(InputError, wanted)
    twice = config(write(tmp_path / "twice", [*rows[:20], rows[3]]), tmp_path, gold=str(tmp_path / "gold2.parquet"))
    pq.write_table(pa.Table.from_pylist(rows[:20]), tmp_path / "gold2.parquet")
    assert "must have every id once, but row 21 of" in refused(InputError, twice)


def test_gold_without_answers_is_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    without = [each | {"answers": {"text": [], "answer_start": []}} for each in rows[:200]]
    line = refused(InputError, config(write(tmp_path / "out", without), tmp_path))
    assert line == "`gold` must have answers, but all 200 rows that `predictions` shares with it are without one"


def test_rows_of_one_context_or_of_one_outcome_are_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    alike = [each | {"context": "gold or other"} for each in rows[:200]]
    assert "of two contexts or more" in refused(InputError, config(write(tmp_path / "one", alike), tmp_path))
    right = [row(number, margin=5.0, log_raw=-0.1, gold=["gold"], exact=True) for number in range(200)]
    line = refused(InputError, config(write(tmp_path / "right", right), tmp_path))
    assert "must be right in some rows and wrong in others, but all 100 to fit on are right" in line
    assert "must have rows that have not failed" in refused(
        InputError, config(write(tmp_path / "failed", [failed(number) for number in range(9)]), tmp_path)
    )


def test_too_few_rows_in_a_half_are_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    line = refused(InputError, config(write(tmp_path / "out", rows[:35]), tmp_path))
    assert line == (
        "`predictions` must have 20 rows with gold answers or more in each half, but have 20 to fit on and 15 to judge "
        "on; have more rows, of more contexts"
    )
    answered = [row(n, margin=1.0 if n % 3 else -1.0, log_raw=-1, gold=["gold"], exact=True) for n in range(60)]
    line = refused(InputError, config(write(tmp_path / "answered", answered), tmp_path))
    assert line.startswith("`predictions` must have 20 answered rows with gold answers or more in each half, but have ")


def test_settings_of_another_command_are_refused() -> None:
    with pytest.raises(ConfigError, match="the settings must be CalibrateConfig, but are str: 'x'"):
        calibrate("x")  # type: ignore[arg-type]


def test_the_command_prints_before_and_after_and_programs_get_all_of_it(
    rows: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, place = write(tmp_path / "out", rows[:1_000]), str(tmp_path / "calibration.json")
    assert cli.main(["calibrate", "--predictions", predictions, "--output", place]) == 0
    printed = capsys.readouterr()
    assert printed.err == "ray-qa calibrate: only 500 rows in a half: all figures are rough, as their intervals say\n"
    lines = printed.out.splitlines()
    assert lines[0] == (f"fitted on 500 rows of {predictions} (100 contexts), judged on 500 others (100 contexts)")
    assert [line.split("  ")[0] for line in lines[3:7]] == [
        "exact match",
        "f1",
        "rows answered",
        "calibration error (ECE)",
    ]
    assert lines[-1] == place
    assert cli.main(["calibrate", "--predictions", predictions, "--output", place, "--log-format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    report = calibrate(CalibrateConfig(predictions=predictions, output=place))
    assert record == json.loads(json.dumps(as_record(report)))
    assert record["calibration"]["span"] == report.calibration.span.model_dump()
    assert {"ece", "brier", "log_loss", "aurc", "augrc", "risks", "reliability"} <= record["after"].keys()
    assert dataclasses.asdict(report)["place"] == place
