"""Ask, the whole way: a text and questions in, the answers out, without Ray."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.text import Text

from ray_qa.asking.config import AskConfig
from ray_qa.asking.context import read_context
from ray_qa.asking.sentences import answer_in_its_sentence, printable
from ray_qa.errors import InputError
from ray_qa.reader.answers import span_confidence
from ray_qa.reader.calibration import Decision
from ray_qa.reader.failures import failure_in_words
from ray_qa.reader.reader import Reader
from ray_qa.reader.stopwatch import Stopwatch, counting_on
from ray_qa.records import Answer, Row
from ray_qa.runs.live_line import ProgressLine, counted, duration
from ray_qa.runs.live_line import shown as progress_shown

LOADING = "loading the model (the first time on a machine it is also converted for it)"
PATIENCE_SECONDS = 3.0
"""Who waits for longer is told how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and what the reader says to it."""

    question: str
    answer: Answer
    decision: Decision
    """What confidence stands for."""


def ask(config: AskConfig) -> int:
    """Read the context, answer all questions from it and print the answers; returns the exit code.

    Raises:
        InputError: if the context cannot be read, or a question cannot be answered; with one line a question.
        ModelError, ConfigError: as :meth:`ray_qa.Reader.load` has it.
    """
    context = read_context(config.context)
    asked = answers(config, context)
    if config.as_json:
        for each in asked:
            print(json.dumps({"question": each.question} | asdict(each.answer), ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    for each in asked:
        console.print(shown(each, context, config.n_best), soft_wrap=True)
    return 0


def answers(config: AskConfig, context: str) -> list[Asked]:
    """The answers to all questions, in order.

    Raises:
        InputError: if one cannot be answered.
    """
    with Console(stderr=True, quiet=config.quiet).status(LOADING):
        reader = Reader.load(
            config.model,
            settings=config,
            device=config.device,
            dtype=config.dtype,
            batch_tokens=config.batch_tokens,
            backend=config.backend,
        )
    found = _read(reader, [Row(question=question, context=context) for question in config.question])
    if failures := [
        failure_in_words(answer.reason, question, context, config)
        for question, answer in zip(config.question, found, strict=True)
        if answer.status == "failed"
    ]:
        raise InputError(*dict.fromkeys(failures))
    return [
        Asked(question=question, answer=each, decision=reader.decides_by)
        for question, each in zip(config.question, found, strict=True)
    ]


def _read(reader: Reader, rows: Sequence[Row]) -> list[Answer]:
    """The answers to all rows; where that takes long, how far it is is shown meanwhile."""
    stopwatch, began = Stopwatch(timed=False), time.monotonic()
    encoded = reader.tokenizer.encode(rows, reader.settings.max_question_tokens, reader.settings.max_context_chars)
    windows = len(encoded.windows(reader.settings, reader.tokenizer.template.special_tokens))

    def line() -> ProgressLine:
        seconds, done = time.monotonic() - began, stopwatch.amount("windows")
        text = f"read {done:,} of {counted(windows, 'window')}, {duration(seconds)}"
        return ProgressLine(text=text if seconds >= PATIENCE_SECONDS else "", figures={"windows": done, "of": windows})

    with progress_shown(line, stays=False), counting_on(stopwatch):
        return reader.score(encoded, [row.context for row in rows])


def shown(asked: Asked, context: str, n_best: int) -> Text:
    """A question with its answer, and with the best spans, and the mentions, where several are asked for."""
    answer = asked.answer
    text = answer_in_its_sentence(asked.question, context, answer.answer, answer.start, answer.confidence)
    if n_best > 1 and answer.log_partition is not None:
        for span in answer.n_best:
            share = span_confidence(span.score, answer.log_partition, asked.decision)
            text.append(f"\n    {share:6.1%}  {span.score:7.2f}  {printable(span.text)}", style="dim")
    for mention in answer.mentions:
        place = f"{mention.start}–{mention.end}"
        text.append(f"\n    {mention.confidence:6.1%}  {place:>13}  {printable(mention.text)}", style="dim")
    return text
