"""What encoding and decoding cost beside the model: ``python -m benchmarks.decoding``, a minute or two on one core.

On real rows, without a forward pass: ``PairTokenizer.encode`` against the bare tokenizer on the same distinct texts;
and from ready logits, drawn at random, to answers: ``Reader.score`` less the assembling of its batches. Times are CPU
seconds of this process, not the wall clock's, and medians of ``--repeats`` in turn: others' work on the machine slows
them all, now more, now less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.throughput import RESULTS, SQUAD
from ray_qa import Reader, ReadingSettings, Row
from ray_qa.reader.backend import WindowScores, search_spans
from ray_qa.reader.batching import BATCH_TOKENS, BatchBudget, batch_by_length
from ray_qa.reader.collate import Batch, collate
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.limits import Limits
from ray_qa.reader.model_files import find_model
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """CPU seconds for all rows."""

    rows: int
    questions: int
    contexts: int
    tokenizer_seconds: float
    encode_seconds: float

    @property
    def encode_to_tokenizer(self) -> float:
        """Share of the tokenizer's own speed that is left."""
        return self.tokenizer_seconds / self.encode_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """CPU seconds from ready logits to answers, in batches of so many tokens."""

    rows: int
    windows: int
    batch_tokens: int
    n_best: int
    assemble_seconds: float
    score_seconds: float

    @property
    def rows_per_second(self) -> float:
        """Rows decoded a second; assembling the batches, which the model needs as well, left out."""
        return self.rows / (self.score_seconds - self.assemble_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyLogits:
    """A backend whose logits lie ready, one pair of arrays a batch, by the batch's first window."""

    start_logits_WT: dict[int, torch.Tensor]
    end_logits_WT: dict[int, torch.Tensor]
    token_multiple: int = 1

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(max_positions=None, vocabulary=None)

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        """Search only."""
        first = int(batch.window_W[0])
        return search_spans(self.start_logits_WT[first], self.end_logits_WT[first], batch, null_position, settings)


def main() -> None:
    """Measure, print a table, write ``benchmarks/results/decoding.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file with question and context columns")
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    if not options.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {options.data} is none; name one of yours")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    table = pq.read_table(options.data).slice(0, options.rows)
    pairs = zip(table["question"].to_pylist(), table["context"].to_pylist(), strict=True)
    # The ready logits are those of windows in batches; rows that repeat would be read once, in other batches.
    rows = [Row(question=question, context=context) for question, context in dict.fromkeys(pairs)]
    tokenizer = load_pair_tokenizer(find_model("embedded").folder)
    encoding = measure_encoding(tokenizer, rows, options.repeats)
    decodings = [
        measure_decoding(tokenizer, rows, batch_tokens, n_best, options.repeats)
        for batch_tokens in (BATCH_TOKENS["reading"]["cpu"], BATCH_TOKENS["reading"]["cuda"])
        for n_best in (1, 5)
    ]
    machine = f"one of {os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    RESULTS.mkdir(exist_ok=True)
    record = {"machine": machine, "encoding": asdict(encoding), "decoding": [asdict(each) for each in decodings]}
    (RESULTS / "decoding.json").write_text(json.dumps(record, indent=1) + "\n")
    print(describe(encoding, decodings, machine, options.repeats))


def measure_encoding(tokenizer: PairTokenizer, rows: list[Row], repeats: int) -> Encoding:
    """Time both over the same texts, in turn."""
    questions = list(dict.fromkeys((row.question or "").lstrip() for row in rows))
    contexts = list(dict.fromkeys(row.context or "" for row in rows))
    longest = ReadingSettings().max_question_tokens

    def tokenizer_alone() -> None:
        tokenizer.fast_tokenizer.encode_batch_fast(questions, add_special_tokens=False)
        tokenizer.fast_tokenizer.encode_batch(contexts, add_special_tokens=False)

    alone, encode = median_cpu_seconds(tokenizer_alone, lambda: tokenizer.encode(rows, longest), repeats=repeats)
    return Encoding(
        rows=len(rows),
        questions=len(questions),
        contexts=len(contexts),
        tokenizer_seconds=alone,
        encode_seconds=encode,
    )


def measure_decoding(
    tokenizer: PairTokenizer, rows: list[Row], batch_tokens: int, n_best: int, repeats: int
) -> Decoding:
    """Time assembling and scoring over the same batches, in turn."""
    settings = ReadingSettings(n_best=n_best)
    encoded = tokenizer.encode(rows, settings.max_question_tokens)
    windows = encoded.windows(settings, tokenizer.template.special_tokens)
    grouped = batch_by_length(windows.tokens, batch_tokens)
    reader = Reader(
        tokenizer=tokenizer,
        backend=random_logits(tokenizer, encoded, settings, batch_tokens),
        settings=settings,
        budget=BatchBudget(batch_tokens),
    )
    contexts = [row.context for row in rows]

    def assemble() -> None:
        for window_W in grouped:
            collate(encoded, windows, window_W, tokenizer.template)

    assembled, scored = median_cpu_seconds(assemble, lambda: reader.score(encoded, contexts), repeats=repeats)
    return Decoding(
        rows=len(rows),
        windows=len(windows),
        batch_tokens=batch_tokens,
        n_best=n_best,
        assemble_seconds=assembled,
        score_seconds=scored,
    )


def random_logits(
    tokenizer: PairTokenizer, encoded: EncodedRows, settings: ReadingSettings, batch_tokens: int
) -> ReadyLogits:
    """Logits for every batch, spread about as a trained model's."""
    windows, draw = encoded.windows(settings, tokenizer.template.special_tokens), np.random.default_rng(0)
    shapes = {
        int(window_W[0]): (len(window_W), int(windows.tokens[window_W].max()))
        for window_W in batch_by_length(windows.tokens, batch_tokens)
    }
    start, end = (
        {first: torch.from_numpy(draw.normal(-4, 4, shape).astype(np.float32)) for first, shape in shapes.items()}
        for _ in range(2)
    )
    return ReadyLogits(start_logits_WT=start, end_logits_WT=end)


def median_cpu_seconds(*actions: Callable[[], object], repeats: int) -> list[float]:
    """The median CPU time of each action, taken in turn."""
    seconds: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats):
        for action, taken in zip(actions, seconds, strict=True):
            started = time.process_time()
            action()
            taken.append(time.process_time() - started)
    return [statistics.median(taken) for taken in seconds]


def describe(encoding: Encoding, decodings: list[Decoding], machine: str, repeats: int) -> str:
    """The tables that are printed."""
    return "\n".join(
        [
            f"{encoding.rows:,} rows of {encoding.contexts:,} contexts, {decodings[0].windows:,} windows; {machine}; "
            f"CPU seconds, median of {repeats}",
            f"{'tokenizer alone':<30}{encoding.tokenizer_seconds:>10.3f} s",
            f"{'encode':<30}{encoding.encode_seconds:>10.3f} s"
            f"{encoding.encode_to_tokenizer:>10.3f} of the tokenizer alone",
            *[
                f"{f'decode, n_best {each.n_best}':<30}{each.rows_per_second:>10,.0f} rows/s "
                f"in batches of {each.batch_tokens:,} tokens"
                for each in decodings
            ],
        ]
    )


if __name__ == "__main__":
    main()
