"""The data card of an output, for those who ask for it: ``README.md`` beside the parts."""

from __future__ import annotations

from dataclasses import asdict

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import engine_noted
from ray_qa.annotation.output import Plan
from ray_qa.data.schemas import output_schema, schema_from_text
from ray_qa.runs.cards import CARD, is_our_card, put_card
from ray_qa.runs.data_card import DataCard, data_card
from ray_qa.runs.log import notice
from ray_qa.runs.part_labels import Counts


def write_card(config: AnnotateConfig, plan: Plan, counts: Counts) -> None:
    """Write the card where it is asked for, or renew one of ours; a person's is left alone, and that is said."""
    place = config.folder / CARD
    if not config.card and not is_our_card(place):
        return
    engine = engine_noted(config.folder)
    text = data_card(
        DataCard(
            data_files="part-*.parquet",
            schema=output_schema(schema_from_text(plan.input_schema), config.columns(plan.questions)),
            prefix=config.prefix,
            counts=asdict(counts),
            model=config.model,
            weights_sha256=plan.weights_sha256,
            inputs=config.input,
            settings=plan.settings,
            questions=plan.questions,
            engine=None if engine is None else engine.arithmetic,
        )
    )
    if not put_card(place, text):
        notice(f"{place} is not as ray-qa wrote it, and is left as it is")
