"""Calibrating on outputs whose contexts were all asked a set of questions."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.calibration.calibrate import calibrate
from ray_qa.calibration.config import CalibrateConfig
from ray_qa.records import Question
from tests.unit.exporting.annotated import answer, write_output


def test_the_pairs_of_a_wide_output_are_what_it_is_fitted_to(tmp_path: Path) -> None:
    asked = (Question(id="who", text="Who?"), Question(id="what", text="What?"))
    contexts = pa.table({"id": range(60), "context": [f"Person {row} has {row} oaks." for row in range(60)]})
    gold, given = [], []
    for row_id, context in enumerate(contexts["context"].to_pylist()):
        for question, text in zip(asked, (f"Person {row_id}", f"{row_id} oaks"), strict=True):
            is_right = (row_id + len(question.id)) % 3 > 0
            given.append(answer(context, text, margin=(row_id % 7 - 2) + 2 * is_right))
            gold.append({"id": f"{row_id}.{question.id}", "answers": {"text": [text if is_right else "has"]}})
    pq.write_table(pa.Table.from_pylist(gold), tmp_path / "gold.parquet")
    long, wide = (
        calibrate(
            CalibrateConfig(
                predictions=str(write_output(tmp_path / form, contexts, given, asked, wide=form == "wide")),
                gold=str(tmp_path / "gold.parquet"),
                output=str(tmp_path / "calibration.json"),
            )
        )
        for form in ("long", "wide")
    )
    assert (wide.calibration, wide.before, wide.after) == (long.calibration, long.before, long.after)
    assert (wide.calibration.fitted_on.contexts, wide.calibration.fitted_on.rows) == (30, 60)
