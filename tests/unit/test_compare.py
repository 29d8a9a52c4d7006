from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.comparison.agreement import agreement, differences
from benchmarks.comparison.contenders import Contender, Kind, Script, all_contenders, why_not_here
from benchmarks.comparison.machine import Machine, read_machine
from benchmarks.comparison.measuring import Passes, Record, RowSets, measure
from benchmarks.comparison.processes import Processes, ScriptError, Timed
from benchmarks.comparison.report import table
from benchmarks.comparison.results import aims_of, results_of
from benchmarks.comparison.rows import Pair, RowSet, long_pairs, write_row_set

PASSAGES = [f"passage {number} " + "x" * (20 + 7 * number % 50) for number in range(40)]
PAIRS = [Pair(question=f"question {number}?", context=passage) for number, passage in enumerate(PASSAGES)]
OLD = Machine(processor="old", cores=2, flags=("avx2",), system="Linux")


def contender(kind: Kind, dtype: str = "float32", backend: str = "torch", way: str = "") -> Contender:
    script = Script(module=f"{kind}-{backend}-{dtype}")
    return Contender(method=f"{kind}{way}", kind=kind, script=script, way=way, backend=backend, dtype=dtype)


def passes(rows: int, *seconds: float, answers: tuple[str, ...] = ()) -> Passes:
    return Passes(rows=rows, timed=[Timed(seconds=each, start_seconds=0.0, answers=answers) for each in seconds])


@pytest.mark.parametrize("characters", [60, 300, 1_000, 10_000])
def test_long_rows_have_the_length_that_is_asked_for_and_hold_their_own_passage(characters: int) -> None:
    rows = long_pairs(PAIRS, 30, characters)
    assert {len(row.context) for row in rows} == {characters}
    own = {pair.question: pair.context for pair in PAIRS}
    assert all(own[row.question][:characters] in row.context for row in rows)


def test_answers_of_long_rows_lie_early_and_late() -> None:
    rows = long_pairs(PAIRS, 30, 2_000)
    places = [row.context.index(PASSAGES[int(row.question.split()[1][:-1])]) for row in rows]
    assert min(places) == 0
    assert max(places) > 700


def test_a_row_set_lies_there_as_json_and_as_parquet(tmp_path: Path) -> None:
    rows = write_row_set(tmp_path, "short", PAIRS)
    assert json.loads((rows.folder / "rows.json").read_bytes())["question"] == [pair.question for pair in PAIRS]
    assert pq.read_table(rows.folder / "rows.parquet")["context"].to_pylist() == PASSAGES


def test_the_processor_is_read_with_what_it_has_for_fast_arithmetic() -> None:
    cpuinfo = "processor : 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 amx_bf16 avx512_vnni\n"
    machine = read_machine(cpuinfo, cores=2, system="Linux")
    assert machine.processor == "Some CPU"
    assert machine.flags == ("avx2", "avx512_vnni", "amx_bf16")
    assert machine.has_bfloat16
    assert machine.in_words == "Some CPU, 2 cores, avx2, avx512_vnni, amx_bf16; Linux"
    assert not read_machine("", cores=2, system="Linux").has_bfloat16


def test_who_cannot_run_here_is_named_with_the_reason(tmp_path: Path) -> None:
    reasons = {(each.kind, each.backend, each.dtype): why_not_here(each, OLD, tmp_path) for each in all_contenders()}
    assert reasons["annotate", "torch", "float32"] is None
    assert "this processor has none of" in str(reasons["annotate", "openvino", "bfloat16"])
    assert "make bench-peers" in str(reasons["pipeline", "torch", "float32"])
    unknown = contender("annotate", dtype="float3", backend="torch")
    assert str(why_not_here(unknown, OLD, tmp_path)).startswith("this ray_qa has it not: `dtype` must be")


