"""The shape of the house, held by reading the source: order of packages, cheap imports, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import ray_qa
from tests.unit.house_map import BLOCK, CONTRIBUTING, PACKAGES, house_map

PACKAGE = Path(ray_qa.__file__).parent
TESTS = Path(__file__).parents[1]
HEAVY = {"torch", "ray", "transformers"}
LONGEST = 400

FLOORS: list[dict[str, set[str]]] = [
    {"errors": set(), "records": set(), "validation_messages": {"pydantic"}, "settings": {"pydantic"}},
    {"storage": {"filelock", "obstore", "pyarrow"}},
    {"data": {"datasets", "huggingface_hub", "numpy", "pyarrow", "pydantic"}},
    {"metrics": {"numpy", "scipy"}},
    {
        "reader": {
            "array_api_compat", "huggingface_hub", "nncf", "numpy", "openvino", "platformdirs", "pyarrow",
            "pydantic", "regex", "safetensors", "tokenizers", "torch", "transformers",
        }
    },
    {"runs": {"jinja2", "numpy", "pyarrow", "pydantic", "rich"}},
    {"judging": {"numpy", "pyarrow"}},
    {"outgoing": {"numpy", "pyarrow"}},
    {"reporting": {"markupsafe", "matplotlib", "numpy", "pyarrow", "pydantic"}},
    {"cluster": {"grpc", "ray", "torch"}},
    {
        "preparation": {"pyarrow", "pydantic"},
        "annotation": {"numpy", "pyarrow", "pydantic", "ray", "torch"},
        "finetuning": {
            "huggingface_hub", "matplotlib", "mlflow", "numpy", "pyarrow", "pydantic", "ray", "safetensors",
            "tensorboardX", "torch", "transformers",
        },
        "evaluation": {"numpy", "pydantic"},
        "calibration": {"numpy", "pydantic"},
        "asking": {"pydantic", "rich"},
        "rescoring": {"numpy", "pyarrow", "pydantic"},
        "sampling": {"numpy", "pyarrow", "pydantic"},
        "exporting": {"numpy", "pyarrow", "pydantic"},
    },
    {"cli": {"pyarrow", "pydantic", "rich", "tyro", "yaml"}},
    {"__main__": set()},
]  # fmt: skip
"""Lowest first: a package imports only from lower floors, from itself, and from the libraries named here, functions'
own imports included. Packages that share a floor are the commands, which never import one another."""

LOADS = {
    "torch": {
        "ray_qa.finetuning.base_model", "ray_qa.finetuning.loop", "ray_qa.finetuning.process_group",
        "ray_qa.finetuning.step", "ray_qa.finetuning.validation", "ray_qa.finetuning.weights",
        "ray_qa.reader.span_model",
    },
    "ray": {
        "ray_qa.annotation.running", "ray_qa.cluster.arithmetic",
        "ray_qa.cluster.connection", "ray_qa.cluster.growth",
        "ray_qa.cluster.knock", "ray_qa.cluster.room", "ray_qa.finetuning.rows",
    },
    "torch and ray": {
        "ray_qa.finetuning.finetune", "ray_qa.finetuning.workers",
    },
}  # fmt: skip
"""What importing a module loads, through all that it imports; modules that are not named here load neither."""


class Import(NamedTuple):
    """An import of the source; ``module`` is the whole dotted path."""

    module: str
    line: int


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(source: str, *, of_functions: bool = True) -> Iterator[Import]:
    """All imports but those that only a type checker sees."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.FunctionDef) and not of_functions:
            continue
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            yield from (Import(_imported(node.module or "", alias.name), node.lineno) for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def _imported(module: str, name: str) -> str:
    """``from ray_qa import x`` imports the module ``ray_qa.x`` where there is one, else ``ray_qa``."""
    return f"{module}.{name}" if f"{module}.{name}" in SOURCES else module


def floor_of(module: str) -> int | None:
    """The floor of one of our modules; ``None`` for the root package."""
    door = module.removeprefix("ray_qa").lstrip(".").partition(".")[0]
    return next((number for number, floor in enumerate(FLOORS) if door in floor), None)


def violations(module: str, source: str) -> list[str]:
    """The imports of a module that the order of the house does not allow."""
    door = module.split(".")[1]
    floor = floor_of(module)
    assert floor is not None, f"{module} is on no floor"
    found = []
    for imported in imports(source):
        root, _, rest = imported.module.partition(".")
        if root == "ray_qa":
            their_floor = floor_of(imported.module)
            same_package = rest.partition(".")[0] == door
            fits = not rest or same_package or (their_floor is not None and their_floor < floor)
            fits = fits or (floor == 0 and their_floor == 0)
        else:
            fits = root in FLOORS[floor][door] or root in sys.stdlib_module_names
        if not fits:
            found.append(f"{module}:{imported.line} imports {imported.module}")
    return found


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - {"ray_qa"}))
def test_a_package_imports_only_from_lower_floors(module: str) -> None:
    assert violations(module, SOURCES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("data.units", "import torch", "torch"),
        ("data.units", "def f():\n    from torch.nn import Linear", "torch.nn"),
        ("runs.live_line", "class A:\n    def f(self):\n        import ray.data", "ray.data"),
        ("data.units", "from ray_qa import reader", "ray_qa.reader"),
        ("reader.spans", "from ray_qa.annotation.annotate import annotate", "ray_qa.annotation.annotate"),
        ("reader.spans", "import pandas", "pandas"),
        ("annotation.stages", "from ray_qa.finetuning import loop", "ray_qa.finetuning.loop"),
        ("evaluation.evaluate", "from ray_qa.annotation.output import Plan", "ray_qa.annotation.output"),
        ("records", "from ray_qa.storage.local import publish", "ray_qa.storage.local"),
    ],
)
def test_the_check_of_floors_finds_imports_wherever_they_stand(module: str, source: str, found: str) -> None:
    assert [violation.rpartition(" ")[2] for violation in violations(f"ray_qa.{module}", source)] == [found]


