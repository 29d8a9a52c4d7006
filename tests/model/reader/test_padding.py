"""How much of what is computed on real text is padding: the default budgets keep it under 5 %."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_qa.data.units import FEWEST_ROWS
from ray_qa.reader.batching import BATCH_TOKENS, automatic_batch_tokens, batch_by_length
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.reader import Reader
from ray_qa.records import Row

ROWS = 2_000


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[Row]:
    table = pq.read_table(shared / "data" / "squad_v1_dev_a.parquet", columns=["question", "context"])
    return [Row(question=row["question"], context=row["context"]) for row in table.slice(0, ROWS).to_pylist()]


def waste(reader: Reader, units: Iterator[EncodedRows], batch_tokens: int) -> float:
    """Padding's share of all the tokens computed for these units, batches not crossing them."""
    real = computed = 0
    for encoded in units:
        tokens_W = encoded.windows(reader.settings, reader.tokenizer.template.special_tokens).tokens
        real += int(tokens_W.sum())
        computed += sum(len(batch) * int(tokens_W[batch].max()) for batch in batch_by_length(tokens_W, batch_tokens))
    return 1 - real / computed


def encoded_by(reader: Reader, rows: list[Row], unit_rows: int) -> Iterator[EncodedRows]:
    for first in range(0, len(rows), unit_rows):
        yield reader.tokenizer.encode(rows[first : first + unit_rows], reader.settings.max_question_tokens)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_reader_wastes_less_than_5_percent(threads: int, rows: list[Row], embedded: Reader) -> None:
    assert embedded.budget.tokens == automatic_batch_tokens("reading", "cpu", 1)
    budget = threads * BATCH_TOKENS["reading"]["cpu"]
    assert waste(embedded, encoded_by(embedded, rows, ROWS), budget) < 0.05


def test_the_smallest_units_with_one_thread_waste_less_than_5_percent(rows: list[Row], embedded: Reader) -> None:
    assert (FEWEST_ROWS, BATCH_TOKENS["reading"]["cpu"]) == (128, 1_024)
    assert waste(embedded, encoded_by(embedded, rows, FEWEST_ROWS), BATCH_TOKENS["reading"]["cpu"]) < 0.05


def test_a_gpus_budget_wastes_less_than_5_percent_of_large_units(rows: list[Row], embedded: Reader) -> None:
    assert waste(embedded, encoded_by(embedded, rows, ROWS), BATCH_TOKENS["reading"]["cuda"]) < 0.05
