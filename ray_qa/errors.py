"""What can go wrong, as the user can act on it.

    RayQaError
    ├── ConfigError   a setting is wrong, or two do not go together
    ├── InputError    the rows to read: files, columns, types
    ├── ModelError    the checkpoint or its tokenizer
    ├── OutputError   the folder to write to
    ├── StorageError  an object store cannot be reached, or lets us not in
    └── ClusterError  Ray cannot be reached, or cannot place what is asked

All of them end the program with exit code 2 before any work is lost. A bad row is never an error: it comes out
as a row with ``status = "failed"``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class RayQaError(Exception):
    """Something the user can put right; every problem is one line that says expected, found, and what to do."""

    @property
    def problems(self) -> tuple[str, ...]:
        """One line a problem."""
        return tuple(str(problem) for problem in self.args)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class ConfigError(RayQaError):
    """A setting is out of range, unknown or at odds with another one."""


class InputError(RayQaError):
    """An input is missing, unreadable, empty, or has not the columns that are asked for."""


class ModelError(RayQaError):
    """A model reference leads nowhere, or to something that cannot answer questions."""


class OutputError(RayQaError):
    """The output folder holds something that must not be touched or mixed with this run."""


class StorageError(RayQaError):
    """An object store cannot be reached, lets us not in, or gives an error that does not pass."""


class ClusterError(RayQaError):
    """The cluster cannot be reached, or has no room for what is asked."""


def full_disk(reason: str) -> OutputError:
    """What to say where the system gives ``reason`` for not taking what is written."""
    return OutputError(f"`output` must be writable, but gives: {reason}; make room and run the same command again")


@dataclass
class Problems:
    """Collects the problems of checks that do not depend on each other, to report them together."""

    found: list[str] = field(default_factory=list)

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Run a check; its problems are noted instead of ending the program."""
        try:
            yield
        except RayQaError as error:
            self.found.extend(error.problems)

    def stop_here_if_any(self, kind: Callable[..., RayQaError] = ConfigError) -> None:
        """Raise all that was noted as one error."""
        if self.found:
            raise kind(*self.found)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def without_credentials(text: str) -> str:
    """The text without ``user:password@`` in its URIs."""
    return re.sub(r"://\S*@", "://", text)


def listed(names: Iterable[object], most: int = 12) -> str:
    """Names for a line of an error: those that would break it in quotes, and no more than so many."""
    shown = [text if (text := str(name)).isprintable() else repr(text) for name in names]
    more = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {more:,} more" if more > 0 else "")
