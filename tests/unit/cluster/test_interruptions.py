"""Signals that are put off."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from ray_qa.cluster.interruptions import uninterrupted


@pytest.fixture
def came() -> Iterator[list[int]]:
    """The signals that came to whoever handles them."""
    numbers: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: numbers.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_comes_when_the_block_is_done(number: signal.Signals, came: list[int]) -> None:
    with uninterrupted():
        signal.raise_signal(number)
        assert came == []
    assert came == [number]


def test_a_signal_comes_too_where_the_block_fails_or_sets_a_handler_of_its_own(came: list[int]) -> None:
    def fail() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise ValueError("its own")

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="its own"), uninterrupted():
        fail()
    assert came == [signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is handler
