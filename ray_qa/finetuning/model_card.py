"""The model card: what a reader was made of and how good it is, for people, with the metadata that the hub reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ray_qa.data.data_sets import is_data_set
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.learning_curve import draw_learning_curve
from ray_qa.finetuning.output import CARD, CURVE, TrainingPlan
from ray_qa.finetuning.summary import FinetuneSummary
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.reader.model_files import ModelFiles
from ray_qa.runs.cards import OF_CALIBRATION, card_section, filled_in, one_line
from ray_qa.runs.versions import package_versions
from ray_qa.settings import ReadingSettings, WindowSettings
from ray_qa.storage.places import publish

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

UNSET = {
    "max_steps": "no limit",
    "dropout": "as in the base",
    "negative_ratio": "all windows",
    "eval_every": "after every epoch",
}
"""What it means that such a setting was not given."""
ONLY_JUDGING = ("eval_every", "max_answer_tokens")
SAID_OF_BASE = {
    "license": re.compile(r"(?!other$|unknown$)[a-z0-9][a-z0-9.+-]*"),
    "language": re.compile(r"[a-z]{2,3}(-\w+)*|multilingual|code"),
}
"""What a base's card may say that holds for its offspring too, and how the hub writes it."""


def write_card_and_curve(
    job: TrainingJob, plan: TrainingPlan, summary: FinetuneSummary, metrics: Sequence[Metrics]
) -> None:
    """Write ``README.md`` and ``learning_curve.png`` beside the model."""
    folder = job.config.folder
    title = one_line(f"{_base_name(job)}, trained on {', '.join(map(_source_name, job.config.train))}")
    publish(folder / CURVE, draw_learning_curve(metrics, summary.exported_step, title))
    publish(folder / CARD, model_card(job, plan, summary, metrics).encode())


def model_card(job: TrainingJob, plan: TrainingPlan, summary: FinetuneSummary, metrics: Sequence[Metrics]) -> str:
    """The model card, with the front matter that the hub reads.

    Args:
        job: what the workers were told, with all that ``auto`` stood for.
        plan: what was learnt from what.
        summary: what came of it.
        metrics: the lines of the metrics log.
    """
    config = job.config
    metadata = card_metadata(job, summary)
    evaluations = [line for line in metrics if "eval_f1" in line]
    return filled_in(
        "model_card.md.jinja",
        metadata=metadata.to_yaml(),
        base=_base_name(job),
        revision=job.base.ref.partition("@")[2] if _hub_id(job.base) else None,
        license=metadata.license,
        train=", ".join(map(_source_name, config.train)),
        eval=_source_name(config.eval) if config.eval else None,
        settings=_settings(job, plan, summary),
        windows=_windows(job),
        plan=plan,
        summary=summary,
        labels={each.name: getattr(summary.labels, each.name) for each in fields(summary.labels)},
        evaluations=evaluations,
        both_kinds=bool(evaluations) and all("eval_no_answer_f1" in line for line in evaluations),
        last_loss=next((line["loss"] for line in reversed(metrics) if "loss" in line), None),
        calibration=card_section(OF_CALIBRATION, ""),
        versions=package_versions(),
    )


def card_metadata(job: TrainingJob, summary: FinetuneSummary) -> ModelCardData:
    """What the hub is to know of the model; nothing that is only likely.

    Base and data sets are named where they are the hub's, license and language where the base's own card has them.
    """
    from huggingface_hub import ModelCardData

    data_sets = [source.partition(":")[0] for source in job.config.train if is_data_set(source)]
    results = _eval_results(job, summary)
    of_base = _said_of_base(job.base.folder / CARD)
    return ModelCardData(
        base_model=_hub_id(job.base),
        datasets=list(dict.fromkeys(filter(_is_repo_id, data_sets))) or None,
        library_name="transformers",
        pipeline_tag="question-answering",
        tags=["ray_qa"],
        metrics=[each.metric_type for each in results] or None,
        model_name=_slug(Path(summary.output).name) if results else None,
        eval_results=results or None,
        license=of_base.get("license"),
        language=of_base.get("language"),
    )


def _eval_results(job: TrainingJob, summary: FinetuneSummary) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    source = job.config.eval
    if source is None or summary.exact is None or summary.f1 is None:
        return []
    name, _, split = source.partition(":")
    on_hub = is_data_set(source) and _is_repo_id(name)
    scores = {"exact_match": ("exact match", summary.exact), "f1": ("F1", summary.f1)}
    return [
        EvalResult(
            task_type="question-answering",
            task_name="Extractive question answering",
            dataset_type=name if on_hub else "unknown",  # the hub wants a type, and knows only data sets of its own
            dataset_name=name if on_hub else _slug(_source_name(source)),
            dataset_split=(split or "train") if on_hub else None,
            metric_type=kind,
            metric_name=called,
            metric_value=round(score, 2),
        )
        for kind, (called, score) in scores.items()
    ]


def _said_of_base(card: Path) -> dict[str, str]:
    """License and language as the base's card has them, where each is one that the hub knows."""
    from huggingface_hub.repocard import metadata_load

    try:
        metadata = metadata_load(card) or {}
    except Exception:  # whatever lies there, the card of the new model is still to be written
        return {}
    said = {}
    for name, known in SAID_OF_BASE.items():
        value = metadata.get(name)
        (value,) = value if isinstance(value, list) and len(value) == 1 else (value,)
        if isinstance(value, str) and known.fullmatch(value):
            said[name] = value
    return said


def _settings(job: TrainingJob, plan: TrainingPlan, summary: FinetuneSummary) -> dict[str, str]:
    """What decided the result, as it really was, in words."""
    settings = {
        "steps": f"{summary.steps:,}",
        "workers": ", then ".join(map(str, summary.teams)),
        **plan.settings,
        "batch_tokens": job.arithmetic.batch_tokens,
        "gradient_checkpointing": job.config.gradient_checkpointing,
    }
    hidden = () if job.config.eval else ONLY_JUDGING
    return {name: _in_words(name, value) for name, value in settings.items() if name not in hidden}


def _windows(job: TrainingJob) -> str:
    """The flags that let annotate cut windows as they were cut in training, where that is not what it does anyway."""
    own, usual = job.config, ReadingSettings()
    names = (*WindowSettings.model_fields, "max_answer_tokens")
    changed = {name: getattr(own, name) for name in names if getattr(own, name) != getattr(usual, name)}
    return "".join(f" --{name.replace('_', '-')} {value}" for name, value in changed.items())


def _in_words(name: str, value: object) -> str:
    if value is None:
        return UNSET.get(name, "not given")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _base_name(job: TrainingJob) -> str:
    if job.base.ref == "embedded":
        return "ray_qa's embedded model"
    return _hub_id(job.base) or _file_name(job.config.model)


def _hub_id(base: ModelFiles) -> str | None:
    name = base.ref.partition("@")[0]
    return name if base.ref not in ("embedded", str(base.folder)) and _is_repo_id(name) else None


def _is_repo_id(name: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # where it is documented

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def _source_name(source: str) -> str:
    """A data set's whole name; a file's or folder's without where it lies, which is nobody else's business."""
    return source if is_data_set(source) else _file_name(source)


def _file_name(path: str) -> str:
    return Path(path).expanduser().absolute().name or path


def _slug(name: str) -> str:
    """A name as repositories on the hub have them."""
    return re.sub(r"[^\w.-]+", "-", name)
