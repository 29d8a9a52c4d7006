from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ray_qa.reporting import samples as module
from ray_qa.reporting.columns import columns_of
from ray_qa.reporting.samples import AROUND, Samples, as_shown, showable
from ray_qa.reporting.statistics import scored_batch
from ray_qa.runs.annotated_rows import batches, open_source
from tests.unit.exporting.annotated import FAILED, answer, write_output
from tests.unit.reporting.outputs import many_rows, table_of


def samples_of(
    folder: Path, *, flips_at: float | None = 0.0, wanted: frozenset[int] = frozenset(), batch_rows: int = 9
) -> Samples:
    source, first = open_source(str(folder), partial=False), 0
    columns = columns_of(source, keeps_gold="answers" in source.schema.names)
    samples = Samples(columns=columns, flips_at=flips_at, wanted=wanted)
    for each in batches(source, columns.read, batch_rows):
        samples.add(scored_batch(pa.Table.from_batches([each]), columns, first))
        first += each.num_rows
    return samples


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("CLOSEST", 10), ("OF_A_STATUS", 3), ("OF_A_REASON", 2)):
        monkeypatch.setattr(module, name, most)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("flips_at", [0.0, 1.25, -2.5])
def test_the_closest_calls_of_all_batches_come_first(tmp_path: Path, flips_at: float) -> None:
    rows = samples_of(many_rows(tmp_path / "out"), flips_at=flips_at).rows()
    margins = [(1 if row % 4 else -1) * (row + 1) / 10 for row in range(60) if row % 10 != 9]
    closest = sorted(abs(margin - flips_at) for margin in margins)
    assert [abs(each.margin - flips_at) for each in rows[:10]] == pytest.approx(closest[:10])


@pytest.mark.usefixtures("few")
def test_where_every_row_is_answered_the_lowest_margins_come_first(tmp_path: Path) -> None:
    rows = samples_of(many_rows(tmp_path / "out"), flips_at=None).rows()
    margins = [each.margin for each in rows if not np.isnan(each.margin)]
    assert margins == sorted(margins)
    assert rows[0].margin == pytest.approx(-5.7)


@pytest.mark.usefixtures("few")
def test_there_are_some_of_every_outcome_and_reason_and_those_asked_for_and_no_more(tmp_path: Path) -> None:
    samples = samples_of(many_rows(tmp_path / "out"), wanted=frozenset({58, 57}))
    rows = samples.rows()
    assert {each.status for each in rows} == {"answered", "no_answer", "failed"}
    assert {58, 57} <= {each.row for each in rows}
    assert [each.status for each in rows[-3:]] == ["failed"] * 3
    assert len(samples.of_reason("question_missing")) == 2
    assert len(rows) <= 10 + 3 * 3 + 2 + 2
    assert len({each.row for each in rows}) == len(rows)


@pytest.mark.usefixtures("few")
def test_the_same_output_gives_the_same_rows(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out")
    once, again = ([each.row for each in samples_of(folder).rows()] for _ in range(2))
    assert once == again


def test_gold_answers_that_were_kept_are_shown_once_each(tmp_path: Path) -> None:
    golds = {each.row: each.golds for each in samples_of(many_rows(tmp_path / "out", 8)).rows()}
    assert golds[3] == ("river 3",)
    assert golds[4] == ()
    assert as_shown(["a", "b", "a"]) == ("a", "b")


def test_a_span_stands_where_it_stood_with_words_around_it_left_whole(tmp_path: Path) -> None:
    context = "word " * 500 + "the oak 😀" + " tail" * 500
    folder = write_output(tmp_path / "out", table_of([context, "oak"]), [answer(context, "oak 😀"), FAILED])
    shown = samples_of(folder).rows()[0]
    assert (shown.before[:6], shown.span, shown.after[-6:]) == ("… word", "oak 😀", "tail …")
    assert shown.before.removeprefix("… ") + (shown.span or "") + shown.after.removesuffix(" …") in context
    assert AROUND - 10 < len(shown.after) <= AROUND + 2


def test_text_without_spaces_is_shown_too(tmp_path: Path) -> None:
    context = "字" * 1_000 + "木" + "字" * 1_000
    shown = samples_of(write_output(tmp_path / "out", table_of([context]), [answer(context, "木")])).rows()[0]
    assert (shown.before, shown.span, shown.after) == ("… " + "字" * AROUND, "木", "字" * AROUND + " …")


def test_what_a_page_cannot_show_has_a_sign_in_its_place() -> None:
    assert showable("a\x00b\ud800c\tü\n") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\tü\n"
