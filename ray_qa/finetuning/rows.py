"""The rows of a run on their way to the workers: surveyed, written down in one form, encoded all over the cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import ray.data

from ray_qa.cluster.placement import READ_CPUS
from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.data.data_sets import is_data_set
from ray_qa.data.example_schema import Setting
from ray_qa.data.example_sources import source_files
from ray_qa.data.examples import Examples, ExamplesSummary, survey_examples, write_examples
from ray_qa.data.file_search import check_apart
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.errors import listed
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.dataset import shard_counts
from ray_qa.finetuning.job import TrainingJob, encode_shards
from ray_qa.finetuning.label_counts import LabelCounts, check_usable
from ray_qa.finetuning.output import EVAL_ROWS, SHARDS, TRAIN_ROWS, TrainingPlan, shard_path
from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.runs.log import notice
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.storage.places import exists, make_folder, names_in
from ray_qa.storage.remote import Remote
from ray_qa.storage.scratch import scratch_folder

READ_AT_ONCE = 32


def survey(config: FinetuneConfig, setting: Setting, known: ExamplesSummary | None) -> ExamplesSummary:
    """See that the rows of ``train`` or ``eval`` are fit for use; those that ``known`` tells of are not read again.

    Raises:
        InputError: if they are not, or lie where they would be lost or cleared away.
    """
    examples = _examples(config, setting)
    for source in examples.sources:
        if not is_data_set(source):
            check_outlives_job(setting, source)
    found = source_files(examples.sources, setting)
    check_apart(found.paths, examples.sources, config.folder, setting)
    if found.passed_over:
        notice(f"`{setting}` passes over {listed(found.passed_over, 3)}")
    return survey_examples(examples, known)


def encode(job: TrainingJob, plan: TrainingPlan, progress: TrainingProgress) -> LabelCounts:
    """Write the rows down in one form and encode them, by tasks all over the cluster; what is there already stays.

    Raises:
        InputError: if they have changed since they were surveyed, or no answer can be used.
    """
    folder = job.config.folder
    scratch = scratch_folder(job.config.scratch, str(folder)) if isinstance(folder, Remote) else None
    progress.enter(f"reading {plan.train.rows:,} rows again, to bring them into one form")
    if not exists(folder / TRAIN_ROWS):
        write_examples(_examples(job.config, "train"), folder / TRAIN_ROWS, plan.train, scratch)
    if job.config.eval is not None and plan.eval is not None and not exists(folder / EVAL_ROWS):
        write_examples(_examples(job.config, "eval"), folder / EVAL_ROWS, plan.eval, scratch)
    make_folder(folder / SHARDS)
    progress.enter(f"encoding {plan.train.rows:,} rows")
    with open_parquet(str(folder / TRAIN_ROWS)) as file:
        wanted = [shard_path(folder, number) for number in range(file.num_row_groups)]
    there = names_in(folder / SHARDS)
    missing = [number for number, path in enumerate(wanted) if path.name not in there]
    if missing:
        blocks = [pa.table({"shard": [number]}) for number in missing]
        encoded = ray.data.from_arrow(blocks).map_batches(
            encode_shards,  # type: ignore[arg-type]  # Ray's UDF type knows no generators of Arrow tables
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"job": job},
            num_cpus=READ_CPUS,
        )
        try:
            encoded.materialize()
        except Exception as error:
            raise error_from_worker(error) or error from None
    with ThreadPoolExecutor(READ_AT_ONCE) as threads:
        counts = sum(threads.map(shard_counts, wanted), start=LabelCounts())
    check_usable(counts, job.config.max_dropped)
    return counts


def _examples(config: FinetuneConfig, setting: Setting) -> Examples:
    sources = config.train if setting == "train" else (config.eval,) if config.eval is not None else ()
    return Examples(sources=sources, setting=setting, columns=config.columns, max_dropped=config.max_dropped)
