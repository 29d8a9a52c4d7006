"""The passes of a run over its training windows: how many steps each has, and what is learnt in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.dataset import TrainingSet
from ray_qa.finetuning.step_plan import plan_epoch
from ray_qa.reader.arrays import Ints
from ray_qa.reader.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One pass over the training windows: what each is labelled with, and the windows of each step."""

    labels: Labels
    steps: list[Ints]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A step of a run: the epoch it belongs to, and its number there, from 0."""

    epoch: Epoch
    nth: int

    @property
    def windows(self) -> Ints:
        """The windows of the step, shape (W,)."""
        return self.epoch.steps[self.nth]

    @property
    def ends_epoch(self) -> bool:
        """Whether it is the last of its epoch."""
        return self.nth + 1 == len(self.epoch.steps)


def steps_of_epochs(data: TrainingSet, config: FinetuneConfig) -> Iterator[int]:
    """Steps of each epoch, until there are ``max_steps``."""
    left = config.max_steps
    for number in range(config.epochs):
        count = len(_epoch(data, config, number).steps)
        yield count if left is None else min(count, left)
        if left is not None:
            left -= min(count, left)
            if not left:
                return


def steps_from(step: int, steps_of_epochs: list[int], data: TrainingSet, config: FinetuneConfig) -> Iterator[NextStep]:
    """The steps that are left of a run after ``step`` of them."""
    before = 0
    for number, count in enumerate(steps_of_epochs):
        if step < before + count:
            epoch = _epoch(data, config, number)
            yield from (NextStep(epoch=epoch, nth=nth) for nth in range(max(0, step - before), count))
        before += count


def _epoch(data: TrainingSet, config: FinetuneConfig, number: int) -> Epoch:
    labels = data.label(seed=config.seed, epoch=number)
    steps = plan_epoch(
        data.windows.tokens,
        labels.first_W >= 0,
        batch_size=config.batch_size,
        seed=config.seed,
        epoch=number,
        negative_ratio=config.negative_ratio,
    )
    return Epoch(labels=labels, steps=steps)
