"""The training loop: every worker runs it, and so does a single process without Ray."""

from __future__ import annotations

import itertools
import math
import shutil
import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ray_qa.cluster.worker import NodeWatch
from ray_qa.data.examples import row_ids
from ray_qa.errors import ConfigError, InputError, ModelError, StorageError
from ray_qa.finetuning.base_model import load_base, parameter_groups
from ray_qa.finetuning.checkpoints import Evaluation, ProcessGroupShape, TrainingState, checkpoint_steps, read_state
from ray_qa.finetuning.dataset import TrainingSet, open_training_set
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.lr_schedule import learning_rate_factor, warmup_steps
from ray_qa.finetuning.output import BEAT, EVAL_ROWS, TRAIN_ROWS, check_output_is_here, shards_here
from ray_qa.finetuning.process_group import ProcessGroup
from ray_qa.finetuning.sampler import NextStep, steps_from, steps_of_epochs
from ray_qa.finetuning.step import FlatGradients, ModelWithOptimizer, StepResult, take_step
from ray_qa.finetuning.step_plan import share
from ray_qa.finetuning.throughput import ThroughputMeter
from ray_qa.finetuning.tracking.beat import BeatWriter
from ray_qa.finetuning.tracking.metrics_log import METRICS, Metrics, append_metrics, go_back_to
from ray_qa.finetuning.validation import Validator
from ray_qa.finetuning.weights import export_model, load_checkpoint, save_checkpoint
from ray_qa.reader.arrays import Ints
from ray_qa.reader.batching import batch_by_length
from ray_qa.reader.model_files import model_here
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.span_model import pick_device, pick_dtype
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.runs.ownership import check_claim
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import Place, Remote
from ray_qa.storage.scratch import scratch_folder

SAVE_SECONDS = 600.0
"""A checkpoint is made after so long without one, however few steps that are."""
MOST_NAMED = 20
"""Rows with a loss that is not finite are named up to so many."""


class NodeLeavesError(Exception):
    """A worker's node is to be taken away; the step that all have stopped after has a checkpoint."""


def train(job: TrainingJob, group: ProcessGroup | None = None) -> TrainingState:
    """Train to the end, from the latest checkpoint if there is one, and export the model; all files lie in the output.

    What is learnt is a function of the settings, the data and the number of workers: on the same kind of machine a run
    that was interrupted ends with the same weights, on CPUs to the bit.

    Raises:
        InputError: after more than ``max_bad_steps`` steps whose loss was not finite.
        ConfigError: if a pass does not fit the device's memory.
        NodeLeavesError: on all workers, if the node of one is to be taken away before the end.
    """
    group = group or ProcessGroup.current()
    use_access(job.config.access)
    job = replace(job, base=model_here(job.base))
    check_output_is_here(job.config.folder)
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    run = _Run.begin(job, group)
    if not run.steps:
        raise InputError("`train` must give windows to train on, but no window holds an answer; raise `negative_ratio`")
    state = run.resume()
    for step in steps_from(state.step, run.steps_of_epochs, run.data, job.config):
        try:
            state = run.step(state, step)
        except torch.OutOfMemoryError as error:
            raise ConfigError(
                f"`batch_tokens` must let a pass fit the device's memory, but {run.batch_tokens} did not; "
                f"try {run.batch_tokens // 2}, or --gradient-checkpointing"
            ) from error
        state = run.log_and_save(state, ends_epoch=step.ends_epoch)
        if run.to_stop and state.step < run.steps:
            raise NodeLeavesError
    run.export(state)
    return state


