"""The single-process reader: questions and contexts in, answers out, without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ray_qa.data.frames import as_table
from ray_qa.data.part_tables import part_table
from ray_qa.data.question_sets import rows_to_read
from ray_qa.data.schemas import check_columns
from ray_qa.errors import ConfigError, InputError, ModelError
from ray_qa.reader.answers import choose_answers
from ray_qa.reader.backend import Backend
from ray_qa.reader.batching import BatchBudget, automatic_batch_tokens
from ray_qa.reader.calibration import Decision, decision_by, find_calibration
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.given_rows import GivenRows, records_of
from ray_qa.reader.inspection import AnswerGiven, Inspection
from ray_qa.reader.limits import check_fits
from ray_qa.reader.loading import load_model
from ray_qa.reader.mentions import with_mentions
from ray_qa.reader.model_files import ModelFiles, find_model
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.scoring import score_windows
from ray_qa.reader.stopwatch import step
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.records import Answer, Row
from ray_qa.settings import AUTO, ColumnSettings, ReadingSettings

if TYPE_CHECKING:
    from ray_qa.reader.span_model import SpanLogits, SpanModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An extractive question answerer: a tokenizer, a backend that runs the model, and their settings."""

    tokenizer: PairTokenizer
    backend: Backend
    settings: ReadingSettings
    budget: BatchBudget
    decision: Decision | None = None
    """When a row is left unanswered, and what confidence stands for; unless given: the settings' threshold, and the raw
    probability."""

    @classmethod
    def load(
        cls,
        ref: str | ModelFiles = "embedded",
        *,
        settings: ReadingSettings | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int | str = "auto",
        backend: str = "auto",
        threads: int | None = None,
        calibration: EncodedRows | GivenRows | None = None,
        protected: bool = False,
    ) -> Reader:
        """Load a reader.

        Args:
            ref: ``embedded``, a model folder, or a hub id ``owner/name[@revision]``.
            settings: how windows are cut and answers chosen, and by which calibration.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            dtype: ``auto``, ``float32``, ``bfloat16``, ``float16`` or ``int8``.
            batch_tokens: most tokens, padding included, in one forward pass; or ``auto``.
            backend: ``auto``, ``torch``, or ``openvino`` on a CPU.
            threads: of the forward pass on a CPU; all CPUs unless given.
            calibration: for int8, some hundred rows like those to be read; as :meth:`read` takes them, or encoded.
            protected: in int8, keep in higher precision what loses most by it.

        Raises:
            ModelError: if the model does not exist or cannot answer questions, the backend cannot run it, or the
                calibration is not there or another model's.
            ConfigError: if the settings do not fit the model.
        """
        settings = settings or ReadingSettings()
        if batch_tokens != AUTO and (not isinstance(batch_tokens, int) or batch_tokens < 1):
            raise ConfigError(f"`batch_tokens` must be 'auto' or greater than 0, but is {batch_tokens!r}")
        files = find_model(ref) if isinstance(ref, str) else ref
        answer_calibration = find_calibration(settings.answer_calibration, files.folder, files.weights_sha256)
        tokenizer = load_pair_tokenizer(files.folder)
        if calibration is not None and not isinstance(calibration, EncodedRows):
            calibration = tokenizer.encode(
                records_of(calibration), settings.max_question_tokens, settings.max_context_chars
            )
        model = load_model(
            files,
            backend=backend,
            device=device,
            dtype=dtype,
            threads=threads,
            calibration=calibration,
            settings=settings,
            protected=protected,
        )
        check_fits(settings, tokenizer, model.backend.limits, files.ref)
        if isinstance(batch_tokens, str):
            batch_tokens = automatic_batch_tokens("reading", model.device, model.threads)
        return cls(
            tokenizer=tokenizer,
            backend=model.backend,
            settings=settings,
            budget=BatchBudget(batch_tokens),
            decision=decision_by(answer_calibration, settings.null_threshold),
        )

    @property
    def decides_by(self) -> Decision:
        """When a row is left unanswered, and what confidence stands for."""
        return self.decision or decision_by(None, self.settings.null_threshold)

    def answer(self, question: str, context: str) -> Answer:
        """Answer one question from one context."""
        return self.read([Row(question=question, context=context)])[0]

    def read(self, rows: GivenRows) -> list[Answer]:
        """Answer many rows; one answer a row, in order. A bad row is a failed answer, never an exception.

        Args:
            rows: ``Row`` records, or mappings with the keys ``question`` and ``context``; a key that is not there, and
                the NaN that pandas has for a missing text, are as ``None``. Or a table of Arrow, pandas, polars or
                ``datasets`` with these columns.

        Raises:
            InputError: if they are none of these.
        """
        records = records_of(rows)
        with step("tokenise"):
            encoded = self.tokenizer.encode(records, self.settings.max_question_tokens, self.settings.max_context_chars)
        return self.score(encoded, [record.context for record in records])

    def read_table(
        self,
        table: object,
        *,
        question_column: str = "question",
        context_column: str = "context",
        keep: Sequence[str] = (),
        prefix: str = "",
    ) -> pa.Table:
        """Answer the rows of a table; gives its columns and, beside them, those that ``annotate`` adds.

        Args:
            table: of Arrow, pandas, polars or ``datasets``.
            question_column: which column holds the questions.
            context_column: which holds the contexts.
            keep: the columns to carry over; all unless given.
            prefix: put before the name of every column that is added.

        Raises:
            InputError: if Arrow cannot hold it, it has not these columns, or one that bears an added name.
        """
        columns = ColumnSettings(
            question=question_column,
            context=context_column,
            keep=tuple(keep),
            prefix=prefix,
            n_best=self.settings.n_best,
            answers_per_row=self.settings.answers_per_row,
        )
        rows = as_table(table, "table")
        check_columns(rows.schema, columns)
        return part_table(rows, self.read(rows_to_read(rows, columns, ())), columns, {})

    def score(self, encoded: EncodedRows, contexts: Sequence[str | None]) -> list[Answer]:
        """Answer rows that are already encoded, given their contexts; those that are alike are scored once."""
        row_D, distinct_R = np.unique(encoded.first_alike(), return_inverse=True)
        answers = self._score_distinct(encoded.only(row_D), [contexts[row] for row in row_D.tolist()])
        return [answers[distinct] for distinct in distinct_R.tolist()]

    def _score_distinct(self, encoded: EncodedRows, contexts: Sequence[str | None]) -> list[Answer]:
        with step("collate"):
            windows = encoded.windows(self.settings, self.tokenizer.template.special_tokens)
        scored = score_windows(self.backend, self.tokenizer.template, encoded, windows, self.settings, self.budget)
        with step("decode"):
            answers = choose_answers(encoded, windows.row, scored, contexts, self.settings, self.decides_by)
            if self.settings.answers_per_row > 1:
                answers = with_mentions(answers, encoded, windows, scored, contexts, self.settings, self.decides_by)
        return answers

    def inspect(
        self,
        question: str,
        context: str,
        answer: str | None = None,
        *,
        answer_start: int | None = None,
        n_best: int = 10,
    ) -> Inspection:
        """Show what goes into the model for one question and its context, and what comes out, token by token.

        Only torch has logits: load the reader with ``backend="torch"``.

        Args:
            question: the question.
            context: the context; a long one makes several windows, each of which is shown.
            answer: label the windows with this answer as :func:`ray_qa.finetune` would, and give the loss; the empty
                text stands for a question without an answer.
            answer_start: the character of the context at which it begins; needed where it occurs more than once.
            n_best: pairs of start and end to show, the best over all windows.

        Raises:
            InputError: if the row cannot be read, makes too many windows, or training could not use the answer.
            ModelError: if the backend has no logits to show.
        """
        from ray_qa.reader.inspecting import inspect_row

        _check_texts(question=question, context=context, **({} if answer is None else {"answer": answer}))
        given = None if answer is None else AnswerGiven(text=answer, start=answer_start)
        settings = self.settings.model_copy(update={"n_best": n_best})
        return inspect_row(question, context, given, self.tokenizer, self._span_model(), settings, self.decides_by)

    def logits(
        self,
        *,
        question: str,
        context: str,
        start_positions: Sequence[int] | None = None,
        end_positions: Sequence[int] | None = None,
    ) -> SpanLogits:
        """The model's raw output for one pair, as transformers gives it: ``loss``, start and end logits.

        The window is [CLS] question [SEP] context [SEP] in the tokenizer's own special tokens, uncut; T is its length.
        Only torch has them: load the reader with ``backend="torch"``.

        Args:
            question: the question.
            context: the context to answer it from.
            start_positions: the token position of the answer's first token, one value; gives a ``loss``.
            end_positions: the token position of the answer's last token, one value.

        Returns:
            ``start_logits_WT`` and ``end_logits_WT`` of shape (1, T): the scores, before any softmax, of each token as
            the answer's first and last; ``loss``, a scalar: the mean of the two cross-entropies against the given
            positions, or ``None`` without them.

        Raises:
            ModelError: if the pair is longer than the model has positions, or the backend has no logits to show.
            InputError: if a text is none, or a position is not one of the window's.

        A base checkpoint such as roberta-base is no question answerer: its span head would be random numbers until
        fine-tuned, so :meth:`load` refuses it.
        """
        model = self._span_model()
        _check_texts(question=question, context=context)
        ids = [
            encoding.ids
            for encoding in self.tokenizer.fast_tokenizer.encode_batch([question, context], add_special_tokens=False)
        ]
        template = self.tokenizer.template
        window = [*template.before, *ids[0], *template.between, *ids[1], *template.after]
        limit = model.limits.max_positions
        if limit is not None and len(window) > limit:
            raise ModelError(
                f"question and context must fit the model's {limit} positions, but take {len(window)}; use read"
            )
        _check_positions(len(window), start_positions=start_positions, end_positions=end_positions)
        input_ids_WT = np.array([window])
        context_at = len(template.before) + len(ids[0]) + len(template.between)
        types_WT = (
            None
            if template.context_type is None
            else (np.arange(len(window)) >= context_at)[None, :] * template.context_type
        )
        return model.forward(
            input_ids_WT,
            np.ones_like(input_ids_WT),
            types_WT,
            start_positions_W=None if start_positions is None else np.array(start_positions),
            end_positions_W=None if end_positions is None else np.array(end_positions),
        )

    def _span_model(self) -> SpanModel:
        """The backend, which must be one that has logits."""
        from ray_qa.reader.span_model import SpanModel

        if not isinstance(self.backend, SpanModel):
            raise ModelError(
                f"`backend` must be torch's to give logits and a loss, but is {type(self.backend).__name__}; "
                "load the reader with backend='torch'"
            )
        return self.backend


def _check_texts(**texts: object) -> None:
    for name, text in texts.items():
        if not isinstance(text, str):
            raise InputError(f"`{name}` must be a text, but is {text!r}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"`{name}` must be text that UTF-8 can hold, but has a lone surrogate: {text!r}") from None


def _check_positions(tokens: int, **positions: Sequence[int] | None) -> None:
    given = {name: list(values) for name, values in positions.items() if values is not None}
    if len(given) == 1:
        (alone,) = given
        (other,) = positions.keys() - given.keys()
        raise InputError(f"`{other}` must be given with `{alone}`, as a loss needs both, but is missing")
    for name, values in given.items():
        if len(values) != 1:
            raise InputError(f"`{name}` must hold one position, as there is one window, but holds {len(values)}")
        if not 0 <= values[0] < tokens:
            raise InputError(f"`{name}` must lie in the window of {tokens} tokens, but is {values[0]}")
