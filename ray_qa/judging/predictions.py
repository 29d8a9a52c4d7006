"""What is judged: a folder that annotate wrote, or a JSON file of texts by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as short_repr

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.file_kinds import instead_of_parquet
from ray_qa.data.file_search import find_files
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.row_forms import ALL, has_suffix
from ray_qa.data.squad_json import load_json
from ray_qa.errors import InputError, first_line
from ray_qa.runs.annotated_output import AnnotatedOutput, annotated_output, instead_of_output
from ray_qa.runs.question_pairs import PAIRS, LongPairs, WidePairs, pairs_in, row_batches
from ray_qa.storage import places
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place, Remote, place_of

BATCH_ROWS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Where predictions lie, and what columns they have."""

    setting: str
    """What names them, for messages."""
    path: str
    parts: tuple[str, ...]
    """The files, in order of their rows; none where ``table`` has the rows."""
    table: pa.Table | None
    schema: pa.Schema
    rows: int
    prefix: str
    """What stands before the names of the columns that annotate adds."""
    question_column: str
    context_column: str
    output: AnnotatedOutput | None
    """What annotate says of them, where it made them."""
    unfinished: str | None
    """What is missing, in words, where something is."""
    pairs: WidePairs | LongPairs | None = None
    """How the rows of a question set's output are read: a pair of context and question each, with an id of its own."""

    def ours(self, name: str) -> str:
        """The name of a column that annotate added, with its prefix."""
        return f"{self.prefix}{name}"

    def has(self, name: str) -> bool:
        """Whether there is a column."""
        return name in self.schema.names

    def check_column(self, name: str, otherwise: str = "") -> None:
        """Check that there is a column.

        Args:
            name: the column's.
            otherwise: what to do if it is not there.

        Raises:
            InputError: if not.
        """
        if not self.has(name):
            where = self.parts[0] if self.parts else self.path
            if isinstance(self.pairs, WidePairs):
                where = f"{self.path}, read as {PAIRS},"
            there = ", ".join(self.schema.names)
            raise InputError(f"`{self.setting}` must have a column {name!r}, but {where} has {there}{otherwise}")


def open_predictions(
    path: str, *, prefix: str, partial: bool, id_column: str = "id", setting: str = "predictions"
) -> Predictions:
    """Look at predictions, without reading their rows; those of a question set are pairs of context and question.

    Args:
        path: a folder that ``annotate`` wrote, or a JSON file ``{id: text}``.
        prefix: what stands before the names of annotate's columns, unless its plan says so itself.
        partial: whether the folder may be unfinished.
        id_column: the column that gets the ids of a question set's pairs.
        setting: what named the path, for messages.

    Raises:
        InputError: if there are none, they cannot be read, or are unfinished and may not be.
        StorageError: if their bucket cannot be reached.
    """
    place = place_of(path, setting)
    if path.lower().endswith(".json") if isinstance(place, Remote) else not place.is_dir():
        return _of_json(path, setting)
    output = annotated_output(place)
    settings: Mapping[str, object] = output.settings if output else {}
    unfinished = output.unfinished if output else _without_success(place)
    if unfinished and not partial:
        raise InputError(
            f"`{setting}` must be a finished run of annotate, but {unfinished}; or judge what is there with --partial"
        )
    parts = tuple(find_files([path], setting).paths)
    footers = [_footer(part, setting) for part in parts]
    prefix = str(settings.get("prefix", "")) or prefix
    schema, rows = footers[0].schema.to_arrow_schema(), sum(footer.num_rows for footer in footers)
    asked = output.questions if output else ()
    wide = bool(output and output.wide)
    pairs = pairs_in(schema, asked, wide=wide, prefix=prefix, id_column=id_column)
    return Predictions(
        setting=setting,
        path=path,
        parts=parts,
        table=None,
        schema=schema if pairs is None else pairs.schema,
        rows=rows * (pairs.each if pairs else 1),
        prefix=prefix,
        question_column=f"{prefix}question" if asked else str(settings.get("question_column", "question")),
        context_column=str(settings.get("context_column", "context")),
        output=output,
        unfinished=unfinished,
        pairs=pairs,
    )


def prediction_tables(predictions: Predictions, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Those columns of all rows, in order, some thousand rows at a time.

    Raises:
        InputError: if a column is not there, or a part cannot be read.
    """
    for name in columns:
        predictions.check_column(name)
    if predictions.table is not None:
        yield predictions.table.select(columns)
    for part in predictions.parts:
        try:
            with open_parquet(part) as opened:
                for batch in row_batches(opened, columns, BATCH_ROWS, predictions.pairs):
                    yield pa.Table.from_batches([batch]).select(columns)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise InputError(
                f"`{predictions.setting}` must be readable, but {part} gives: {first_line(error)}"
            ) from error


def _without_success(folder: Place) -> str | None:
    if places.exists(folder / SUCCESS):
        return None
    return f"{folder} has no {SUCCESS}; run the same annotate command again to finish it"


def _footer(part: str, setting: str) -> pq.FileMetaData:
    try:
        with open_parquet(part) as opened:
            return opened.metadata
    except (OSError, pa.ArrowException) as error:
        kind = instead_of_parquet(part)
        found = f"is {kind}" if kind else f"cannot be read: {first_line(error)}"
        raise InputError(f"`{setting}` must be Parquet, but {part} {found}") from error


def _of_json(path: str, setting: str) -> Predictions:
    place = place_of(path, setting)
    if not places.exists(place) or (has_suffix(path, ALL) and not path.lower().endswith(".json")):
        raise InputError(
            f"`{setting}` must be a folder that annotate wrote, or a JSON file {{id: text}}, but {path} "
            f"{instead_of_output(place)}"
        )
    # pairs, where a dict would hide that an id comes twice
    pairs = load_json(path, setting, "a folder that annotate wrote or a JSON file", read_object=tuple)
    if not isinstance(pairs, tuple):
        raise InputError(f"`{setting}` must be a JSON object {{id: text}}, but {path} has a {type(pairs).__name__}")
    for row, (_, value) in enumerate(pairs, start=1):
        if value is not None and not isinstance(value, str):
            found = short_repr(value)[:60]
            raise InputError(f"`{setting}` must have a text for every id, but row {row} of {path} has {found}")
    table = pa.table(
        {
            "id": pa.array([key for key, _ in pairs], pa.string()),
            "answer": pa.array([text for _, text in pairs], pa.string()),
        }
    )
    return Predictions(
        setting=setting,
        path=path,
        parts=(),
        table=table,
        schema=table.schema,
        rows=table.num_rows,
        prefix="",
        question_column="question",
        context_column="context",
        output=None,
        unfinished=None,
    )
