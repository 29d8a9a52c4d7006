"""The rows again as Parquet, in files of as many rows as are wanted, in a folder of its own that can go to the hub.

README.md                  the data card
data/part-0000000.parquet  …
and what every output has: see ray_qa.runs.output_folder
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.parts import PART, Compression, part_path
from ray_qa.errors import OutputError, first_line
from ray_qa.runs.annotated_rows import Source, batches
from ray_qa.runs.cards import CARD, is_our_card, put_card
from ray_qa.runs.data_card import DataCard, data_card
from ray_qa.runs.output_folder import PLAN, check_output_folder, clear_output_folder, finish_output_folder
from ray_qa.storage import places
from ray_qa.storage.listing import Entry
from ray_qa.storage.local import SUCCESS, drafts_of
from ray_qa.storage.remote import Place

DATA = "data"
ROW_GROUP_ROWS, ROW_GROUP_BYTES = 16_384, 64 * 1024 * 1024


def check_folder(folder: Place, overwrite: bool) -> None:
    """Refuse a folder that holds something, unless it is an earlier export's that is to be replaced.

    Raises:
        OutputError: saying what.
        StorageError: if its bucket cannot be listed.
    """
    check_output_folder(folder, "ray-qa export", _may_be_ours)
    if not overwrite and places.exists(folder / PLAN):
        raise OutputError(f"`output` must be a new folder, but {folder} holds an export; use --overwrite")


def write_folder(
    source: Source, folder: Place, columns: Sequence[str], rows_per_file: int, compression: Compression
) -> None:
    """Write all files, each in one step, then the card, and at last the mark that all of them are there.

    Raises:
        OutputError: if the folder cannot be written to.
        StorageError: if its bucket does not let us.
    """
    made = {"exported": str(source.output.folder), "rows": source.counts["rows"], "rows_per_file": rows_per_file}
    record = json.dumps(made, indent=1).encode()
    data = folder / DATA
    try:
        _clear(folder)
        for place in (data, (folder / PLAN).parent):
            places.make_folder(place)
        places.publish(folder / PLAN, record)
        schema = pa.schema([source.schema.field(name) for name in columns])
        for number, pieces in groupby(_cut(batches(source, columns), rows_per_file), key=lambda piece: piece[0]):
            with (
                places.draft_for(part_path(data, number)) as draft,
                pq.ParquetWriter(draft, schema, compression=compression) as writer,
            ):
                for group in _row_groups((piece for _, piece in pieces), columns):
                    writer.write_table(group)
        put_card(folder / CARD, _card(source, schema))
        finish_output_folder(folder, record)
    except OSError as error:
        raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error


def _may_be_ours(entry: Entry) -> bool:
    return entry.name in (SUCCESS, CARD) if entry.is_file else entry.name == DATA


def _clear(folder: Place) -> None:
    data = folder / DATA
    written = [data / name for name in places.names_in(data) if PART.fullmatch(name)]
    if isinstance(data, Path):
        written += [draft for number in range(len(written) + 1) for draft in drafts_of(part_path(data, number))]
    if is_our_card(folder / CARD):
        written.append(folder / CARD)
    clear_output_folder(folder, written)


def _cut(rows: Iterable[pa.RecordBatch], rows_per_file: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows in pieces, each with the number of the file that it goes to."""
    done = 0
    for batch in rows:
        while batch.num_rows:
            piece = batch.slice(0, rows_per_file - done % rows_per_file)
            yield done // rows_per_file, piece
            done += piece.num_rows
            batch = batch.slice(piece.num_rows)


def _row_groups(pieces: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for piece in pieces:
        waiting.append(piece)
        if (
            sum(each.num_rows for each in waiting) >= ROW_GROUP_ROWS
            or sum(each.nbytes for each in waiting) >= ROW_GROUP_BYTES
        ):
            yield _table(waiting, columns)
            waiting = []
    if waiting:
        yield _table(waiting, columns)


def _table(pieces: Sequence[pa.RecordBatch], columns: Sequence[str]) -> pa.Table:
    return pa.Table.from_batches(pieces).select(list(columns)).replace_schema_metadata(None)


def _card(source: Source, schema: pa.Schema) -> str:
    output = source.output
    return data_card(
        DataCard(
            data_files=f"{DATA}/part-*.parquet",
            schema=schema,
            prefix=source.ours(""),
            counts=source.counts,
            model=source.model,
            weights_sha256=output.weights_sha256,
            inputs=output.inputs,
            settings=output.settings,
            questions=output.questions,
            unfinished=None if output.is_finished else f"{len(output.parts):,} of {output.units:,} units",
        )
    )