def test_only_the_aims_contenders_and_the_fastest_pipelines_are_timed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {"annotate": 1.0, "pipeline1": 2.0, "pipeline8": 2.1, "pipeline32": 9.0, "peer": 3.0, "reader": 0.0}
    asked: list[tuple[str, str]] = []

    def ask(_self: Processes, script: Script, way: str, rows: RowSet) -> Timed:
        name = script.module.partition("-")[0] + way
        asked.append((name, rows.name))
        if not speeds[name]:
            raise ScriptError("out of memory")
        return Timed(seconds=speeds[name], start_seconds=0.0, answers=())

    monkeypatch.setattr(Processes, "ask", ask)
    short, long = (RowSet(name=name, folder=Path(), pairs=tuple(PAIRS)) for name in ("short", "long"))
    records = [
        Record(contender=each, short=passes(40), long=passes(40))
        for each in (
            *(contender("annotate"), contender("peer"), contender("reader")),
            *(contender("pipeline", way=way) for way in ("1", "8", "32")),
        )
    ]
    sets = RowSets(short=short, long=long, few_long=long)
    list(measure(records, sets, Processes(settings=None), repeats=2, long_repeats=1))  # type: ignore[arg-type]
    everybody = ["annotate", "peer", "reader", "pipeline1", "pipeline8", "pipeline32"]
    assert asked[:6] == [(name, "short") for name in everybody]
    assert asked[6:11] == [(name, "long") for name in everybody if name != "reader"]
    assert asked[11:] == [(name, "short") for name in ("annotate", "pipeline1", "pipeline8")]
    assert records[2].failed == "out of memory"


def test_agreement_counts_the_rows_that_both_have() -> None:
    found = agreement(["a", "b", "c"], ["a", "x"])
    assert found is not None
    assert (found.rows, found.equal, found.share) == (2, 1, 0.5)
    assert agreement(["a"], []) is None


def test_answers_that_differ_come_with_the_gap_between_their_scores() -> None:
    scores = {"a": 5.0, "b": 4.9995, "c": 4.0}
    found = differences(["a", "a", "a", "a"], ["a", "b", "c", "d"], PAIRS, lambda _: scores)
    assert [(each.row, each.is_tie) for each in found] == [(1, True), (2, False), (3, False)]
    assert found[1].gap == 1.0
    assert found[2].gap is None


def test_figures_are_medians_over_the_best_pipelines() -> None:
    records = [
        Record(contender=contender("annotate"), short=passes(40, 2.0, 1.0, 4.0, answers=("a", "b")), long=passes(40)),
        Record(contender=contender("engine"), short=passes(40, 1.6), long=passes(40)),
        Record(contender=contender("pipeline", way="1"), short=passes(40, 8.0, answers=("a", "c")), long=passes(40)),
        Record(contender=contender("pipeline", way="8"), short=passes(40, 4.0), long=passes(40)),
    ]
    result = results_of(records)[0]
    assert result.short is not None
    assert (result.short.rows_per_second, result.short.to_best_pipeline, result.long) == (20.0, 2.0, None)
    assert result.equal_short.to_pipeline is not None
    assert result.equal_short.to_pipeline.share == 0.5
    assert [(aim.over, aim.wanted, aim.short, aim.long) for aim in aims_of(records)] == [
        ("best pipeline", 1.85, 2.0, None),
        ("bare engine", 0.9, 0.8, None),
    ]


def test_what_was_not_asked_for_is_left_out() -> None:
    only = [Record(contender=contender("annotate"), short=passes(40, 2.0, answers=("a",)), long=passes(40))]
    (result,), aims = results_of(only), aims_of(only)
    assert (result.equal_short.to_pipeline, result.short and result.short.to_best_pipeline) == (None, None)
    assert [(aim.short, aim.long) for aim in aims] == [(None, None), (None, None)]


def test_a_table_lines_up() -> None:
    assert table(("a", "method"), [("1", "x"), ("22", "yy")]).splitlines() == [
        "| a  | method |",
        "| -- | ------ |",
        "| 1  | x      |",
        "| 22 | yy     |",
    ]
