from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ray_qa.annotation.attempts import begin_unit
from ray_qa.annotation.output import (
    Plan,
    check_joins,
    check_output,
    clear_output,
    finish,
    join_plan,
    plan_digest,
    read_plan,
    remove_drafts,
)
from ray_qa.data.parquet_files import InputFile
from ray_qa.data.parts import part_path
from ray_qa.data.units import Piece, Unit
from ray_qa.errors import OutputError
from ray_qa.runs.cards import put_card
from ray_qa.storage import places
from ray_qa.storage.local import publish_new


def input_file(path: str, **changes: Any) -> InputFile:
    file = InputFile(path=path, size=9, mtime_ns=5, footer_sha256="f" * 64, rows=(3,), text_bytes=(7,))
    return replace(file, **changes)


def unit(number: int, rows: int = 3) -> Unit:
    return Unit(number=number, pieces=(Piece(file=0, row_group=0, first_row=0, rows=rows),))


PLAN = Plan(
    algorithm=1,
    settings={"stride": 128, "keep": ["id"], "null_threshold": 0.5},
    weights_sha256="a" * 64,
    tokenizer_sha256="b" * 64,
    input=(input_file("/in/a"), input_file("/in/b")),
    input_schema="schema",
    units=(unit(0), unit(1)),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output folder with a plan and the first of its two parts."""
    join_plan(tmp_path / "out", PLAN)
    part_path(tmp_path / "out", 0).touch()
    return tmp_path / "out"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["notes.txt", "part-1.parquet", "part-0000000.parquet.bak", "_metadata", "data.draft"])
@pytest.mark.parametrize("planned", [True, False])
def test_a_folder_that_holds_something_else_is_refused_by_name_and_left_alone(
    tmp_path: Path, name: str, planned: bool
) -> None:
    if planned:
        join_plan(tmp_path, PLAN)
    (tmp_path / name).write_text("precious")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=rf"^`output` must be a new folder, .* but {tmp_path} holds '{name}'; name"):
        check_output(tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["part-0000000.parquet", "_SUCCESS"])
def test_parts_without_a_plan_are_not_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(OutputError, match=f"holds '{name}'"):
        check_output(tmp_path)


def test_a_new_an_empty_and_an_own_folder_will_do(tmp_path: Path, folder: Path) -> None:
    check_output(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/.DS_Store").touch()
    check_output(tmp_path / "empty")
    check_output(folder)
    finish(folder, b"{}")
    check_output(folder)


def test_a_clearing_that_was_killed_before_its_end_can_be_repeated(folder: Path) -> None:
    (folder / ".ray_qa/plan.json").unlink()
    part_path(folder, 0).unlink()
    check_output(folder)


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(OutputError, match=rf"^`output` must be a folder, but {tmp_path}/out is a file$"):
        check_output(tmp_path / "out")


def test_clearing_removes_what_annotate_wrote_and_nothing_else(folder: Path) -> None:
    begin_unit(folder, 1, "node")
    finish(folder, b"{}")
    draft = f".part-0000001.parquet.{'0' * 32}.draft"
    (folder / draft).touch()
    foreign = ["notes.txt", ".notes.draft", "my.draft", "part-1.parquet", ".part-0000001.parquet"]
    for name in foreign:
        (folder / name).touch()
    clear_output(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(foreign)


def test_clearing_leaves_rows_that_were_brought_into_parquet(folder: Path) -> None:
    (folder / ".ray_qa/rows").mkdir()
    (folder / ".ray_qa/rows/a.parquet").touch()
    finish(folder, b"{}")
    clear_output(folder)
    assert [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()] == [".ray_qa/rows/a.parquet"]
    check_output(folder)


def test_a_card_beside_the_parts_may_be_anybodys_but_goes_only_where_it_is_ours(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    check_output(folder)
    clear_output(folder)
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    assert (folder / "README.md").read_text() == "mine"
    (folder / "README.md").unlink()
    join_plan(folder, PLAN)
    put_card(folder / "README.md", "# Ours")
    check_output(folder)
    clear_output(folder)
    assert list(folder.iterdir()) == []


def test_a_card_in_a_folder_without_a_plan_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("of something else")
    with pytest.raises(OutputError, match=r"holds 'README\.md'; name another$"):
        check_output(tmp_path)


def test_clearing_what_is_not_there_does_nothing(tmp_path: Path) -> None:
    clear_output(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_the_first_plan_is_kept_and_an_equal_one_joins_it(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    assert join_plan(tmp_path / "deep/out", PLAN) == PLAN
    assert read_plan(tmp_path / "deep/out") == PLAN
    touched = replace(PLAN, input=(input_file("/in/a", mtime_ns=6), PLAN.input[1]))
    assert join_plan(tmp_path / "deep/out", touched) == PLAN


def test_a_plan_that_vanishes_between_two_looks_is_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def losing_the_race_once(*_: object) -> bool:
        shutil.rmtree(folder)
        folder.joinpath(".ray_qa").mkdir(parents=True)
        monkeypatch.setattr(places, "publish_new", publish_new)
        return False

    monkeypatch.setattr(places, "publish_new", losing_the_race_once)
    assert join_plan(folder, PLAN) == PLAN
    assert read_plan(folder) == PLAN


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"weights_sha256": "c" * 64}, r"the model's weights \(a{12} there, c{12} now\)"),
        ({"tokenizer_sha256": "c" * 64}, r"the tokenizer \(b{12} there, c{12} now\)"),
        ({"settings": PLAN.settings | {"stride": 64}}, r"`stride` \(128 there, 64 now\)"),
        ({"settings": PLAN.settings | {"new": 1}}, r"`new` \(None there, 1 now\)"),
        ({"input": PLAN.input[:1]}, r"the input \(/in/b was there, and is not now\)"),
        ({"input": (*PLAN.input, input_file("/in/c"))}, r"the input \(/in/c is new\)"),
        ({"input": (PLAN.input[0], input_file("/in/b", size=8))}, r"the input \(/in/b has changed\)"),
        ({"input": (PLAN.input[0], input_file("/in/b", footer_sha256="0"))}, r"the input \(/in/b has changed\)"),
        (
            {"input": tuple(input_file(f"/in/{name}", size=8) for name in "abcdef")},
            r"the input \(/in/a has changed\); the input \(/in/b has changed\); the input \(/in/c is new\); "
            r"and 3 files more of the input",
        ),
        (
            {"settings": PLAN.settings | {"confidence": {"span": {"slope": 0.9551292634}}}},
            r"`confidence` \(raw there, calibrated now; --answer-calibration none goes on with the raw one\)",
        ),
        (
            {"settings": PLAN.settings | {"limit": 4}, "input": (PLAN.input[0], input_file("/in/b", size=8))},
            r"`limit` \(None there, 4 now\)",
        ),
        ({"input": PLAN.input[::-1]}, r"the input \(the same files in another order\)"),
    ],
)
def test_a_plan_that_differs_is_refused_and_the_difference_named(
    folder: Path, change: dict[str, Any], difference: str
) -> None:
    before = snapshot(folder)
    with pytest.raises(OutputError, match=rf"^`output` must have been made with the same .* differs in {difference}; "):
        join_plan(folder, replace(PLAN, **change))
    assert snapshot(folder) == before


def test_all_differences_are_named_in_one_line(folder: Path) -> None:
    other = replace(
        PLAN,
        weights_sha256="c" * 64,
        settings={"stride": 1, "keep": [], "null_threshold": 0.5},
        input=(input_file("/in/a", size=1), input_file("/in/z")),
    )
    with pytest.raises(OutputError) as caught:
        join_plan(folder, other)
    (line,) = caught.value.problems
    wanted = ["weights", "`keep` (['id'] there, [] now)", "`stride`", "/in/a has", "/in/b was there", "/in/z is new"]
    assert [text for text in wanted if text not in line] == []
    assert "tokenizer" not in line
    assert "null_threshold" not in line
    assert line.endswith("name another output, or start again with --overwrite")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"settings": {}}', b"\xff"])
def test_a_plan_that_cannot_be_understood_is_refused(folder: Path, content: bytes) -> None:
    (folder / ".ray_qa/plan.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"plan\.json must be a plan of this version of ray-qa, but is not"):
        read_plan(folder)


def test_the_mark_of_success_is_written_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_unit(folder, 0, "node")
    published: list[str] = []
    monkeypatch.setattr(places, "publish", lambda path, _: published.append(path.name))
    finish(folder, b"{}")
    assert published == ["run.json", "_SUCCESS"]
    assert not (folder / ".ray_qa/attempts").exists()


# What auto stood for


def test_what_a_command_leaves_to_be_settled_is_as_the_plan_has_it(tmp_path: Path) -> None:
    settled = replace(PLAN, settings=PLAN.settings | {"dtype": "float32", "batch_tokens": 512})
    wanted = replace(settled, settings=settled.settings | {"dtype": "auto", "batch_tokens": "auto"})
    check_joins(tmp_path, settled, wanted, {"dtype", "batch_tokens"})
    check_joins(tmp_path, settled, settled, {"batch_tokens"})


def test_a_column_that_happens_to_be_called_auto_is_not_left_to_be_settled(tmp_path: Path) -> None:
    there = replace(PLAN, settings=PLAN.settings | {"prefix": "qa_"})
    with pytest.raises(OutputError, match=r"differs in `prefix` \(qa_ there, auto now\)"):
        check_joins(tmp_path, there, replace(there, settings=there.settings | {"prefix": "auto"}), {"dtype"})


def test_another_arithmetic_than_the_plans_is_refused_by_name(tmp_path: Path) -> None:
    settled = replace(PLAN, settings=PLAN.settings | {"dtype": "float32", "device": "cuda"})
    for wanted, unsettled, told in (
        ({"dtype": "bfloat16", "device": "auto"}, {"device"}, "`dtype` (float32 there, bfloat16 now)"),
        ({"dtype": "auto", "device": "cpu"}, {"dtype"}, "`device` (cuda there, cpu now)"),
    ):
        with pytest.raises(OutputError) as caught:
            check_joins(tmp_path, settled, replace(settled, settings=settled.settings | wanted), unsettled)
        assert f"differs in {told}; name another" in str(caught.value)


def test_a_plan_of_another_version_of_the_algorithm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"differs in the version of the algorithm \(0 there, 1 now\)"):
        check_joins(tmp_path, replace(PLAN, algorithm=0), PLAN)


def test_an_output_of_an_older_version_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "_ray_qa").mkdir()
    (tmp_path / "part-0000000.parquet").touch()
    with pytest.raises(OutputError) as caught:
        check_output(tmp_path)
    assert caught.value.problems == (
        f"`output` must be a folder of this version of ray-qa annotate, but {tmp_path} was made by an older one "
        "(it holds '_ray_qa'); name another",
    )


def test_a_plans_digest_is_the_same_when_it_is_read_back_and_changes_with_all_that_it_holds(tmp_path: Path) -> None:
    join_plan(tmp_path, PLAN)
    there = read_plan(tmp_path)
    assert there is not None
    assert plan_digest(there) == plan_digest(PLAN)
    changes: list[dict[str, Any]] = [
        {"algorithm": 2}, {"settings": {}}, {"weights_sha256": "c"}, {"tokenizer_sha256": "c"}, {"input": ()},
        {"units": (unit(0),)},
    ]  # fmt: skip
    assert len({plan_digest(replace(PLAN, **change)) for change in [{}, *changes]}) == len(changes) + 1
    moved = (input_file("/elsewhere/a", mtime_ns=7), input_file("/elsewhere/b"))
    assert plan_digest(replace(PLAN, input=moved)) == plan_digest(PLAN)


def test_a_folder_that_is_named_like_a_part_is_not_ours_and_never_removed(folder: Path) -> None:
    (folder / "part-0000007.parquet").mkdir()
    with pytest.raises(OutputError, match=r"holds 'part-0000007\.parquet'; name another"):
        check_output(folder)


def test_drafts_of_parts_are_removed_and_nothing_else(folder: Path) -> None:
    names = [f".part-0000001.parquet.{'0' * 32}.draft", f".part-0000001.parquet.{'0' * 31}.draft", ".mine.draft"]
    for name in names:
        (folder / name).touch()
    remove_drafts(folder)
    assert [name for name in names if (folder / name).exists()] == names[1:]
