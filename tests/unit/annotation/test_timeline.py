from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.annotation import timeline as module
from ray_qa.annotation.summary import UnitSummary
from ray_qa.annotation.timeline import (
    MOST_NODES,
    MOST_SHEETS,
    MOST_STRETCHES,
    OTHERS,
    SHORTEST,
    Timeline,
    TimelineKept,
)
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.stretches import MOST_COMMANDS, TIMELINES, Stretch, timelines_kept

BEGAN = 1_795_000_000.25


def unit(after: float, *, rows: int = 5, failed: int = 1, replica: str = "one:1") -> UnitSummary:
    """A unit whose part was published so many seconds after the command was called."""
    counts = Counts(rows=rows, answered=rows - failed, failed=failed)
    return UnitSummary(unit=0, counts=counts, replica=replica, started=0.0, published=BEGAN + after)


def of(units: Sequence[UnitSummary]) -> list[Stretch]:
    timeline = Timeline(began=BEGAN)
    for each in units:
        timeline.add(each)
    return timeline.stretches()


def start_of(stretch: Stretch) -> float:
    return datetime.fromisoformat(stretch.began).timestamp() - BEGAN


NODES = ["one", "two", "fe80::1", *map(str, range(90))]
UNITS = st.builds(
    unit,
    st.floats(-100, 1e7),
    rows=st.integers(1, 9),
    failed=st.integers(0, 1),
    replica=st.builds("{}:{}".format, st.sampled_from(NODES), st.integers(1, 3)),
)


def test_units_are_told_of_where_they_were_published_by_node() -> None:
    began = [datetime.fromtimestamp(BEGAN + after).astimezone() for after in (0, 20)]
    told = of([unit(1), unit(9.9, replica="one:2"), unit(2, replica="two:1", failed=0), unit(20), unit(29, rows=7)])
    assert [(datetime.fromisoformat(each.began), each.node) for each in told] == [
        (began[0], "one"),
        (began[0], "two"),
        (began[1], "one"),
    ]
    assert [(each.rows, each.failed, each.replicas) for each in told] == [(10, 2, 2), (5, 0, 1), (12, 2, 1)]
    assert {each.seconds for each in told} == {SHORTEST}


@given(st.lists(UNITS, max_size=150))
def test_nothing_is_lost_and_nothing_told_twice_however_long_the_run(units: list[UnitSummary]) -> None:
    told = of(units)
    assert sum(each.rows for each in told) == sum(each.counts.rows for each in units)
    assert sum(each.failed for each in told) == sum(each.counts.failed for each in units)
    rows: Counter[str] = Counter()
    for each in units:
        rows[each.replica.rpartition(":")[0]] += each.counts.rows
    for node in {each.node for each in told} - {OTHERS}:
        assert sum(each.rows for each in told if each.node == node) == rows[node]
    assert len({each.seconds for each in told}) <= 1
    assert len({each.began for each in told}) <= MOST_STRETCHES
    assert len({each.node for each in told}) <= MOST_NODES + 1
    assert len(told) <= MOST_SHEETS
    assert len({(each.began, each.node) for each in told}) == len(told)


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=60))
def test_every_unit_lies_in_the_stretch_that_counts_it(moments: list[float]) -> None:
    told = of([unit(after, rows=1, failed=0) for after in moments])
    for each in told:
        within = [after for after in moments if start_of(each) <= after < start_of(each) + each.seconds]
        assert len(within) == each.rows
    assert told[0].seconds == SHORTEST or start_of(told[-1]) >= told[0].seconds * (MOST_STRETCHES // 2 - 1)


def test_many_nodes_make_stretches_longer_and_those_beyond_the_bound_are_told_of_together() -> None:
    units = [unit(10.0 * at, replica=f"node-{node:03d}:1") for at in range(100) for node in range(2 * MOST_NODES)]
    told = of(units)
    assert len(told) <= MOST_SHEETS
    assert told[0].seconds > SHORTEST
    assert sum(each.rows for each in told if each.node == OTHERS) == 5 * 100 * MOST_NODES
    assert max(each.replicas for each in told if each.node == OTHERS) == MOST_NODES


def test_of_a_run_that_was_interrupted_all_commands_are_told_of_in_their_order(tmp_path: Path) -> None:
    for after in (3_600.0, 0.0):
        kept = TimelineKept(folder=tmp_path, timeline=Timeline(began=BEGAN + after))
        kept.add(unit(after + 1))
        kept.publish()
        kept.add(unit(after + 2))
        kept.publish()  # the same sheet again
    first, second = timelines_kept(tmp_path)
    assert (first.rows, second.rows) == (10, 10)
    assert datetime.fromisoformat(second.began) - datetime.fromisoformat(first.began) == timedelta(hours=1)


def test_a_command_that_is_killed_loses_no_more_than_the_last_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.0)
    kept = TimelineKept(folder=tmp_path, timeline=Timeline(began=BEGAN))
    kept.add(unit(1))
    assert [each.rows for each in timelines_kept(tmp_path)] == [5]


def test_a_command_that_scored_nothing_leaves_nothing(tmp_path: Path) -> None:
    TimelineKept(folder=tmp_path, timeline=Timeline(began=BEGAN)).publish()
    assert list(tmp_path.iterdir()) == []
    assert timelines_kept(tmp_path) == []


def test_of_many_commands_the_latest_are_told_of(tmp_path: Path) -> None:
    for after in range(MOST_COMMANDS + 3):
        kept = TimelineKept(folder=tmp_path, timeline=Timeline(began=BEGAN + 100 * after))
        kept.add(replace(unit(0), published=BEGAN + 100 * after))
        kept.publish()
    told = [start_of(each) for each in timelines_kept(tmp_path)]
    assert told == [100.0 * after for after in range(3, MOST_COMMANDS + 3)]


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"rows": 1}]', b"\xff"])
def test_a_timeline_that_cannot_be_read_or_written_costs_nothing_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TIMELINES).mkdir(parents=True)
    (tmp_path / TIMELINES / "1.json").write_bytes(content)
    assert timelines_kept(tmp_path) == []
    (tmp_path / "file").touch()
    kept = TimelineKept(folder=tmp_path / "file", timeline=Timeline(began=BEGAN))
    kept.add(unit(1))
    kept.publish()
