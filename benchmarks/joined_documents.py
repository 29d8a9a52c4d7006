"""What a long document costs in answers: ``python -m benchmarks.joined_documents``, some 20 minutes of CPU time.

SQuAD passages, article by article, are joined into documents of 20,000 to 200,000 characters, and some of their own
questions are asked of the whole document; beside that stands the same reader on each question's own passage alone. All
else in a document is there to distract. SQuAD's questions were written with one passage in view: "What year was it?" is
not a fair question of a document, and no model gets all of them right there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.comparison.machine import this_machine
from benchmarks.engines import MODEL, RESULTS, SQUAD, versions
from ray_qa import Reader, ReadingSettings, Row
from ray_qa.metrics.squad import SquadScores, score_predictions
from ray_qa.records import Answer

BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeClass:
    """Documents of ``least`` to ``most`` characters, each asked so many questions."""

    least: int
    most: int
    documents: int
    questions: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.least // 1000}k to {self.most // 1000}k"


CLASSES = (
    SizeClass(least=20_000, most=50_000, documents=10, questions=8),
    SizeClass(least=50_000, most=100_000, documents=8, questions=5),
    SizeClass(least=100_000, most=200_000, documents=6, questions=4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, its gold answers, and where its own passage lies in the document: a half-open range of characters."""

    id: str
    question: str
    golds: tuple[str, ...]
    passage_start: int
    passage_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Passages in one text, and what is asked of them."""

    text: str
    articles: int
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A passage, and the rows that ask about it: ids, questions, gold answers."""

    article: str
    text: str
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One question, asked of the whole document and of its own passage alone."""

    joined: SquadScores
    single: SquadScores
    in_passage: bool
    """Whether the document's span lies in the question's passage."""
    windows: int
    """Of the whole document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Documents of one class: means over all their questions, in percent."""

    name: str
    documents: int
    articles: float
    characters: float
    questions: int
    windows: float
    """Of the model, for each question of the whole document."""
    joined_exact: float
    joined_f1: float
    single_exact: float
    single_f1: float
    f1_loss_error: float
    """The standard error of single F1 less joined F1, question by question."""
    right_passage: float
    """How many spans lie in the question's own passage."""
    right_passage_f1: float | None
    """F1 of those, in the whole document."""


