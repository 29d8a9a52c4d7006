"""The way of the well-known evaluation script: windows padded to 384 in batches of 8, then its choice of answers.

Its choice: the 20 best starts and the 20 best ends of each window, every pair of them that is in order, in the context
and at most 30 tokens long, the best sum over the windows of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from benchmarks.peers.invocation import MAX_ANSWER_TOKENS, MAX_TOKENS, STRIDE, invocation
from benchmarks.peers.serving import CORES, Rows, serve, timed, warm_up

BATCH = 8
TOKENISED_AT_ONCE = 1_000
BEST = 20


def main() -> None:
    """Serve the one way."""
    given = invocation()
    torch.set_num_threads(CORES)
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    model = AutoModelForQuestionAnswering.from_pretrained(given.model, dtype=torch.float32).eval()

    def answer(rows: Rows) -> list[str]:
        answers: list[str] = []
        for first in range(0, len(rows.questions), TOKENISED_AT_ONCE):
            some = slice(first, first + TOKENISED_AT_ONCE)
            answers += answer_some(tokenizer, model, rows.questions[some], rows.contexts[some])
        return answers

    warm_up(answer, given.warm_up)
    serve({"padded": timed(answer)}, ["transformers", "torch", "tokenizers"])


def answer_some(tokenizer: Any, model: Any, questions: list[str], contexts: list[str]) -> list[str]:
    """Answer rows whose windows are tokenised together."""
    windows = tokenizer(
        questions,
        contexts,
        truncation="only_second",
        max_length=MAX_TOKENS,
        stride=STRIDE,
        padding="max_length",
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    logits = run_model(model, {name: windows[name] for name in tokenizer.model_input_names})
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(questions)
    for window, row in enumerate(windows["overflow_to_sample_mapping"]):
        in_context = [sequence == 1 for sequence in windows.sequence_ids(window)]
        found = best_span(logits[window, :, 0], logits[window, :, 1], in_context)
        if found is not None and found[0] > best[row][0]:
            offsets = windows["offset_mapping"][window]
            best[row] = (found[0], contexts[row][offsets[found[1]][0] : offsets[found[2]][1]])
    return [text for _, text in best]


def run_model(model: Any, inputs: dict[str, list[list[int]]]) -> Any:
    """Start and end logits of all windows, of shape (windows, 384, 2)."""
    tensors = {name: torch.tensor(values) for name, values in inputs.items()}
    logits = []
    for first in range(0, len(tensors["input_ids"]), BATCH):
        with torch.no_grad():
            output = model(**{name: tensor[first : first + BATCH] for name, tensor in tensors.items()})
        logits.append(torch.stack([output.start_logits, output.end_logits], dim=-1).numpy())
    return np.concatenate(logits)


def best_span(start_T: Any, end_T: Any, in_context_T: list[bool]) -> tuple[float, int, int] | None:
    """Score, first and last token of a window's best span; ``None`` where no pair will do."""
    found = None
    for first in np.argsort(start_T)[: -BEST - 1 : -1].tolist():
        for last in np.argsort(end_T)[: -BEST - 1 : -1].tolist():
            if not (in_context_T[first] and in_context_T[last] and first <= last < first + MAX_ANSWER_TOKENS):
                continue
            score = float(start_T[first] + end_T[last])
            if found is None or score > found[0]:
                found = (score, first, last)
    return found


if __name__ == "__main__":
    main()
