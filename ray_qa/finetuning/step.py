"""One optimizer step: passes over a worker's windows, gradients summed over all workers, and the update.

Shapes: B windows of a pass, T tokens of its longest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from ray_qa.finetuning.dataset import LabelledBatch
from ray_qa.finetuning.process_group import ProcessGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step did, alike on all workers but for ``not_finite``."""

    loss: float
    """Mean over the windows of the step."""
    gradient_norm: float
    """Before clipping."""
    applied: bool
    """Whether the weights were updated; not where loss or gradient were not finite."""
    to_stop: bool
    """Whether a worker asks all to stop after this step."""
    not_finite: tuple[int, ...]
    """Windows of this worker whose loss was not finite, as their places in its passes, one pass after the other."""


class FlatGradients:
    """The gradients of all trained parameters as one tensor, with two last entries: loss, workers that ask to stop.

    Summing one flat tensor over the workers adds in the same order every time, so that a resumed run is equal to the
    bit; summing bucket by bucket, as DistributedDataParallel does, is not from three workers on.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        trained = list(parameters)
        device = trained[0].device
        self._flat = torch.zeros(sum(each.numel() for each in trained) + 2, device=device)
        at = 0
        for each in trained:
            each.grad = self._flat[at : at + each.numel()].view_as(each)
            at += each.numel()

    def clear(self) -> None:
        """Set everything to zero."""
        self._flat.zero_()

    def add_loss(self, loss: torch.Tensor) -> None:
        """Add to the loss of the step."""
        self._flat[-2] += loss.detach()

    def ask_to_stop(self) -> None:
        """Ask all workers to stop after the step; they come to know of it with the gradients, at no cost."""
        self._flat[-1] += 1

    def all_reduce(self, group: ProcessGroup) -> None:
        """Sum everything over all workers."""
        group.all_reduce(self._flat)

    @property
    def loss(self) -> float:
        """The loss of the step."""
        return float(self._flat[-2])

    @property
    def to_stop(self) -> bool:
        """Whether a worker has asked to stop."""
        return bool(self._flat[-1])

    def norm(self) -> torch.Tensor:
        """The 2-norm of all gradients."""
        norm: torch.Tensor = self._flat[:-2].norm()
        return norm

    def scale(self, factor: torch.Tensor) -> None:
        """Multiply all gradients."""
        self._flat[:-2] *= factor


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWithOptimizer:
    """A model in training, on its device, with all that belongs to it."""

    module: torch.nn.Module
    gradients: FlatGradients
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    device: torch.device
    dtype: torch.dtype
    """Of the passes; the weights are float32."""

    def autocast(self) -> torch.autocast:
        """In which passes are computed in ``dtype``."""
        mixed = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if mixed else None, enabled=mixed)


def take_step(
    model: ModelWithOptimizer,
    passes: Iterable[LabelledBatch],
    *,
    windows: int,
    learning_rate: float,
    max_grad_norm: float,
    group: ProcessGroup,
    stop: bool = False,
) -> StepResult:
    """Run a worker's passes, and update the weights as all workers' windows together ask for.

    The loss is that of Devlin et al. 2019: the mean of the cross-entropies of start and end over all tokens of a
    window, padding left out, averaged over the ``windows`` of the step on all workers.
    With ``stop`` this worker asks all to stop after the step.
    """
    for parameters in model.optimizer.param_groups:
        parameters["lr"] = learning_rate
    model.gradients.clear()
    not_finite: list[int] = []
    seen = 0
    for labelled in passes:
        loss_B = _forward(model, labelled)
        not_finite += [seen + place for place in (~loss_B.isfinite()).nonzero().flatten().tolist()]
        seen += len(loss_B)
        loss = loss_B.sum() / windows
        torch.autograd.backward(model.scaler.scale(loss))
        model.gradients.add_loss(loss)
    if stop:
        model.gradients.ask_to_stop()
    model.gradients.all_reduce(group)
    model.scaler.unscale_(model.optimizer)
    norm = model.gradients.norm()
    if max_grad_norm:
        model.gradients.scale((max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
    loss_of_all, norm_of_all = model.gradients.loss, float(norm)
    applied = math.isfinite(loss_of_all) and math.isfinite(norm_of_all)
    if applied:
        model.scaler.step(model.optimizer)
    model.scaler.update()
    return StepResult(
        loss=loss_of_all,
        gradient_norm=norm_of_all,
        applied=applied,
        to_stop=model.gradients.to_stop,
        not_finite=tuple(not_finite),
    )


def _forward(model: ModelWithOptimizer, labelled: LabelledBatch) -> torch.Tensor:
    """The loss of each window of a pass, shape (B,)."""
    batch = labelled.batch
    inputs = {
        "input_ids": batch.input_ids_WT,
        "attention_mask": batch.attention_mask_WT,
        "token_type_ids": batch.token_type_ids_WT,
    }
    tensors = {name: torch.from_numpy(array).to(model.device) for name, array in inputs.items() if array is not None}
    with model.autocast():
        output = model.module(**tensors)
    padding_BT = tensors["attention_mask"] == 0
    loss_B = torch.zeros(len(padding_BT), device=model.device)
    for logits_BT, positions_B in (
        (output.start_logits, labelled.start_positions_B),
        (output.end_logits, labelled.end_positions_B),
    ):
        targets_B = torch.from_numpy(positions_B).to(model.device)
        real_BT = logits_BT.float().masked_fill(padding_BT, -torch.inf)
        loss_B = loss_B + cross_entropy(real_BT, targets_B, reduction="none") / 2
    return loss_B
