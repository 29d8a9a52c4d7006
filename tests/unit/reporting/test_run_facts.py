from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ray_qa.reporting.run_facts import MOST_NODES, Moment, RunFacts, in_bars, run_facts
from ray_qa.runs.annotated_rows import open_source
from ray_qa.runs.stretches import TIMELINES, Stretch, stretches_as_json
from tests.unit.reporting.outputs import many_rows, with_settings

BEGAN = datetime(2026, 11, 5, 10, tzinfo=UTC)


def stretch(after: float, *, rows: int = 5, seconds: float = 10, node: str = "one", failed: int = 0) -> Stretch:
    began = (BEGAN + timedelta(seconds=after)).isoformat()
    return Stretch(began=began, seconds=seconds, node=node, rows=rows, failed=failed, replicas=2)


def facts_of(folder: Path, *commands: list[Stretch]) -> RunFacts:
    (folder / TIMELINES).mkdir(exist_ok=True)
    for number, stretches in enumerate(commands):
        (folder / TIMELINES / f"{number}.json").write_bytes(stretches_as_json(stretches))
    return run_facts(open_source(str(folder), partial=True))


def test_stretches_of_all_nodes_are_put_together_and_pauses_left_out(tmp_path: Path) -> None:
    facts = facts_of(
        many_rows(tmp_path / "out"),
        [stretch(0), stretch(0, node="two", rows=7), stretch(10), stretch(30)],
        [stretch(5_000), stretch(5_010)],
    )
    shown = [(each.began, each.rows, each.after_pause) for each in facts.moments]
    assert shown == [(0, 12, False), (10, 5, False), (30, 5, False), (40, 5, True), (50, 5, False)]


def test_bars_hold_all_rows_and_all_time_but_the_pauses() -> None:
    moments = [Moment(began=10.0 * n, seconds=10, rows=n, after_pause=n == 7) for n in (0, 1, 2, 5, 7, 8, 9)]
    assert in_bars(moments, 100) == in_bars(moments, 10)
    shown = [(each.began, each.seconds, each.rows, each.after_pause) for each in in_bars(moments, 3)]
    assert shown == [(0, 50, 3, False), (50, 10, 5, False), (70, 30, 24, True)]
    assert [each.rows for each in in_bars(moments, 0)] == [8, 24]
    assert in_bars([], 3) == ()


def test_the_last_stretch_lasts_until_all_was_done(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out")
    path = folder / ".ray_qa" / "run.json"
    finished = (BEGAN + timedelta(seconds=17)).isoformat()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"finished": finished}))
    facts = facts_of(folder, [stretch(0), stretch(10)])
    assert [each.seconds for each in facts.moments] == [10, 7]
    assert facts.nodes[0].seconds == 17
    assert [each.seconds for each in in_bars(facts.moments, 2)] == [10, 7]


def test_what_is_too_short_at_the_end_goes_with_what_is_before_it() -> None:
    moments = [Moment(began=10.0 * n, seconds=10 if n < 2 else 2, rows=n, after_pause=False) for n in range(3)]
    assert [(each.seconds, each.rows) for each in in_bars(moments, 3)] == [(10, 0), (12, 3)]


def test_nodes_come_by_their_rows_and_the_least_are_put_together(tmp_path: Path) -> None:
    stretches = [stretch(0, node=f"node-{n}", rows=n, failed=1) for n in range(MOST_NODES + 3)]
    nodes = facts_of(many_rows(tmp_path / "out"), stretches, [stretch(100, node="node-3", rows=100)]).nodes
    assert [(each.name, each.rows) for each in nodes[:2]] == [
        ("node-3", 103),
        (f"node-{MOST_NODES + 2}", MOST_NODES + 2),
    ]
    assert (nodes[-1].name, nodes[-1].rows, nodes[-1].failed) == ("3 more", 0 + 1 + 2, 3)
    assert sum(each.rows for each in nodes) == sum(range(MOST_NODES + 3)) + 100


def test_the_margin_where_the_outcome_changes_is_that_of_the_threshold(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out", null_threshold=1.5)
    assert facts_of(folder).flips_at == -1.5
    assert facts_of(with_settings(folder, null_threshold=0.0)).flips_at == 0.0
    assert facts_of(with_settings(folder, always_answer=True)).flips_at is None


def test_of_an_unfinished_output_only_the_plan_and_the_timelines_are_known(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out", 10)
    (folder / "part-0000001.parquet").unlink()
    facts = facts_of(folder, [stretch(0)])
    assert facts.unfinished is not None
    assert "4 of 5 parts" in facts.unfinished
    assert (facts.rows_per_second, facts.finished, len(facts.moments)) == (None, None, 1)


@pytest.mark.parametrize("record", [b"", b"[]", b"{}"])
def test_a_run_json_that_says_nothing_is_no_reason_to_fail(tmp_path: Path, record: bytes) -> None:
    folder = many_rows(tmp_path / "out", 4)
    source = open_source(str(folder), partial=False)
    (folder / ".ray_qa" / "run.json").write_bytes(record)
    assert run_facts(source).rows_per_second is None


def test_older_outputs_have_their_timeline_in_run_json_alone(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out", 4)
    path = folder / ".ray_qa" / "run.json"
    entry = {"began": BEGAN.isoformat(), "seconds": 10.0, "node": "one", "rows": 4, "failed": 0, "replicas": 1}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"timeline": [entry]}))
    assert [each.rows for each in facts_of(folder).moments] == [4]
