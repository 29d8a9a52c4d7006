from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_qa.cli import main as cli
from ray_qa.data.parts import part_path
from ray_qa.errors import ConfigError, InputError, RayQaError
from ray_qa.exporting import export as module
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import ExportSummary, describe, export
from ray_qa.runs.annotated_rows import Source
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output

FILES = ["squad", "jsonl", "csv", "label-studio"]


def config(annotated: Path, to: str, output: object, **settings: Any) -> ExportConfig:
    return ExportConfig(input=str(annotated), to=to, output=str(output), **settings)


def refusal(of: ExportConfig) -> str:
    with pytest.raises(RayQaError) as caught:
        export(of)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("to", [*FILES, "parquet"])
def test_an_export_says_what_it_wrote(annotated: Path, tmp_path: Path, to: str) -> None:
    summary = export(config(annotated, to, tmp_path / "new/out"))
    assert summary == ExportSummary(rows=5, output=str(tmp_path / "new/out"), form=to)
    assert describe(summary) == f"5 rows as {to} in {tmp_path}/new/out"


@pytest.mark.parametrize("to", FILES)
def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(
    annotated: Path, tmp_path: Path, to: str
) -> None:
    (tmp_path / "out").write_text("precious")
    assert refusal(config(annotated, to, tmp_path / "out")) == (
        f"`output` must be a new file, but {tmp_path}/out is there; name another, or use --overwrite"
    )
    assert (tmp_path / "out").read_text() == "precious"
    export(config(annotated, to, tmp_path / "out", overwrite=True))
    assert (tmp_path / "out").read_text() != "precious"


@pytest.mark.parametrize("beside", ["na_probs", "labels_config"])
def test_what_is_written_beside_the_rows_is_not_replaced_either(annotated: Path, tmp_path: Path, beside: str) -> None:
    (tmp_path / "beside").write_text("precious")
    to = {"na_probs": "squad", "labels_config": "label-studio"}[beside]
    problem = refusal(config(annotated, to, tmp_path / "out", **{beside: str(tmp_path / "beside")}))
    assert problem.startswith(f"`{beside}` must be a new file, but")
    assert not (tmp_path / "out").exists()


def test_an_export_that_breaks_off_leaves_nothing_behind_and_what_was_there_as_it_was(
    annotated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: Source, columns: list[str]) -> Iterator[str]:  # noqa: ARG001  # the form's own signature
        yield "half"
        raise InputError("broken")

    (tmp_path / "to").mkdir()
    (tmp_path / "to/out").write_text("precious")
    monkeypatch.setattr(module, "lines", broken)
    with pytest.raises(InputError, match="broken"):
        export(config(annotated, "jsonl", tmp_path / "to/out", overwrite=True))
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["out"]
    assert (tmp_path / "to/out").read_text() == "precious"