@dataclass(slots=True, kw_only=True)
class _Run:
    """One worker's side of a run: what does not change, and the clocks of log, beat and checkpoints."""

    job: TrainingJob
    group: ProcessGroup
    folder: Place
    scratch: Path
    tokenizer: PairTokenizer
    data: TrainingSet
    model: ModelWithOptimizer
    validator: Validator | None
    steps_of_epochs: list[int]
    batch_tokens: int
    beat: BeatWriter
    meter: ThroughputMeter = field(default_factory=ThroughputMeter)
    saved_at: float = field(default_factory=time.monotonic)
    node: NodeWatch = field(default_factory=NodeWatch)
    to_stop: bool = False
    """Whether the node of a worker is to be taken away, as all know since the latest step."""

    @classmethod
    def begin(cls, job: TrainingJob, group: ProcessGroup) -> _Run:
        config, folder = job.config, job.config.folder
        scratch = scratch_folder(config.scratch, str(folder)) if isinstance(folder, Remote) else folder
        tokenizer = load_pair_tokenizer(job.base.folder)
        data = open_training_set(shards_here(folder, scratch), config, tokenizer.template.special_tokens)
        model = _model_with_optimizer(job, group)
        validator = None
        if config.eval is not None:
            validator = Validator.open(folder / EVAL_ROWS, tokenizer, config, group)
        return cls(
            job=job,
            group=group,
            folder=folder,
            scratch=scratch,
            tokenizer=tokenizer,
            data=data,
            model=model,
            validator=validator,
            steps_of_epochs=list(steps_of_epochs(data, config)),
            batch_tokens=job.arithmetic.batch_tokens,
            beat=BeatWriter(place=folder / BEAT),
        )

    @property
    def steps(self) -> int:
        return sum(self.steps_of_epochs)

    def resume(self) -> TrainingState:
        """Load the latest checkpoint, which all workers must agree on."""
        step = self.group.broadcast_object(max(checkpoint_steps(self.folder), default=0))
        state = TrainingState()
        if step:
            state = read_state(self.folder, step)
            load_checkpoint(self.folder, state, self.model, self.scratch)
        if self.group.is_main:
            go_back_to(self.folder / METRICS, step)
            self.beat.clear()
        if step < self.steps:
            self._show({"step": step, "steps": self.steps}, "taking the first step")
        self.model.module.train()
        self.meter = ThroughputMeter()
        return state.carried_on_by(self._shape())

    def _shape(self) -> ProcessGroupShape:
        """What this group is, as far as it decides how sums are rounded."""
        return ProcessGroupShape(
            workers=self.group.workers,
            device=self.model.device.type,
            dtype=str(self.model.dtype).removeprefix("torch."),
            threads=torch.get_num_threads() if self.model.device.type == "cpu" else 0,
        )

    def step(self, state: TrainingState, step: NextStep) -> TrainingState:
        """Take one step."""
        config = self.job.config
        # Dropout follows from seed, step and worker, so a resumed run draws what the first would have drawn.
        torch.manual_seed(int(np.random.SeedSequence([config.seed, state.step, self.group.rank]).generate_state(1)[0]))
        window_W = step.windows
        own_W = share(window_W, rank=self.group.rank, workers=self.group.workers)
        passes = [own_W[part] for part in batch_by_length(self.data.windows.tokens[own_W], self.batch_tokens)]
        factor = learning_rate_factor(
            state.step,
            steps=self.steps,
            warmup_steps=warmup_steps(config.warmup, self.steps),
            schedule=config.schedule,
        )
        result = take_step(
            self.model,
            (self.data.batch(window_B, step.epoch.labels, self.tokenizer.template) for window_B in passes),
            windows=len(window_W),
            learning_rate=config.learning_rate * factor,
            max_grad_norm=config.max_grad_norm,
            group=self.group,
            stop=self.node.look(),
        )
        self.to_stop = result.to_stop
        self.meter.count(windows=len(window_W), tokens=int(self.data.windows.tokens[window_W].sum()))
        return self._counted(state, result, len(window_W), np.concatenate(passes) if passes else own_W)

    def _counted(self, state: TrainingState, result: StepResult, windows: int, own_W: Ints) -> TrainingState:
        """The state after a step; raises where too many were bad."""
        finite = math.isfinite(result.loss)
        # With float16 a gradient that overflows is the loss scaler's to mend, as long as there is something to scale.
        mended = finite and self.model.scaler.is_enabled() and self.model.scaler.get_scale() >= 1
        bad = not result.applied and not mended
        after = replace(
            state,
            step=state.step + 1,
            loss_sum=state.loss_sum + (result.loss * windows if finite else 0.0),
            gradient_norm=result.gradient_norm if result.applied else state.gradient_norm,
            logged_windows=state.logged_windows + (windows if finite else 0),
            scaler=self.model.scaler.state_dict(),
        )
        if not bad:
            return after
        own = [int(self.data.row_R[self.data.windows.row[own_W[place]]]) for place in result.not_finite]
        rows = sorted(itertools.chain.from_iterable(self.group.all_gather(own)))
        after = replace(
            after, bad_steps=state.bad_steps + 1, bad_rows=tuple(dict.fromkeys([*state.bad_rows, *rows]))[:MOST_NAMED]
        )
        if after.bad_steps > self.job.config.max_bad_steps:
            ids = row_ids(self.folder / TRAIN_ROWS, after.bad_rows)
            raise InputError(
                f"`train` must give finite losses, but {after.bad_steps} of {after.step} steps did not (rows "
                f"{', '.join(ids) or 'unknown: only the gradient was not finite'}); look at these rows, or lower "
                "--learning-rate"
            )
        return after

    def log_and_save(self, state: TrainingState, *, ends_epoch: bool) -> TrainingState:
        """Write a line of the log, evaluate, and make a checkpoint, where they are due; let all of it be seen."""
        config = self.job.config
        at_end = state.step == self.steps
        line = self._line(state)
        if state.step % config.log_every == 0 or state.step == 1 or at_end:
            self._write(line)
            self.meter = ThroughputMeter()
            state = replace(state, loss_sum=0.0, logged_windows=0)
        due = state.step % config.eval_every == 0 if config.eval_every else ends_epoch
        evaluates = self.validator is not None and (due or at_end)
        with self.meter.paused():
            if evaluates:
                self._show(line, "evaluating")
                state = self._evaluate(state)
            now = evaluates or at_end or self.to_stop or time.monotonic() - self.saved_at > SAVE_SECONDS
            if self.group.is_main and (now or state.step % config.save_every == 0):
                self._show(line, "saving a checkpoint")
                check_claim(self.folder, self.job.owner)
                save_checkpoint(self.folder, state, self.model, keep=config.keep_checkpoints, scratch=self.scratch)
                self.saved_at = time.monotonic()
            self._show(line)
        return state

    def _line(self, state: TrainingState) -> Metrics:
        """What the log has to tell of the steps since its last line."""
        return {
            "step": state.step,
            "steps": self.steps,
            "epoch": self._epoch_of(state.step),
            "loss": state.loss_sum / max(1, state.logged_windows),
            "learning_rate": self.model.optimizer.param_groups[0]["lr"],
            "gradient_norm": state.gradient_norm,
            **self.meter.rates(),
            "bad_steps": state.bad_steps,
            **({"loss_scale": self.model.scaler.get_scale()} if self.model.scaler.is_enabled() else {}),
            "time": time.time(),
        }

    def _epoch_of(self, step: int) -> int:
        """The epoch that a step belongs to, both counted from 1."""
        return bisect_left(list(itertools.accumulate(self.steps_of_epochs)), step) + 1

    def _evaluate(self, state: TrainingState) -> TrainingState:
        assert self.validator is not None
        started = time.perf_counter()
        scores = self.validator.score(self.model, self.batch_tokens)
        seconds = time.perf_counter() - started
        figures: dict[str, float] = {"eval_exact": scores.exact, "eval_f1": scores.f1}
        if scores.has_answer_f1 is not None and scores.no_answer_f1 is not None:
            figures |= {"eval_has_answer_f1": scores.has_answer_f1, "eval_no_answer_f1": scores.no_answer_f1}
        figures["eval_seconds"] = seconds
        self._write({"step": state.step, **figures, "time": time.time()})
        evaluation = Evaluation(step=state.step, exact=scores.exact, f1=scores.f1)
        return replace(state, evaluations=(*state.evaluations, evaluation))

    def _write(self, line: Metrics) -> None:
        if self.group.is_main:
            check_claim(self.folder, self.job.owner)
            append_metrics(self.folder / METRICS, line)

    def _show(self, line: Metrics, doing: str = "") -> None:
        """Let the driver see how far the run is and what it is doing."""
        if self.group.is_main and self.beat.is_due(doing):
            with suppress(StorageError):  # a run needs no beat
                check_claim(self.folder, self.job.owner)
            self.beat.write(line, doing)

    def export(self, state: TrainingState) -> None:
        """Lay the best checkpoint, or without evaluation the last, out as an ordinary model folder."""
        if self.group.is_main:
            check_claim(self.folder, self.job.owner)
            step = state.best.step if state.best else state.step
            export_model(self.folder, step, self.model.module, self.job.base, self.scratch)
        self.group.barrier()
        if isinstance(self.folder, Remote):  # what is mapped stays until the process ends
            shutil.rmtree(self.scratch, ignore_errors=True)


def _model_with_optimizer(job: TrainingJob, group: ProcessGroup) -> ModelWithOptimizer:
    if job.arithmetic.device == "cuda" and not torch.cuda.is_available():
        raise ModelError("`gpus_per_worker` must be 0 where torch finds no CUDA, but is 1; install torch for CUDA")
    device = pick_device(job.arithmetic.device)
    dtype = pick_dtype(job.arithmetic.dtype, device)
    module = load_base(job.base, job.config).to(device)
    for parameter in module.parameters():
        group.broadcast(parameter.data)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    scaler.scale(torch.zeros((), device=device))  # makes its tensors, which a worker without a window would lack
    return ModelWithOptimizer(
        module=module,
        gradients=FlatGradients(each for each in module.parameters() if each.requires_grad),
        optimizer=torch.optim.AdamW(parameter_groups(module, job.config.weight_decay), lr=job.config.learning_rate),
        scaler=scaler,
        device=device,
        dtype=dtype,
    )
