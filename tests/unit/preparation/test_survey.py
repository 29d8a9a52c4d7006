from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.answer_columns import RowAnswers
from ray_qa.data.offset_units import OffsetUnit
from ray_qa.preparation.survey import OffsetSurvey, OffsetTally
from tests.unit.preparation.files import ANCHOR, CHARACTERS, CONTEXTS, ENCODINGS, counted_in

ROWS = st.lists(st.tuples(CONTEXTS, st.text(CHARACTERS, min_size=1, max_size=3), st.integers(-2, 60)), max_size=8)


def survey(*rows: tuple[str, str, float | None]) -> OffsetSurvey:
    tally = OffsetTally()
    for context, text, place in rows:
        tally.add(context, RowAnswers(texts=[text], places=[place]))
    return tally.survey()


def read_in(context: str, place: int, unit: OffsetUnit) -> int | None:
    return next((at for at in range(len(context) + 1) if counted_in(context, at, unit) == place), None)


@given(rows=ROWS)
def test_the_unit_is_that_under_which_strictly_most_answers_are_right_that_can_tell(
    rows: list[tuple[str, str, int]],
) -> None:
    right: Counter[OffsetUnit] = Counter(dict.fromkeys(ENCODINGS, 0))
    telling = 0
    for context, text, place in rows:
        read = {unit: read_in(context, place, unit) for unit in ENCODINGS}
        if len(set(read.values())) > 1:
            telling += 1
            right.update(unit for unit, at in read.items() if at is not None and context[at:].startswith(text))
    best = [unit for unit in ENCODINGS if right[unit] == max(right.values())]
    unit = best[0] if len(best) == 1 else "code_points"
    assert survey(*rows) == OffsetSurvey(unit=unit, right=right[unit], telling=telling)


def test_answers_after_plain_ascii_tell_nothing() -> None:
    assert survey(("plain text", "text", 6), ("plain 🙂", "plain", 0)) == OffsetSurvey()


def test_one_answer_after_an_emoji_tells_utf16_units_from_code_points_where_others_cannot() -> None:
    german = ("Köln liegt am Rhein", "Rhein", 14)
    assert survey(*[german] * 50) == OffsetSurvey(right=50, telling=50)
    assert survey(*[german] * 50, ("🙂 da", "da", 3)) == OffsetSurvey(unit="utf16_units", right=51, telling=51)


def test_what_is_no_place_and_no_text_tells_nothing() -> None:
    assert survey((ANCHOR, "stands", None), (ANCHOR, "stands", 0.5), (ANCHOR, "stands", -1), (ANCHOR, "", 4)) == (
        OffsetSurvey()
    )
    tally = OffsetTally()
    tally.add(None, RowAnswers(texts=["a"], places=[1]))
    tally.add("é\udcff a", RowAnswers(texts=["a"], places=[1]))
    tally.add(ANCHOR, RowAnswers(texts=None, places=None))
    assert tally.survey() == OffsetSurvey()
