"""The question-answering pipeline of transformers 4.57, at several batch sizes."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers import pipeline

from benchmarks.peers.invocation import MAX_ANSWER_TOKENS, MAX_QUESTION_TOKENS, MAX_TOKENS, STRIDE, invocation
from benchmarks.peers.serving import CORES, Rows, serve, timed, warm_up

BATCH_SIZES = (1, 8, 16, 32)


def load_pipeline(model: str) -> Any:
    """The pipeline as everybody makes it, in float32."""
    return pipeline("question-answering", model=model, tokenizer=model, device=-1, dtype=torch.float32)


def ask(answerer: Any, questions: list[str], contexts: list[str], batch_size: int) -> list[str]:
    """Answer rows in batches of ``batch_size`` windows."""
    answers = answerer(
        question=questions,
        context=contexts,
        batch_size=batch_size,
        max_seq_len=MAX_TOKENS,
        doc_stride=STRIDE,
        max_question_len=MAX_QUESTION_TOKENS,
        max_answer_len=MAX_ANSWER_TOKENS,
        handle_impossible_answer=False,
    )
    return [answer["answer"] for answer in (answers if isinstance(answers, list) else [answers])]


def main() -> None:
    """Serve a way for every batch size."""
    given = invocation()
    torch.set_num_threads(CORES)
    answerer = load_pipeline(given.model)

    def answer(rows: Rows, batch_size: int) -> list[str]:
        return ask(answerer, rows.questions, rows.contexts, batch_size)

    ways = {f"batch {size}": partial(answer, batch_size=size) for size in BATCH_SIZES}
    for way in ways.values():
        warm_up(way, given.warm_up)
    serve({name: timed(way) for name, way in ways.items()}, ["transformers", "torch", "tokenizers"])


if __name__ == "__main__":
    main()
