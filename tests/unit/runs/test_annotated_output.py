from __future__ import annotations

import json
from pathlib import Path

from ray_qa.runs.annotated_output import annotated_output
from ray_qa.runs.output_folder import PLAN
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output


def test_what_was_read_is_named_as_its_owner_knows_it_and_once(tmp_path: Path) -> None:
    folder = write_output(tmp_path / "out", ROWS, ANSWERS)
    plan = json.loads((folder / PLAN).read_text())
    (parquet,) = plan["input"]
    pieces = [{**parquet, "path": f"{folder}/.ray_qa/rows/d6d4-000{piece}.parquet"} for piece in range(2)]
    plan["input"] = [parquet, *({**piece, "source": "docs.jsonl"} for piece in pieces)]
    (folder / PLAN).write_text(json.dumps(plan))
    output = annotated_output(folder)
    assert output is not None
    assert output.inputs == ("/in/rows.parquet", "docs.jsonl")