def test_imports_for_type_checkers_do_not_count() -> None:
    assert violations("ray_qa.data.units", "if TYPE_CHECKING:\n    import torch") == []
    assert len(violations("ray_qa.data.units", "if not TYPE_CHECKING:\n    import torch")) == 1


def test_trackers_know_nothing_of_the_command_that_they_follow() -> None:
    for module, path in SOURCES.items():
        if module.startswith("ray_qa.finetuning.tracking."):
            ours = {each.module for each in imports(path.read_text("utf-8")) if each.module.startswith("ray_qa.fine")}
            assert all(each.startswith("ray_qa.finetuning.tracking.") for each in ours), module


def test_imports_never_go_in_circles() -> None:
    depends = {
        module: {imported.module for imported in imports(path.read_text(encoding="utf-8"))}
        & SOURCES.keys() - {"ray_qa"}
        for module, path in SOURCES.items()
    }
    while free := {module for module, needs in depends.items() if not needs & depends.keys()}:
        depends = {module: needs for module, needs in depends.items() if module not in free}
    assert depends == {}


def loaded_with(module: str, seen: set[str]) -> set[str]:
    """The heavy libraries that importing a module loads, by the source."""
    seen.add(module)
    loaded: set[str] = set()
    for imported in imports(SOURCES[module].read_text(encoding="utf-8"), of_functions=False):
        root = imported.module.partition(".")[0]
        loaded |= {root} & HEAVY
        if imported.module in SOURCES and imported.module not in seen:
            loaded |= loaded_with(imported.module, seen)
    return loaded


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_importing_a_module_loads_torch_or_ray_only_where_it_may(module: str) -> None:
    may = next((what for what, modules in LOADS.items() if module in modules), "")
    assert " and ".join(sorted(loaded_with(module, set()), key=["torch", "ray"].index)) == may


