"""Validating a model in training: annotate's decoding and evaluate's figures, spread over the workers."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.process_group import ProcessGroup
from ray_qa.finetuning.step import ModelWithOptimizer
from ray_qa.metrics.squad import SquadScores, convention_for, score_predictions
from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.reader import Reader
from ray_qa.reader.span_model import span_model
from ray_qa.records import Row
from ray_qa.settings import ReadingSettings
from ray_qa.storage.places import open_input
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """The evaluation rows: this worker's share of them encoded, the gold answers of all."""

    group: ProcessGroup
    tokenizer: PairTokenizer
    settings: ReadingSettings
    golds: dict[str, tuple[str, ...]]
    """By row number, in order."""
    contexts: list[str | None]
    encoded: EncodedRows

    @classmethod
    def open(cls, rows: Place, tokenizer: PairTokenizer, config: FinetuneConfig, group: ProcessGroup) -> Validator:
        """Read the rows and encode this worker's share; rows of answers only are judged by always answering."""
        examples = pq.read_table(open_input(rows))
        # What has no answers at all cannot be judged.
        examples = examples.filter(pc.and_(pc.is_valid(examples["answers"]), pc.is_null(examples["malformed"])))
        golds = {str(number): tuple(each["text"]) for number, each in enumerate(examples["answers"].to_pylist())}
        own = examples.take(list(range(group.rank, len(examples), group.workers))).to_pylist()
        return cls(
            group=group,
            tokenizer=tokenizer,
            settings=ReadingSettings(
                max_tokens=config.max_tokens,
                stride=config.stride,
                max_question_tokens=config.max_question_tokens,
                max_answer_tokens=config.max_answer_tokens,
                always_answer=convention_for(golds) == "v1.1",
            ),
            golds=golds,
            contexts=[row["context"] for row in own],
            encoded=tokenizer.encode(
                [Row(question=row["question"], context=row["context"]) for row in own], config.max_question_tokens
            ),
        )

    def score(self, model: ModelWithOptimizer, batch_tokens: int) -> SquadScores:
        """Answer all rows with the model as it is now; the scores are the same on every worker."""
        reader = Reader(
            tokenizer=self.tokenizer,
            backend=span_model(model.module, model.device, model.dtype),
            settings=self.settings,
            budget=BatchBudget(batch_tokens),
        )
        model.module.eval()
        try:
            with model.autocast():
                answers = reader.score(self.encoded, self.contexts)
        finally:
            model.module.train()
        texts = self.group.all_gather([answer.answer or "" for answer in answers])
        predictions = {
            str(rank + nth * self.group.workers): text for rank, own in enumerate(texts) for nth, text in enumerate(own)
        }
        return score_predictions(self.golds, predictions)
