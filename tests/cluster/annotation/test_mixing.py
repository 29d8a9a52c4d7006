"""Parts of two runs never pass for one: laid in by hand, left by another command, lost from a finished output."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, annotate
from ray_qa.cli.main import main
from ray_qa.runs.part_labels import Counts, PartLabel, read_label
from tests.cluster import corpora
from tests.cluster.annotation.test_readers_of_the_output import Rows
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS, Annotated
from tests.cluster.processes import driver, lines_but_progress, wait_until

pytestmark = pytest.mark.usefixtures("ray_cluster")


def rows_of(folder: Path) -> Rows:
    rows: Rows = pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("part-*"))).to_pylist()
    return rows


def _five_units(folder: Path, rows: pa.Table, model: Path) -> Annotated:
    config = AnnotateConfig(
        input=(str(corpora.write(folder / "in.parquet", rows)),),
        output=str(folder / "out"),
        model=str(model),
        unit_rows=4,
        **ONE_REPLICA,
        **SMALL_WINDOWS,
    )
    return Annotated(rows=rows, config=config, summary=annotate(config))


@pytest.fixture(scope="module")
def finished(ray_cluster: None, tiny_reader_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Annotated:  # noqa: ARG001  # only has to be there
    return _five_units(tmp_path_factory.mktemp("five"), corpora.plain(20), tiny_reader_folder)


@pytest.fixture(scope="module")
def others(ray_cluster: None, poisoned_reader: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  # only has to be there
    """The output of another model over the same rows."""
    return _five_units(tmp_path_factory.mktemp("others"), corpora.plain(20), poisoned_reader).folder


@pytest.fixture
def small(finished: Annotated, tmp_path: Path) -> Annotated:
    """Five units of four rows, in an output of one's own."""
    return replace(finished, config=finished.copied_to(tmp_path / "out"))


def test_parts_of_another_model_in_an_unfinished_output_are_made_again(
    small: Annotated, others: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = rows_of(small.folder)
    (small.folder / "_SUCCESS").unlink()
    (small.folder / "part-0000001.parquet").unlink()
    for part in ("part-0000002.parquet", "part-0000004.parquet"):
        shutil.copy(others / part, small.folder / part)
    # One more than the plan has: what a replica of a longer run may publish after it was replaced.
    shutil.copy(others / "part-0000003.parquet", small.folder / "part-0000009.parquet")

    assert main(["annotate", *small.flags]) == 0
    assert rows_of(small.folder) == expected
    assert [path.name for path in small.parts] == [f"part-000000{n}.parquet" for n in range(5)]
    assert "12 rows in" in capsys.readouterr().out  # three units of four


def test_a_part_that_is_missing_from_a_finished_output_is_noticed_and_made_again(
    small: Annotated, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = rows_of(small.folder)
    (small.folder / "part-0000003.parquet").unlink()
    assert main(["evaluate", "--predictions", str(small.folder), "--gold", small.config.input[0]]) == 2  # no gold there
    capsys.readouterr()

    assert main(["annotate", *small.flags]) == 0
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert line == (
        f"ray-qa annotate: {small.folder} has lost 1 of its 5 parts (part-0000003.parquet); they are made again"
    )
    assert rows_of(small.folder) == expected
    assert (small.folder / "_SUCCESS").exists()


def test_a_part_that_was_truncated_or_swapped_is_found_by_verify(
    small: Annotated, others: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = rows_of(small.folder)
    path = small.folder / "part-0000003.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    assert main(["annotate", *small.flags]) == 0
    assert main(["annotate", *small.flags, "--verify"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert line == f"ray-qa annotate: {path} must be a part that annotate wrote, but is not; remove it and run again"

    shutil.copy(others / path.name, path)
    assert main(["annotate", *small.flags, "--verify"]) == 0
    assert "has lost 1 of its 5 parts (part-0000003.parquet)" in capsys.readouterr().err
    assert rows_of(small.folder) == expected


def test_rows_that_failed_for_a_reason_that_may_pass_are_tried_again_when_asked_for(
    small: Annotated, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = rows_of(small.folder)
    path = small.folder / "part-0000002.parquet"
    part = pq.read_table(path)
    label = read_label(path)
    died = part.set_column(
        part.schema.get_field_index("reason"), part.schema.field("reason"), pa.array(["worker_died"] * 4, pa.string())
    )
    failed = PartLabel(plan=label.plan, counts=Counts(rows=4, failed=4))
    pq.write_table(died.replace_schema_metadata(failed.as_metadata()), path)

    assert main(["annotate", *small.flags]) == 0
    assert rows_of(small.folder) != expected
    assert main(["annotate", *small.flags, "--retry-failed"]) == 0
    assert "4 rows in" in capsys.readouterr().out
    assert rows_of(small.folder) == expected
    assert main(["annotate", *small.flags, "--retry-failed"]) == 0  # nothing is left to try again


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_an_output_cannot_be_started_again_while_a_command_works_in_it(
    uninterrupted: Annotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    flags = [*uninterrupted.flags, "--output", str(output)]
    with driver("annotate", flags, tmp_path / "err") as process:
        wait_until(lambda: any(output.glob("part-*")), "the first part is there")
        other: list[Any] = [*flags, "--overwrite", "--null-threshold", "3"]
        assert main(["annotate", *other]) == 2
        (line,) = lines_but_progress(capsys.readouterr().err)
        assert line == (
            "ray-qa annotate: `output` must be one command's at a time, but another is annotating in "
            f"{output}; wait for it to end"
        )
        assert process.wait(timeout=120) == 0
    assert rows_of(output) == uninterrupted.output.to_pylist()
    assert not (output / ".ray_qa.lock").exists()