def loaded_by(code: str, *paths: Path) -> set[str]:
    """Heavy libraries that a fresh process has loaded after running ``code``."""
    script = f"import sys\nsys.path[:0] = {[str(path) for path in paths]}\n{code}\nprint(*{HEAVY} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_process_that_imports_all_light_modules_has_loaded_nothing_heavy() -> None:
    light = sorted(SOURCES.keys() - set().union(*LOADS.values()) - {"ray_qa.__main__"})
    assert len(light) > 40
    assert loaded_by("\n".join(f"import {module}" for module in light)) == set()


def test_the_check_for_heavy_imports_can_fail(tmp_path: Path) -> None:
    for name in ("torch", "ray"):
        (tmp_path / f"{name}.py").touch()  # stands for the real one, which takes seconds
    (tmp_path / "innocent.py").write_text("import torch")
    assert loaded_by("import ray_qa.errors, innocent", tmp_path) == {"torch"}
    assert loaded_by("import ray", tmp_path) == {"ray"}


def test_public_names_are_there_when_they_are_asked_for_and_load_nothing_before() -> None:
    heavy = set().union(*LOADS.values())
    light = [name for name in ray_qa.__all__ if ray_qa._HOMES[name] not in heavy]
    assert {"AnnotateConfig", "Answer", "RayQaError"} <= set(light)
    wanted = "; ".join(f"assert ray_qa.{name}.__name__ == {name!r}" for name in light)
    loads_nothing = "assert not [module for module in sys.modules if module.startswith('ray_qa.')]"
    assert loaded_by(f"import ray_qa; {loads_nothing}; {wanted}; from ray_qa import evaluate") == set()


def test_public_names_are_defined_in_the_homes_they_are_listed_under() -> None:
    for name, home in ray_qa._HOMES.items():
        tree = ast.parse(SOURCES[home].read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert name in defined, home


def test_type_checkers_see_the_same_public_names() -> None:
    source = SOURCES["ray_qa"].read_text(encoding="utf-8")
    (block,) = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    seen = {node.names[0].asname: node.module for node in block.body if isinstance(node, ast.ImportFrom)}
    assert seen == ray_qa._HOMES
    assert list(ray_qa.__all__) == sorted(ray_qa._HOMES)
    with pytest.raises(AttributeError, match="module 'ray_qa' has no attribute 'nonsense'"):
        ray_qa.nonsense  # noqa: B018  # looking is what raises


@pytest.mark.parametrize("package", sorted(path.parent for path in PACKAGE.glob("*/**/__init__.py")), ids=str)
def test_a_package_says_what_it_is_for_and_names_its_modules_in_reading_order(package: Path) -> None:
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    assert len(tree.body) == 1
    listed = (ast.get_docstring(tree) or "").partition("\n\n")[2]
    there = [path.stem for path in package.glob("*.py") if path.stem != "__init__"]
    there += [path.parent.name for path in package.glob("*/__init__.py")]
    assert sorted(word.strip("`") for word in listed.split() if word.startswith("``")) == sorted(there)


def test_the_map_in_contributing_is_true() -> None:
    (block,) = BLOCK.findall(CONTRIBUTING.read_text(encoding="utf-8"))
    assert block == house_map(), "python -m tests.unit.house_map renews it"
    assert sorted(PACKAGES) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_tests_mirror_the_packages() -> None:
    for ring in ("unit", "model", "cluster"):
        folders = {path.parent.relative_to(TESTS / ring) for path in (TESTS / ring).rglob("test_*.py")} - {Path()}
        assert [folder for folder in folders if not (PACKAGE / folder / "__init__.py").exists()] == []


def test_the_unit_ring_imports_nothing_heavy() -> None:
    for path in sorted((TESTS / "unit").rglob("*.py")):
        assert not {imported.module.partition(".")[0] for imported in imports(path.read_text("utf-8"))} & HEAVY, path


@pytest.mark.parametrize("path", [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")], ids=lambda path: path.name)
def test_files_fit_a_readers_patience_and_are_named_for_what_they_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert path.stem not in {"utils", "util", "common", "base", "helpers", "misc"}


def test_the_median_module_is_under_150_lines() -> None:
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES.values())
    assert lengths[len(lengths) // 2] < 150
