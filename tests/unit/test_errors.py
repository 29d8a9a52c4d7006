from __future__ import annotations

import pickle

import pytest

from ray_qa import errors
from ray_qa.errors import ConfigError, InputError, ModelError, Problems, RayQaError, first_line

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RayQaError)]


def test_every_error_of_ours_is_a_ray_qa_error_and_in_the_tree_at_the_top() -> None:
    assert len(KINDS) == 7
    for kind in KINDS:
        assert errors.__doc__
        assert kind.__name__ in errors.__doc__


def test_an_error_is_one_line_a_problem() -> None:
    error = ConfigError("first", "second")
    assert error.problems == ("first", "second")
    assert str(error) == "first\nsecond"


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_the_way_between_processes(kind: type[RayQaError]) -> None:
    back = pickle.loads(pickle.dumps(kind("first", "second")))
    assert type(back) is kind
    assert back.problems == ("first", "second")


def test_problems_of_independent_checks_come_together() -> None:
    problems = Problems()
    with problems.gather():
        raise InputError("one", "two")
    with problems.gather():
        pass
    with problems.gather():
        raise ModelError("three")
    with pytest.raises(InputError) as caught:
        problems.stop_here_if_any(InputError)
    assert caught.value.problems == ("one", "two", "three")


def test_nothing_is_raised_where_there_was_no_problem() -> None:
    problems = Problems()
    with problems.gather():
        pass
    problems.stop_here_if_any()


def test_errors_that_are_not_ours_are_not_gathered() -> None:
    problems = Problems()
    with pytest.raises(ZeroDivisionError), problems.gather():
        raise ZeroDivisionError
    assert problems.found == []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\nb"), "a"),
        (ValueError("\n\n  a  \nb"), "a  "),
        (ValueError(""), "ValueError"),
        (OSError(2, "gone", "x"), "[Errno 2] gone: 'x'"),
    ],
)
def test_the_first_line_of_an_error_is_never_empty(error: Exception, line: str) -> None:
    assert first_line(error) == line
