"""Outputs to report on, without a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ray_qa.records import Answer
from ray_qa.runs.output_folder import PLAN
from tests.unit.exporting.annotated import FAILED, answer, write_output

HOSTILE = "</p></td></table><script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">"


def many_rows(folder: Path, rows: int = 60, **settings: Any) -> Path:
    """Rows whose margins are all unlike, every fourth without an answer, every tenth failed; some texts are hostile."""
    contexts = [f"{HOSTILE if row % 7 == 0 else ''}Town {row} lies by river {row}." for row in range(rows)]
    table = pa.table(
        {
            "id": [f"row-{row}" for row in range(rows)],
            "question": [HOSTILE if row % 7 == 0 else f"Where is town {row}?" for row in range(rows)],
            "context": contexts,
            "answers": [{"text": [] if row % 4 == 0 else [f"river {row}"]} for row in range(rows)],
        }
    )
    return write_output(folder, table, [_answer(row, context) for row, context in enumerate(contexts)], **settings)


def with_settings(folder: Path, **settings: Any) -> Path:
    """The output as if its plan had said so."""
    plan = json.loads((folder / PLAN).read_text())
    plan["settings"] |= settings
    (folder / PLAN).write_text(json.dumps(plan))
    return folder


def table_of(contexts: Sequence[str]) -> pa.Table:
    """Rows with these contexts."""
    return pa.table({"question": ["Which?"] * len(contexts), "context": list(contexts)})


def _answer(row: int, context: str) -> Answer:
    if row % 10 == 9:
        return FAILED
    is_answered = row % 4 != 0
    return answer(context, f"river {row}", margin=(1 if is_answered else -1) * (row + 1) / 10, answered=is_answered)
