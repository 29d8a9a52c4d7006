"""Gold answers to token labels, for every family of tokenizers, against what the tokens themselves say."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.data.example_schema import SCHEMA
from ray_qa.data.examples import Examples, read_examples
from ray_qa.finetuning.dataset import TrainingSet, open_training_set, write_shard
from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.finetuning.labelling import LabelledRows, label_examples
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.records import Row
from ray_qa.settings import WindowSettings
from tests.model.conftest import PairTokenizers
from tests.tiny import TOKENIZER_FAMILIES

TEXTS = st.text(
    st.one_of(st.sampled_from("the river rose, café (3.5) 東京 👩‍👧 e\u0301\u3000\t\n"), st.characters(codec="utf-8")),
    min_size=1,
    max_size=60,
)
SMALL = WindowSettings(max_tokens=24, stride=6, max_question_tokens=6)


def table(context: str, *answers: tuple[str, int | None], question: str = "what?") -> pa.Table:
    texts, starts = [text for text, _ in answers], [start for _, start in answers]
    row = {"id": "1", "question": question, "context": context, "answers": {"text": texts, "answer_start": starts}}
    return pa.Table.from_pylist([row], schema=SCHEMA)


@settings(max_examples=150, deadline=None)
@given(family=st.sampled_from(TOKENIZER_FAMILIES), context=TEXTS, data=st.data())
def test_a_label_is_the_smallest_run_of_tokens_that_covers_the_answer(
    tokenizers: PairTokenizers, family: Any, context: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    answer = context[start:end]
    tokenizer = tokenizers[family]
    labelled = label_examples(table(context, (answer, start)), 0, tokenizer, 16)
    counts = labelled.counts
    ranges = _token_ranges(tokenizer, context)
    bare = context[start:end].strip()
    begin = start + len(answer) - len(answer.lstrip())
    touching = [nth for nth, (a, b) in enumerate(ranges) if a < begin + len(bare) and b > begin and a < b]

    if not bare or not touching:
        assert not len(labelled.rows.gold_first)
        assert counts.answerable == counts.unanswerable == 0
        return
    (first,), (last,) = labelled.rows.gold_first, labelled.rows.gold_last
    assert (first, last) == (touching[0], touching[-1])
    text_of_run = context[ranges[first][0] : ranges[last][1]]
    assert counts.answers == 1
    assert counts.trimmed == (bare != answer)
    assert counts.unaligned == ((ranges[first][0], ranges[last][1]) != (begin, begin + len(bare)))
    assert (text_of_run == bare) or counts.unaligned


@settings(max_examples=80, deadline=None)
@given(family=st.sampled_from(TOKENIZER_FAMILIES), context=TEXTS, data=st.data())
def test_in_every_window_the_labels_are_the_gold_run_or_the_null(
    tokenizers: PairTokenizers, family: Any, context: str, data: st.DataObject
) -> None:
    context = context * 3
    start = data.draw(st.integers(0, len(context) - 1))
    answer = context[start : start + data.draw(st.integers(1, 20))]
    tokenizer = tokenizers[family]
    labelled = label_examples(table(context, (answer, start)), 0, tokenizer, SMALL.max_question_tokens)
    if not labelled.counts.answerable:
        return
    with _opened(labelled, tokenizer) as training_set:
        windows = training_set.windows
        labels = training_set.label(seed=1, epoch=0)
        batch = training_set.batch(np.arange(len(windows)), labels, tokenizer.template)
    (first,), (last,) = labelled.rows.gold_first, labelled.rows.gold_last
    ids = tokenizer.encode([Row(question="what?", context=context)], 6).context_ids
    for window in range(len(windows)):
        a, b = batch.start_positions_B[window], batch.end_positions_B[window]
        if windows.start[window] <= first and last < windows.stop[window]:
            assert np.array_equal(batch.batch.input_ids_WT[window, a : b + 1], ids[first : last + 1])
            assert batch.batch.eligible_WT[window, a]
        else:
            assert a == b == tokenizer.template.null_position


@pytest.mark.parametrize("text", ["Ulm", "bridge at Ulm"])
def test_an_answer_at_the_wrong_place_is_repaired_where_it_occurs_once(tokenizer: PairTokenizer, text: str) -> None:
    context = "the old bridge at Ulm was carried away"
    right = label_examples(table(context, (text, context.index(text))), 0, tokenizer, 16)
    for start in (None, 0, -1, 999):
        repaired = label_examples(table(context, (text, start)), 0, tokenizer, 16)
        assert np.array_equal(repaired.rows.gold_first, right.rows.gold_first)
        assert np.array_equal(repaired.rows.gold_last, right.rows.gold_last)
        assert (repaired.counts.repaired, right.counts.repaired) == (1, 0)


def test_rows_without_a_usable_answer_are_dropped_and_counted_not_taken_for_unanswerable(
    tokenizer: PairTokenizer,
) -> None:
    rows = pa.concat_tables(
        [
            table("a bridge and a bridge", ("bridge", 3)),  # twice, and not there
            table("a bridge and a bridge", ("tower", 3)),
            table("a bridge", ("  ", 1)),
            table("a bridge", ("tower", 0), ("bridge", 0)),  # one of two can be used
            table("a bridge"),
            table("", ("bridge", 0)),
            table("a bridge", ("bridge", 2), question=""),
        ]
    )
    others = [
        {"id": "2", "question": "q?", "context": "c", "answers": None},
        {"id": "3", "malformed": "line_not_json"},
    ]
    labelled = label_examples(pa.concat_tables([rows, pa.Table.from_pylist(others, schema=SCHEMA)]), 100, tokenizer, 16)

    assert labelled.counts == LabelCounts(
        rows=9,
        answerable=1,
        unanswerable=1,
        dropped_rows={
            "no_usable_answer": 3,
            "context_empty": 1,
            "question_empty": 1,
            "answers_missing": 1,
            "line_not_json": 1,
        },
        answers=1,
        repaired=1,
        misplaced=4,
        dropped_answers={"answer_ambiguous": 1, "answer_not_found": 2, "answer_empty": 1},
    )
    assert labelled.rows.row_R.tolist() == [103, 104]
    assert labelled.rows.gold_offsets.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("encoding", "width", "unit"), [("utf-16-le", 2, "UTF-16 code units"), ("utf-8", 1, "UTF-8 bytes")]
)
def test_places_that_count_other_units_are_called_by_their_name(
    tokenizer: PairTokenizer, encoding: str, width: int, unit: str
) -> None:
    def counts(*contexts: str) -> LabelCounts:
        made = [
            table(context, ("bridge", len(context[: context.index("bridge")].encode(encoding)) // width))
            for context in contexts
        ]
        return label_examples(pa.concat_tables(made), 0, tokenizer, 16).counts

    assert counts("👩 a bridge", "👩👩 bridge, bridge", "a bridge").other_unit == unit
    assert counts("a bridge", "an old bridge").other_unit is None


def test_places_that_are_wrong_by_no_rule_are_called_nothing(tokenizer: PairTokenizer) -> None:
    rows = [table("👩 a bridge", ("bridge", start)) for start in (0, 1, 2)]
    counts = label_examples(pa.concat_tables(rows), 0, tokenizer, 16).counts
    assert (counts.misplaced, counts.repaired, counts.other_unit) == (3, 3, None)


def first_rows(path: Path) -> pa.Table:
    return next(read_examples(Examples(sources=(str(path),), setting="train"))).slice(0, 500)


def test_real_rows_decode_to_their_answers(shared: Path) -> None:
    tokenizer = load_pair_tokenizer(shared / "models" / "minilm-base")
    examples = first_rows(shared / "data" / "squad_v1_dev_a.parquet")
    _assert_decodes(label_examples(examples, 0, tokenizer, 64), examples)


def test_real_rows_decode_to_their_answers_under_robertas_tokenizer(shared: Path, tmp_path: Path) -> None:
    for path in (shared / "tokenizers" / "roberta-base").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    for name in ("squad_v1_dev_a", "xquad_de", "xquad_zh"):
        examples = first_rows(shared / "data" / f"{name}.parquet")
        _assert_decodes(label_examples(examples, 0, load_pair_tokenizer(tmp_path), 64), examples)


def _assert_decodes(labelled: LabelledRows, examples: pa.Table) -> None:
    rows, counts = labelled.rows, labelled.counts
    assert counts.rows == counts.answerable == examples.num_rows
    wrong = 0
    for number, row in enumerate(examples.to_pylist()):
        base = rows.encoded.context_offsets[rows.encoded.context_R[number]]
        golds = range(rows.gold_offsets[number], rows.gold_offsets[number + 1])
        for gold, text in zip(golds, row["answers"]["text"], strict=True):
            a = rows.encoded.context_start[base + rows.gold_first[gold]]
            b = rows.encoded.context_end[base + rows.gold_last[gold]]
            assert text.strip() in row["context"][a:b]
            wrong += row["context"][a:b] != text.strip()
    assert wrong == counts.unaligned < 0.05 * counts.answers


def _token_ranges(tokenizer: PairTokenizer, context: str) -> list[tuple[int, int]]:
    encoded = tokenizer.encode([Row(question="what?", context=context)], 16)
    return list(zip(encoded.context_start.tolist(), encoded.context_end.tolist(), strict=True))


@contextmanager
def _opened(labelled: LabelledRows, tokenizer: PairTokenizer) -> Iterator[TrainingSet]:
    """A training set of one shard, in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.arrow"
        write_shard(path, labelled.rows, labelled.counts)
        yield open_training_set([path], SMALL, tokenizer.template.special_tokens)
