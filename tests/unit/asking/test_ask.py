from __future__ import annotations

from ray_qa.asking.ask import Asked, shown
from ray_qa.reader.calibration import Decision
from ray_qa.records import Answer, Mention

CONTEXT = "Ann and Bo sail."
MENTIONS = (
    Mention(text="Ann", start=0, end=3, start_score=1.0, end_score=1.0, confidence=0.5),
    Mention(text="Bo", start=8, end=10, start_score=1.0, end_score=0.5, confidence=0.25),
)


def test_all_mentions_stand_below_the_answer_with_their_places() -> None:
    answer = Answer(status="answered", answer="Ann", start=0, end=3, confidence=0.5, mentions=MENTIONS)
    lines = shown(Asked(question="Who?", answer=answer, decision=Decision()), CONTEXT, n_best=1).plain.splitlines()
    assert [line.split() for line in lines[2:]] == [["50.0%", "0–3", "Ann"], ["25.0%", "8–10", "Bo"]]
