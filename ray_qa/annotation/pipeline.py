"""The two stages on Ray Data: which resources each takes, how units flow through them, and what ends a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ray_qa.annotation.reading_tasks import blocks_to_read
from ray_qa.annotation.stages import AnnotateJob, Annotator, encode_units, summary_from_row
from ray_qa.annotation.summary import UnitSummary
from ray_qa.cluster.placement import READ_CPUS, Placement
from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.data.row_groups import Source
from ray_qa.data.units import Unit

if TYPE_CHECKING:
    from ray.data import Dataset

STALL_SECONDS = 4 * 3600
"""Ray's guard against a run that stands still; above what a big model on a slow CPU takes for a unit."""
ONE_UNIT_A_BLOCK: dict[str, Any] = {
    # Any block is above one byte: every unit leaves its encoding task as a block of its own, and at once.
    "target_max_block_size": 1,
    # Work begins with the first replica that is up.
    "wait_for_min_actors_s": -1,
    "execution_no_progress_timeout_s": STALL_SECONDS,
}
"""What Ray Data is set to during a run."""


def score_units(
    job: AnnotateJob, units: Sequence[Unit], sources: Sequence[Source], placement: Placement
) -> Iterator[UnitSummary]:
    """Run the stages on Ray and yield the summary of every unit as its part is published."""
    if not units:
        return
    import ray.data

    # Blocks that lie ready, as ray.data.range would want a whole CPU for tasks that make the numbers.
    dataset = ray.data.from_arrow(blocks_to_read(units, sources))
    rows = stages(dataset, job, placement, units=len(units)).iter_rows()
    failure: Exception | None = None
    try:
        for row in rows:
            yield summary_from_row(row)
    except Exception as error:
        failure = error_from_worker(error) or error
    # Raised from here, it refers to nothing of the run's, which would keep the replicas alive as long as it is.
    del rows
    if failure is not None:
        raise failure


def stages(dataset: Dataset, job: AnnotateJob, placement: Placement, *, units: int) -> Dataset:
    """The two stages over a dataset of ``units`` to read: encode on CPU tasks, score on the replicas.

    Ray Data fuses stages that ask for the same resources, which would end their overlap: theirs always differ.
    """
    from ray.data import ActorPoolStrategy

    encoded = dataset.map_batches(
        encode_units,  # type: ignore[arg-type]  # Ray's UDF type knows no generators of Arrow tables
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"job": job},
        num_cpus=READ_CPUS,
    )
    return encoded.map_batches(
        Annotator,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_kwargs={"job": job},
        compute=ActorPoolStrategy(
            # More would have nothing to do.
            min_size=min(placement.fewest, units),
            max_size=min(placement.most, units),
            # Two in flight hide the hand-over, and let the pool see load above 1.75, where it grows.
            max_tasks_in_flight_per_actor=2,
        ),
        num_cpus=placement.reserved_cpus,
        num_gpus=placement.gpus or None,
    )
