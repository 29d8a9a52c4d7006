"""Plans of runs as files: reading one back, and saying how two differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ray_qa.errors import OutputError, first_line
from ray_qa.runs.live_line import counted
from ray_qa.storage import places
from ray_qa.storage.remote import Place

Plan = TypeVar("Plan")
MOST_NAMED = 3
"""Files that differ are named up to so many."""
SHOWN_DIGITS = 12


def read_plan_file(path: Place, form: TypeAdapter[Plan], program: str) -> Plan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
        StorageError: if its bucket cannot be reached.
    """
    try:
        return form.validate_json(places.read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        raise OutputError(
            f"{path} must be a plan of this version of {program}, but is not ({first_line(error)}); "
            "name another output, or start again with --overwrite"
        ) from error


def join_plan_file(
    path: Place,
    form: TypeAdapter[Plan],
    plan: Plan,
    program: str,
    rows: str,
    differences: Callable[[Plan, Plan], Iterable[str]],
) -> Plan:
    """Make ``plan`` the output's, or join the equal one that is there; ``rows`` is what its program calls them.

    Raises:
        OutputError: if the output cannot be written to, or is being made by another plan; all differences are named.
    """
    folder = path.parent.parent
    try:
        places.make_folder(path.parent)
        # On an object store equal plans of two commands both count as the first, which comes to the same.
        if places.publish_new(path, form.dump_json(plan)):
            return plan
    except OSError as error:
        raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error
    earlier = read_plan_file(path, form, program)
    if earlier is None:  # it has just been taken away
        return join_plan_file(path, form, plan, program, rows, differences)
    check_same_plan(folder, rows, differences(earlier, plan))
    return earlier


def check_same_plan(folder: Place, rows: str, differences: Iterable[str]) -> None:
    """Refuse to go on with an output that is being made by another plan.

    Raises:
        OutputError: naming all differences.
    """
    if found := list(differences):
        raise OutputError(
            f"`output` must have been made with the same model, {rows} and settings, but {folder} differs in "
            f"{'; '.join(found)}; name another output, or start again with --overwrite"
        )


def different_algorithms(there: int, now: int) -> Iterator[str]:
    """A phrase that names the two where they differ."""
    if there != now:
        yield f"the version of the algorithm ({there} there, {now} now)"


def different_digests(what: str, there: str, now: str) -> Iterator[str]:
    """A phrase that names the two where they differ."""
    if there != now:
        yield f"{what} ({there[:SHOWN_DIGITS]} there, {now[:SHOWN_DIGITS]} now)"


def settled(wanted: Mapping[str, Any], earlier: Mapping[str, Any], unsettled: Collection[str]) -> dict[str, Any]:
    """The settings, those that are left to be settled as an earlier plan has them."""
    return {name: earlier.get(name) if name in unsettled else value for name, value in wanted.items()}


def different_settings(there: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A phrase for every setting that differs, in the order of their names."""
    for name in sorted(there.keys() | now.keys()):
        if there.get(name) != now.get(name):
            yield f"`{name}` ({there.get(name)} there, {now.get(name)} now)"


def different_input(there: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    """A phrase for each of the first few files that differ, and one for the others.

    Args:
        there: what tells the content of each file apart, by its name, in their order.
        now: the same of the input that is named now.
    """
    names = [*there, *(name for name in now if name not in there)]
    unlike = [name for name in names if there.get(name) != now.get(name)]
    for name in unlike[:MOST_NAMED]:
        if name not in now:
            yield f"the input ({name} was there, and is not now)"
        else:
            yield f"the input ({name} {'has changed' if name in there else 'is new'})"
    if len(unlike) > MOST_NAMED:
        yield f"and {counted(len(unlike) - MOST_NAMED, 'file')} more of the input"
    if not unlike and list(there) != list(now):
        yield "the input (the same files in another order)"