def test_what_a_killed_export_left_is_removed_by_the_next(annotated: Path, tmp_path: Path) -> None:
    for name in (f".out.{'0' * 32}.draft", ".other.draft"):
        (tmp_path / name).touch()
    export(config(annotated, "csv", tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.draft", "annotated", "out"]


@pytest.mark.parametrize("to", [*FILES, "parquet"])
def test_nothing_is_written_into_the_output_that_is_exported(annotated: Path, to: str) -> None:
    before = sorted(annotated.rglob("*"))
    problem = refusal(config(annotated, to, annotated / "new"))
    assert problem.startswith("`output` must lie outside the output that is read, but")
    assert sorted(annotated.rglob("*")) == before


def test_a_folder_cannot_be_written_as_a_file(annotated: Path, tmp_path: Path) -> None:
    assert refusal(config(annotated, "csv", tmp_path)).startswith("`output` must be a file to write, but")


def test_a_folder_that_annotate_did_not_write_is_refused(tmp_path: Path) -> None:
    assert refusal(config(tmp_path, "csv", tmp_path.parent / "out")) == (
        f"`input` must be a folder that annotate wrote, but {tmp_path} has no plan of annotate"
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("nosuch", "is not there"),
        ("nosuch.parquet", "is not there"),
        ("annotated/part-0000000.parquet", "is a table of rows; give the folder that annotate wrote"),
        ("annotated/_SUCCESS", "is a file; give the folder that annotate wrote"),
    ],
)
def test_what_is_no_folder_is_called_what_it_is(annotated: Path, tmp_path: Path, name: str, what: str) -> None:
    assert annotated.name == "annotated"
    assert refusal(config(tmp_path / name, "csv", tmp_path / "out")) == (
        f"`input` must be a folder that annotate wrote, but {tmp_path / name} {what}"
    )


@pytest.mark.parametrize("lost", ["_SUCCESS", "part-0000001.parquet"])
def test_an_output_that_is_not_finished_is_exported_only_where_that_is_asked_for(
    annotated: Path, tmp_path: Path, lost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (annotated / lost).unlink()
    there = 2 if lost.startswith("part") else 3
    missing = f"{annotated} has {there} of 3 parts; run the same annotate command again for the rest"
    assert refusal(config(annotated, "squad", tmp_path / "out")) == (
        f"`input` must be finished, but {missing}, or take what is there with --partial"
    )
    summary = export(config(annotated, "squad", tmp_path / "out", partial=True))
    assert capsys.readouterr().err == f"ray-qa export: NOT FINISHED: {missing}. Only what is there is exported.\n"
    assert describe(summary).startswith(f"not finished: {missing}\n")
    assert list(json.loads((tmp_path / "out").read_text())) == (["a", "b", "e"] if there == 2 else list("abcde"))


def test_an_output_without_a_part_is_refused_even_as_partial(annotated: Path, tmp_path: Path) -> None:
    for part in annotated.glob("*.parquet"):
        part.unlink()
    of = config(annotated, "csv", tmp_path / "out", partial=True)
    assert refusal(of) == f"`input` must have rows, but {annotated} has no part yet"


def test_a_part_of_another_run_is_refused(annotated: Path, tmp_path: Path) -> None:
    part = part_path(annotated, 1)
    table = pq.read_table(part)
    label = json.loads(table.schema.metadata[b"ray_qa"]) | {"plan": "another's"}
    pq.write_table(table.replace_schema_metadata({"ray_qa": json.dumps(label)}), part)
    assert refusal(config(annotated, "csv", tmp_path / "out")) == (
        f"`input` must hold the parts of one run, but {part} is of another than {part_path(annotated, 0)}"
    )


@pytest.mark.parametrize("content", [b"no Parquet", None])
def test_what_is_no_part_is_refused(annotated: Path, tmp_path: Path, content: bytes | None) -> None:
    part = part_path(annotated, 1)
    if content is None:
        pq.write_table(pq.read_table(part).replace_schema_metadata({}), part)
    else:
        part.write_bytes(content)
    problem = refusal(config(annotated, "csv", tmp_path / "out"))
    assert problem == f"`input` must hold parts that annotate wrote, but {part} is none"


@pytest.mark.parametrize("to", ["jsonl", "csv", "label-studio", "parquet"])
def test_a_column_that_is_not_there_is_refused_by_name(annotated: Path, tmp_path: Path, to: str) -> None:
    problem = refusal(config(annotated, to, tmp_path / "out", columns=("id", "url")))
    assert problem.startswith(f"`columns` must name a column of {annotated}, but is 'url'; it has id, question, ")
    assert not (tmp_path / "out").exists()


def test_problems_of_input_and_output_come_together(tmp_path: Path) -> None:
    with pytest.raises(RayQaError) as caught:
        export(config(tmp_path / "nowhere", "csv", tmp_path))
    assert [problem.partition(" ")[0] for problem in caught.value.problems] == ["`output`", "`input`"]


@pytest.mark.parametrize(
    ("to", "settings", "line"),
    [
        ("jsonl", {"na_probs": "x"}, "`na_probs` must be left out with `to` jsonl; it is for squad"),
        ("csv", {"spans": True}, "`spans` must be left out with `to` csv; it is for squad"),
        (
            "squad",
            {"columns": ("id",)},
            "`columns` must be left out with `to` squad; it is for jsonl, csv,",
        ),
        ("csv", {"rows_per_file": 7}, "`rows_per_file` must be left out with `to` csv; it is for parquet"),
        ("squad", {"labels_config": "x"}, "`labels_config` must be left out with `to` squad; it is for label-studio"),
        ("squad", {"na_probs": "out"}, "`na_probs` must be another file than `output`, but both are out"),
        ("xml", {}, "`to` must be"),
    ],
)
def test_settings_that_do_not_fit_the_form_are_refused(to: str, settings: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(Path("in"), to, "out", **settings)
    assert caught.value.problems[0].startswith(line)


def test_parquet_is_no_stream() -> None:
    with pytest.raises(ConfigError, match=r"^`output` must be a folder with `to` parquet, but is -$"):
        config(Path("in"), "parquet", "-")


def test_the_command_writes_rows_to_standard_output_and_all_else_beside(
    annotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", "--input", str(annotated), "--to", "squad", "--output", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"a": "oxygen", "b": "in 1902", "c": "", "d": "", "e": ""}
    assert captured.err == "5 rows as squad in -\n"


def test_the_prefix_of_the_run_is_known(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS, prefix="qa_")
    export(config(annotated, "squad", tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["b"] == "in 1902"


def test_the_summary_is_for_programs_where_that_is_asked_for(
    annotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--input", str(annotated), "--to", "jsonl", "--output", "-", "--log-format", "json"]
    assert cli.main(["export", *given]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 5
    assert json.loads(captured.err) == {"rows": 5, "output": "-", "form": "jsonl", "unfinished": None}
