"""CONTRIBUTING's map of the house, made of the docstrings: python -m tests.unit.house_map renews it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "ray_qa"
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
AT_THE_ROOT = ("errors", "records", "settings", "validation_messages")
PACKAGES = (
    "storage", "data", "metrics", "reader", "runs", "judging", "outgoing", "reporting", "cluster", "preparation",
    "annotation", "finetuning", "evaluation", "calibration", "asking", "rescoring", "sampling", "exporting", "cli",
)  # fmt: skip
"""Lowest first."""
BLOCK = re.compile(r"(?<=```\nray_qa/\n).*?(?=```)", re.DOTALL)
WIDTH = 26


def house_map() -> str:
    """A line for every package and module: its name, and the first line of its docstring."""
    lines = [_line(1, f"{name}.py", _says(PACKAGE / f"{name}.py")) for name in AT_THE_ROOT]
    for name in PACKAGES:
        lines += _package(PACKAGE / name, depth=1)
    lines.append(_line(1, "assets/", "The embedded model and corpus, and the templates of cards and pages."))
    return "\n".join(lines) + "\n"


def _package(folder: Path, depth: int) -> Iterator[str]:
    docstring = _docstring(folder / "__init__.py")
    yield _line(depth, f"{folder.name}/", docstring.partition("\n")[0])
    for name in re.findall(r"``(\w+)``", docstring.partition("\n\n")[2]):
        if (folder / name).is_dir():
            yield from _package(folder / name, depth + 1)
        else:
            yield _line(depth + 1, f"{name}.py", _says(folder / f"{name}.py"))


def _line(depth: int, name: str, says: str) -> str:
    return f"{'  ' * depth + name:<{WIDTH}} {says}"


def _says(path: Path) -> str:
    return _docstring(path).partition("\n")[0]


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


if __name__ == "__main__":
    text = CONTRIBUTING.read_text(encoding="utf-8")
    CONTRIBUTING.write_text(BLOCK.sub(lambda _: house_map(), text), encoding="utf-8")
