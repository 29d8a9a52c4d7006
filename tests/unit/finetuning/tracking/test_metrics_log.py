from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.finetuning.tracking.metrics_log import append_metrics, go_back_to, read_metrics

figures = st.floats(allow_nan=False) | st.integers(0, 10**9)
lines = st.lists(
    st.builds(lambda step, more: {**more, "step": step}, st.integers(0, 20), st.dictionaries(st.text(), figures)),
    max_size=8,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@given(lines)
def test_what_is_appended_is_read_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    for line in written:
        append_metrics(path, line)
    assert read_metrics(path) == written
    assert len(path.read_text().split("\n")) == len(written) + 1 if written else not path.exists()


def test_there_are_no_lines_where_there_is_no_file(path: Path) -> None:
    assert read_metrics(path) == []


@pytest.mark.parametrize("cut", range(1, 27))
def test_a_line_that_was_torn_off_spoils_neither_its_neighbours_nor_what_is_appended(path: Path, cut: int) -> None:
    append_metrics(path, {"step": 1, "loss": 3.5})
    append_metrics(path, {"step": 2, "loss": 2.5})
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    there = read_metrics(path)
    assert there[:1] == [{"step": 1, "loss": 3.5}]
    append_metrics(path, {"step": 3, "loss": 1.5})
    assert read_metrics(path) == [*there, {"step": 3, "loss": 1.5}]


@pytest.mark.parametrize("tail", [b"\x00" * 9, b"\xff\xfe", b'{"st', "größ".encode()[:-1]])
def test_rubbish_that_a_crash_left_is_passed_over(path: Path, tail: bytes) -> None:
    append_metrics(path, {"step": 1})
    path.write_bytes(path.read_bytes() + tail)
    assert read_metrics(path) == [{"step": 1}]
    append_metrics(path, {"step": 2})
    assert read_metrics(path) == [{"step": 1}, {"step": 2}]


@given(lines, st.integers(-1, 21))
def test_going_back_leaves_the_lines_up_to_a_step(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, float]], step: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    for line in written:
        append_metrics(path, line)
    go_back_to(path, step)
    assert read_metrics(path) == [line for line in written if line["step"] <= step]
    append_metrics(path, {"step": step + 1})
    assert read_metrics(path)[-1] == {"step": step + 1}


def test_going_back_takes_a_torn_line_away(path: Path) -> None:
    append_metrics(path, {"step": 1})
    path.write_bytes(path.read_bytes() + b'{"step": 1, "lo')
    go_back_to(path, 5)
    assert path.read_text() == '{"step": 1}\n'


def test_every_line_is_json_of_its_own(path: Path) -> None:
    append_metrics(path, {"step": 1, "größe\u2028": 2.5})
    append_metrics(path, {"step": 2})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "größe\u2028": 2.5},
        {"step": 2},
    ]
