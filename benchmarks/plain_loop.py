"""What finetune costs and gives against a plain PyTorch loop on the same batches.

``python -m benchmarks.plain_loop``. The plain loop is one process with all cores: transformers' model and loss,
torch's AdamW, gradient clipping and schedule, each batch padded to its longest window. ``finetune`` has two workers
that share the cores. Both take the same windows in the same steps, without dropout, so they should learn the same; both
are judged by the same reader on the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as pq
import ray
import torch
import transformers
from torch.nn.utils import clip_grad_norm_

from benchmarks.comparison.machine import this_machine
from ray_qa import FinetuneConfig, Reader, ReadingSettings, finetune
from ray_qa.data.examples import Examples, read_examples
from ray_qa.finetuning.dataset import LabelledBatch, open_training_set, write_shard
from ray_qa.finetuning.labelling import label_examples
from ray_qa.finetuning.step_plan import plan_epoch
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.metrics.squad import score_predictions
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer

SHARED = Path(__file__).parents[2] / "shared"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How fast a model was trained, and how good it is."""

    windows_per_second: float
    seconds: float
    """Of the steps alone, without start-up and judging."""
    exact: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both, and what they were measured on; finetune in bfloat16 too, where the CPU computes in it natively."""

    steps: int
    batch_size: int
    judged_rows: int
    plain: Trained
    finetune: Trained
    finetune_bfloat16: Trained | None
    machine: str
    versions: dict[str, str]

    @property
    def speed_ratio(self) -> float:
        """Windows per second of finetune for one of the plain loop."""
        return self.finetune.windows_per_second / self.plain.windows_per_second

    @property
    def f1_difference(self) -> float:
        """F1 of finetune less that of the plain loop."""
        return self.finetune.f1 - self.plain.f1


def main() -> None:
    """Train both ways, print a table, write ``benchmarks/results/plain_loop.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(SHARED / "models" / "minilm-base"), help="the encoder to begin with")
    parser.add_argument("--train", default=str(SHARED / "data" / "squad_reference_train.parquet"))
    parser.add_argument("--judge", default=str(SHARED / "data" / "squad_v1_dev_a.parquet"))
    parser.add_argument("--judged-rows", type=int, default=2_000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--bfloat16", action="store_true", help="finetune in bfloat16 although the CPU emulates it")
    options = parser.parse_args()
    if not Path(options.train).exists():
        sys.exit(f"--train must be a file, but {options.train} is none; name one of yours")
    with tempfile.TemporaryDirectory() as folder:
        config = FinetuneConfig(
            model=options.model, train=(options.train,), output=f"{folder}/ours", workers=2, epochs=100,
            max_steps=options.steps, batch_size=options.batch_size, max_tokens=320, stride=96, learning_rate=1.2e-4,
            dropout=0.0, freeze="embeddings", dtype="float32",
        )  # fmt: skip
        with_bfloat16 = options.bfloat16 or this_machine().has_bfloat16
        compared = compare(config, options.judge, options.judged_rows, with_bfloat16=with_bfloat16)
    RESULTS.mkdir(exist_ok=True)
    ratios = {name: getattr(compared, name) for name in ("speed_ratio", "f1_difference")}
    (RESULTS / "plain_loop.json").write_text(json.dumps(asdict(compared) | ratios, indent=1) + "\n")
    print(describe(compared))


def compare(config: FinetuneConfig, judge: str, judged_rows: int, *, with_bfloat16: bool) -> Comparison:
    """Train both ways, one after the other."""
    folder = Path(config.output).parent
    lower = config.model_copy(update={"dtype": "bfloat16", "output": f"{folder}/bfloat16"})
    return Comparison(
        steps=config.max_steps or 0,
        batch_size=config.batch_size,
        judged_rows=judged_rows,
        plain=train_plainly(config, folder / "plain", judge, judged_rows),
        finetune=train_with_finetune(config, judge, judged_rows),
        finetune_bfloat16=train_with_finetune(lower, judge, judged_rows) if with_bfloat16 else None,
        machine=f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        versions={"ray": ray.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
    )


def train_plainly(config: FinetuneConfig, folder: Path, judge: str, judged_rows: int) -> Trained:
    """The loop that anyone would write, on one process with all cores."""
    steps = config.max_steps or 0
    batches = list(_batches(config, folder))
    model = _plain_model(config)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [each for each in trained if each.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [each for each in trained if each.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
    )
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, round(config.warmup * steps), steps)
    windows = 0
    started = time.perf_counter()
    for labelled in batches:
        batch = labelled.batch
        types = batch.token_type_ids_WT
        output = model(
            input_ids=torch.from_numpy(batch.input_ids_WT),
            attention_mask=torch.from_numpy(batch.attention_mask_WT),
            token_type_ids=None if types is None else torch.from_numpy(types),
            start_positions=torch.from_numpy(labelled.start_positions_B),
            end_positions=torch.from_numpy(labelled.end_positions_B),
        )
        output.loss.backward()
        clip_grad_norm_(trained, config.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        windows += len(labelled.start_positions_B)
    seconds = time.perf_counter() - started
    model.save_pretrained(folder / "model")
    transformers.AutoTokenizer.from_pretrained(config.model).save_pretrained(folder / "model")
    return _judged(folder / "model", windows / seconds, seconds, judge, judged_rows)


def train_with_finetune(config: FinetuneConfig, judge: str, judged_rows: int) -> Trained:
    """A whole run of finetune on a private cluster; its own log says how fast it was."""
    finetune(config)
    lines = read_metrics(Path(config.output) / METRICS)
    before = [0.0, *(line["step"] for line in lines)]
    seconds = [line["step_seconds"] * (line["step"] - last) for line, last in zip(lines, before, strict=False)]
    windows = sum(line["windows_per_second"] * of_line for line, of_line in zip(lines, seconds, strict=True))
    return _judged(Path(config.output), windows / sum(seconds), sum(seconds), judge, judged_rows)


def _batches(config: FinetuneConfig, folder: Path) -> Iterator[LabelledBatch]:
    """The windows that finetune's steps take, put together beforehand."""
    tokenizer = load_pair_tokenizer(Path(config.model))
    folder.mkdir()
    first_row, paths = 0, []
    for examples in read_examples(Examples(sources=config.train, setting="train")):
        paths.append(folder / f"{first_row:07d}.arrow")
        labelled = label_examples(examples, first_row, tokenizer, config.max_question_tokens)
        write_shard(paths[-1], labelled.rows, labelled.counts)
        first_row += examples.num_rows
    data = open_training_set(paths, config, tokenizer.template.special_tokens)
    left = config.max_steps or 0
    for epoch in range(config.epochs):
        labels = data.label(seed=config.seed, epoch=epoch)
        steps = plan_epoch(
            data.windows.tokens, labels.first_W >= 0, batch_size=config.batch_size, seed=config.seed, epoch=epoch
        )
        yield from (data.batch(window_W, labels, tokenizer.template) for window_W in steps[:left])
        left -= len(steps[:left])
        if not left:
            return


def _plain_model(config: FinetuneConfig) -> transformers.PreTrainedModel:
    torch.manual_seed(config.seed)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(
        config.model, dtype=torch.float32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model.base_model.embeddings.requires_grad_(False)
    return model.train()


def _judged(model: Path, windows_per_second: float, seconds: float, judge: str, judged_rows: int) -> Trained:
    rows = pq.read_table(judge).slice(0, judged_rows)
    reader = Reader.load(str(model), settings=ReadingSettings(always_answer=True), dtype="float32")
    answers = reader.read(rows.select(["question", "context"]).to_pylist())
    ids = [str(row_id) for row_id in rows["id"].to_pylist()]
    golds = dict(zip(ids, (tuple(each["text"]) for each in rows["answers"].to_pylist()), strict=True))
    predictions = {row_id: answer.answer or "" for row_id, answer in zip(ids, answers, strict=True)}
    scores = score_predictions(golds, predictions)
    return Trained(windows_per_second=windows_per_second, seconds=seconds, exact=scores.exact, f1=scores.f1)


def describe(compared: Comparison) -> str:
    """The table that is printed."""
    lines = [
        f"{compared.steps:,} steps of {compared.batch_size} windows, judged on {compared.judged_rows:,} rows; "
        f"{compared.machine}",
        f"{'':<24}{'windows/s':>12}{'exact':>10}{'F1':>10}",
    ]
    named = {"plain loop": compared.plain, "finetune --workers 2": compared.finetune}
    if compared.finetune_bfloat16 is not None:
        named["… --dtype bfloat16"] = compared.finetune_bfloat16
    for name, trained in named.items():
        lines.append(f"{name:<24}{trained.windows_per_second:>12.2f}{trained.exact:>10.2f}{trained.f1:>10.2f}")
    return "\n".join([*lines, f"speed {compared.speed_ratio:.3f} of the plain loop; F1 {compared.f1_difference:+.2f}"])


if __name__ == "__main__":
    main()
