from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ray_qa.data.row_groups import read_units
from ray_qa.errors import OutputError
from ray_qa.preparation import sources
from ray_qa.preparation.counts import Counts
from ray_qa.preparation.summary import describe
from tests.unit.preparation.files import ALL, GOOD, jsonl, prepared, rows_in, set_apart_in


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_finished_output_is_reported_and_not_touched(tmp_path: Path, out: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", ALL)
    first = prepared(out, source)
    before = snapshot(out)
    again = prepared(out, source)
    assert snapshot(out) == before
    assert again.was_finished
    assert again.counts == first.counts
    assert "nothing to do" in describe(again)


def test_an_input_that_has_changed_is_refused_unless_begun_again(tmp_path: Path, out: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", ALL)
    prepared(out, source)
    jsonl(tmp_path / "rows.jsonl", [GOOD])
    with pytest.raises(OutputError, match=rf"differs in the input \({source} has changed\); .* --overwrite"):
        prepared(out, source)
    with pytest.raises(OutputError, match=r"`answers_column` \(None there, answers now\)"):
        prepared(out, source, answers_column="answers")
    prepared(out, source, overwrite=True)
    assert rows_in(out) == [GOOD]
    assert set_apart_in(out) == []


class KilledError(Exception):
    """Stands for the end of the process."""


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process end in the middle of writing the source of this number, counted from 0."""
    sources_read = iter(range(1_000))

    def dying(*arguments: Any) -> Iterator[pa.Table]:
        tables = read_units(*arguments)
        if next(sources_read) == 2 * number + 1:  # each is read to be surveyed, then to be written
            yield next(tables)
            raise KilledError
        yield from tables

    monkeypatch.setattr(sources, "read_units", dying)


def test_what_is_killed_midway_goes_on_with_the_source_it_was_at(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [jsonl(tmp_path / f"{nth}.jsonl", [each | {"title": str(nth)} for each in ALL]) for nth in range(3)]
    whole = tmp_path / "whole"
    prepared(whole, *files)
    with monkeypatch.context() as patch:
        killed_at(1, patch)
        with pytest.raises(KilledError):
            prepared(out, *files)
    assert [path.name for path in sorted(out.glob("*.parquet"))] == ["part-0000000.parquet"]
    (out / f".part-0000001.parquet.{'0' * 32}.draft").write_text("left by a process that was killed")
    first = (out / "part-0000000.parquet").stat().st_mtime_ns
    summary = prepared(out, *files)
    assert (out / "part-0000000.parquet").stat().st_mtime_ns == first
    assert rows_in(out) == rows_in(whole)
    assert set_apart_in(out) == set_apart_in(whole)
    assert summary.counts == Counts(
        rows=18,
        kept=9,
        set_apart=dict.fromkeys(("answer_not_in_context", "answer_ambiguous", "answer_empty"), 3),
        answers=6,
        repaired=3,
    )
    assert not list(out.glob(".*.draft"))


@pytest.mark.parametrize("lost", ["part-0000001.parquet", ".ray_qa/set-apart/set-apart-0000000.parquet"])
def test_a_file_that_went_missing_is_made_again(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    files = [jsonl(tmp_path / f"{nth}.jsonl", ALL) for nth in range(2)]
    prepared(out, *files)
    before = (rows_in(out), set_apart_in(out))
    (out / lost).unlink()
    prepared(out, *files)
    assert (rows_in(out), set_apart_in(out)) == before
    assert (out / "_SUCCESS").exists()
    assert "has lost some of its files; they are made again" in capsys.readouterr().err