def main() -> None:
    """Measure, print as it goes, write ``benchmarks/results/joined_documents.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file of SQuAD's columns")
    parser.add_argument("--model", default=str(MODEL))
    parser.add_argument("--least", type=int, default=0, help="leave out classes of shorter documents")
    parser.add_argument("--documents", type=int, help="so many of each class, the first ones")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not options.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {options.data} is none; name one of yours")
    passages = read_passages(options.data)
    reader = Reader.load(options.model, settings=ReadingSettings(always_answer=True))
    measured = []
    for size in (size for size in CLASSES if size.least >= options.least):
        documents = list(islice(join_documents(passages, size, options.seed), options.documents))
        judged: list[Judged] = []
        for number, document in enumerate(documents, start=1):
            judged += judge(reader, document)
            print(f"{size.name} characters, {number} documents: {in_words(judged)}", flush=True)
        measured.append(measure(size, documents, judged))
        print(describe(measured[-1]), flush=True)
    record = {
        "machine": asdict(this_machine()),
        "versions": versions(),
        "model": options.model,
        "backend": type(reader.backend).__name__,
        "seed": options.seed,
        "cpu_seconds": time.process_time(),
        "classes": [asdict(each) for each in measured],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "joined_documents.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{record['cpu_seconds']:,.0f} s of CPU time; {record['backend']}; {this_machine().in_words}")


def read_passages(path: Path) -> list[list[Passage]]:
    """The passages of each article, in order."""
    articles: dict[str, dict[str, list[tuple[str, str, tuple[str, ...]]]]] = {}
    for row in pq.read_table(path).to_pylist():
        rows = articles.setdefault(row["title"], {}).setdefault(row["context"], [])
        rows.append((str(row["id"]), row["question"], tuple(row["answers"]["text"])))
    return [
        [Passage(article=title, text=text, rows=tuple(rows)) for text, rows in passages.items()]
        for title, passages in articles.items()
    ]


def join_documents(articles: Sequence[list[Passage]], size: SizeClass, seed: int) -> Iterator[Document]:
    """Documents of a class, the same for the same seed: articles are drawn, and their passages joined in order, until
    the next would make the document longer than a length that is drawn too."""
    draw = np.random.default_rng([seed, size.least])
    for _ in range(size.documents):
        length = int(draw.integers(size.least * 11 // 10, size.most, endpoint=True))
        passages = [passage for article in draw.permutation(len(articles)) for passage in articles[article]]
        ends = np.cumsum([len(passage.text) + len(BETWEEN) for passage in passages]) - len(BETWEEN)
        joined = passages[: int((ends <= length).sum())]
        candidates = [
            Asked(
                id=own_id,
                question=question,
                golds=golds,
                passage_start=int(end) - len(passage.text),
                passage_end=int(end),
            )
            for passage, end in zip(joined, ends, strict=False)
            for own_id, question, golds in passage.rows
        ]
        chosen = np.sort(draw.choice(len(candidates), size.questions, replace=False))
        yield Document(
            text=BETWEEN.join(passage.text for passage in joined),
            articles=len({passage.article for passage in joined}),
            asked=tuple(candidates[number] for number in chosen),
        )


def judge(reader: Reader, document: Document) -> list[Judged]:
    """Ask a document its questions, and the passage of each question alone."""
    alone = [document.text[each.passage_start : each.passage_end] for each in document.asked]
    joined = reader.read([Row(question=each.question, context=document.text) for each in document.asked])
    single = reader.read(
        [Row(question=each.question, context=text) for each, text in zip(document.asked, alone, strict=True)]
    )
    return list(map(_judged, document.asked, joined, single))


def measure(size: SizeClass, documents: Sequence[Document], judged: Sequence[Judged]) -> Measured:
    """What came of all questions of a class."""
    losses = [each.single.f1 - each.joined.f1 for each in judged]
    right = [each.joined.f1 for each in judged if each.in_passage]
    return Measured(
        name=size.name,
        documents=len(documents),
        articles=statistics.mean(document.articles for document in documents),
        characters=statistics.mean(len(document.text) for document in documents),
        questions=len(judged),
        windows=statistics.mean(each.windows for each in judged),
        joined_exact=statistics.mean(each.joined.exact for each in judged),
        joined_f1=statistics.mean(each.joined.f1 for each in judged),
        single_exact=statistics.mean(each.single.exact for each in judged),
        single_f1=statistics.mean(each.single.f1 for each in judged),
        f1_loss_error=statistics.stdev(losses) / len(losses) ** 0.5,
        right_passage=100 * len(right) / len(judged),
        right_passage_f1=statistics.mean(right) if right else None,
    )


def _judged(asked: Asked, joined: Answer, single: Answer) -> Judged:
    if joined.start is None or joined.end is None:
        raise ValueError(f"{asked.id} came out as {joined.status}: {joined.reason}")
    return Judged(
        joined=score_predictions({asked.id: asked.golds}, {asked.id: joined.answer or ""}),
        single=score_predictions({asked.id: asked.golds}, {asked.id: single.answer or ""}),
        in_passage=asked.passage_start <= joined.start and joined.end <= asked.passage_end,
        windows=joined.windows or 0,
    )


def in_words(judged: Sequence[Judged]) -> str:
    """How far a class is."""
    exact, f1 = (statistics.mean(getattr(each.joined, name) for each in judged) for name in ("exact", "f1"))
    single = statistics.mean(each.single.f1 for each in judged)
    right = sum(each.in_passage for each in judged)
    return f"{len(judged)} questions, joined EM {exact:.1f} F1 {f1:.1f}, single F1 {single:.1f}, {right} right passages"


def describe(measured: Measured) -> str:
    """What is printed of a class."""
    right_f1 = "–" if measured.right_passage_f1 is None else f"{measured.right_passage_f1:.1f}"
    return (
        f"{measured.name} characters: {measured.documents:,} documents of {measured.articles:.1f} articles, "
        f"{measured.characters:,.0f} characters; {measured.questions:,} questions of {measured.windows:.0f} windows\n"
        f"    joined EM {measured.joined_exact:.1f} F1 {measured.joined_f1:.1f}; single passages EM "
        f"{measured.single_exact:.1f} F1 {measured.single_f1:.1f}; F1 lost "
        f"{measured.single_f1 - measured.joined_f1:.1f} ± {measured.f1_loss_error:.1f}\n"
        f"    in the right passage {measured.right_passage:.1f} %, F1 of those {right_f1}"
    )


if __name__ == "__main__":
    main()
