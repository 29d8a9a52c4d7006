"""One private Ray cluster for the whole ring, and the annotated corpus that many tests look at."""

from __future__ import annotations

import secrets
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from ray_qa import AnnotateConfig, Reader, ReadingSettings, RunSummary, annotate
from ray_qa.cluster.connection import connected
from tests.cluster import corpora
from tests.cluster.corpora import BAD_FOR_ANY_MODEL, NOT_FINITE, POISON, TOO_LONG

ONE_REPLICA: dict[str, Any] = {"replicas": "1", "cpus_per_replica": 1.0, "dtype": "float32"}
"""A replica of one thread: quick to start on few cores, and equal to the last bit to others of one thread; and to what
float32 gives anywhere, as near as that is, whatever the CPU at hand would choose."""
SMALL_WINDOWS: dict[str, Any] = {"max_tokens": 96, "stride": 32, "max_question_tokens": 32}

LONG_RUN_UNITS = 40


@pytest.fixture(scope="session", autouse=True)
def ray_token() -> Iterator[str]:
    """A token of our own for all clusters that tests start, so that Ray leaves none in the home folder."""
    token = secrets.token_hex(16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", token)
        patch.delenv("RAY_ADDRESS", raising=False)
        yield token


@pytest.fixture(scope="package")
def ray_cluster(ray_token: str) -> Iterator[None]:  # noqa: ARG001  # only has to be there
    """A private cluster that every ``annotate`` of this process uses, as starting one takes seconds.

    It ends with the ring: idle, its processes take 7 % of a CPU.
    """
    with connected("local"):
        yield


@pytest.fixture(scope="session")
def poisoned_reader(tiny_reader_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny reader, but a window that holds ``POISON`` gets logits that are not numbers."""
    folder = tmp_path_factory.mktemp("poisoned")
    shutil.copytree(tiny_reader_folder, folder, dirs_exist_ok=True)
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)(POISON, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        model.get_input_embeddings().weight[tokens[0]] = torch.nan
    model.save_pretrained(folder)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """A corpus, how it was annotated, and what came of it."""

    rows: pa.Table
    config: AnnotateConfig
    summary: RunSummary

    @property
    def folder(self) -> Path:
        return Path(self.config.output)

    @property
    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    @property
    def output(self) -> pa.Table:
        return pa.concat_tables(pq.read_table(part) for part in self.parts)

    @property
    def flags(self) -> list[str]:
        """The command line of the configuration: what is not at its default."""
        changed = self.config.model_dump(mode="json", exclude_defaults=True)
        return [
            part
            for name, value in changed.items()
            for part in [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
        ]

    def copied_to(self, folder: Path) -> AnnotateConfig:
        """The configuration of the same run with a copy of its output."""
        shutil.copytree(self.folder, folder)
        return self.config.model_copy(update={"output": str(folder)})


@pytest.fixture(scope="package")
def annotated(
    ray_cluster: None,  # noqa: ARG001  # only has to be there
    poisoned_reader: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Annotated:
    """Good and bad rows from three files of several row groups, annotated in one run."""
    folder = tmp_path_factory.mktemp("annotated")
    rows = corpora.good_and_bad((*BAD_FOR_ANY_MODEL, TOO_LONG, NOT_FINITE), good=41)
    third = rows.num_rows // 3
    for number, length in enumerate((third, third, None)):
        part = rows.slice(number * third, length)
        corpora.write(folder / "in" / f"{number}.parquet", part, row_group_size=7)
    config = AnnotateConfig(
        input=(str(folder / "in"),),
        output=str(folder / "out"),
        model=str(poisoned_reader),
        unit_rows=5,
        null_threshold=_middle_threshold(poisoned_reader),
        **ONE_REPLICA,
        **SMALL_WINDOWS,
    )
    return Annotated(rows=rows, config=config, summary=annotate(config))


@pytest.fixture(scope="package")
def uninterrupted(
    ray_cluster: None,  # noqa: ARG001  # only has to be there
    tiny_reader_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Annotated:
    """A run of some seconds and many units over three row groups, with which nothing happened."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    rows = corpora.plain(20 * LONG_RUN_UNITS)
    path = folder / "in.parquet"
    # Neither compressed nor dictionary-encoded: a test can find a page of it and break it.
    pq.write_table(rows, path, row_group_size=7 * LONG_RUN_UNITS, compression="none", use_dictionary=False)
    config = AnnotateConfig(
        input=(str(path),),
        output=str(folder / "out"),
        model=str(tiny_reader_folder),
        unit_rows=20,
        **ONE_REPLICA,
        **SMALL_WINDOWS,
    )
    return Annotated(rows=rows, config=config, summary=annotate(config))


def _middle_threshold(model: Path) -> float:
    """A threshold at which about every other row is answered."""
    rows = corpora.plain(41, seed=7, words=25).select(["question", "context"]).to_pylist()
    answers = Reader.load(str(model), settings=ReadingSettings(**SMALL_WINDOWS), dtype="float32").read(rows)
    margins = sorted(
        answer.null_score - answer.start_score - answer.end_score
        for answer in answers
        if answer.null_score is not None and answer.start_score is not None and answer.end_score is not None
    )
    return statistics.mean(margins[20:22])
