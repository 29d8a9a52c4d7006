"""The shape of the house, held by reading the source: tiers, trips apart, cheap imports, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import ray_qa

PACKAGE = Path(ray_qa.__file__).parent
TESTS = Path(__file__).parents[1]
HEAVY = {"torch", "ray", "transformers"}

TIERS = {
    # 0: the standard library, pydantic, numpy
    "ray_qa": 0,
    "ray_qa.annotation": 0,
    "ray_qa.cli": 0,
    "ray_qa.cluster": 0,
    "ray_qa.data": 0,
    "ray_qa.evaluation": 0,
    "ray_qa.finetuning": 0,
    "ray_qa.finetuning.tracking": 0,
    "ray_qa.metrics": 0,
    "ray_qa.reader": 0,
    "ray_qa.runs": 0,
    "ray_qa.storage": 0,
    "ray_qa.reader.answers": 0,
    "ray_qa.settings": 0,
    "ray_qa.errors": 0,
    "ray_qa.cli.validation_messages": 0,
    "ray_qa.finetuning.alignment": 0,
    "ray_qa.metrics.squad": 0,
    "ray_qa.finetuning.throughput": 0,
    "ray_qa.reader.batching": 0,
    "ray_qa.cluster.placement": 0,
    "ray_qa.records": 0,
    "ray_qa.finetuning.lr_schedule": 0,
    "ray_qa.finetuning.step_plan": 0,
    "ray_qa.storage.local": 0,
    "ray_qa.data.units": 0,
    "ray_qa.reader.windows": 0,
    # 1: Arrow and other light libraries
    "ray_qa.reader.collate": 1,
    "ray_qa.finetuning.checkpoints": 1,
    "ray_qa.cli.parser": 1,
    "ray_qa.reader.encoded": 1,
    "ray_qa.finetuning.sampler": 1,
    "ray_qa.data.examples": 1,
    "ray_qa.finetuning.tracking.tail": 1,
    "ray_qa.data.gold": 1,
    "ray_qa.data.parquet_files": 1,
    "ray_qa.finetuning.learning_curve": 1,
    "ray_qa.finetuning.tracking.metrics_log": 1,
    "ray_qa.finetuning.tracking.mlflow": 1,
    "ray_qa.reader.model_files": 1,
    "ray_qa.annotation.output": 1,
    "ray_qa.runs.plan_files": 1,
    "ray_qa.runs.live_line": 1,
    "ray_qa.finetuning.tracking.trackers": 1,
    "ray_qa.annotation.summary": 1,
    "ray_qa.data.schemas": 1,
    "ray_qa.reader.spans": 1,
    "ray_qa.data.squad_json": 1,
    "ray_qa.finetuning.tracking.tensorboard": 1,
    "ray_qa.finetuning.output": 1,
    "ray_qa.finetuning.progress": 1,
    "ray_qa.finetuning.summary": 1,
    "ray_qa.finetuning.dataset": 1,
    "ray_qa.data.row_groups": 1,
    # 2: the model, without Ray
    "ray_qa.annotation.stages": 2,
    "ray_qa.finetuning.base_model": 2,
    "ray_qa.reader.pair_tokenizer": 2,
    "ray_qa.finetuning.validation": 2,
    "ray_qa.finetuning.labelling": 2,
    "ray_qa.reader.span_model": 2,
    "ray_qa.cluster.worker": 2,
    "ray_qa.reader.transformers_logging": 2,
    "ray_qa.reader.reader": 2,
    "ray_qa.reader.scoring": 2,
    "ray_qa.finetuning.process_group": 2,
    "ray_qa.finetuning.step": 2,
    "ray_qa.finetuning.loop": 2,
    "ray_qa.finetuning.job": 2,
    "ray_qa.finetuning.weights": 2,
    # 3: Ray, and the trips
    "ray_qa.cluster.connection": 3,
    "ray_qa.annotation.annotate": 3,
    "ray_qa.evaluation.evaluate": 3,
    "ray_qa.finetuning.finetune": 3,
    # 4: what starts the trips
    "ray_qa.cli.main": 4,
    "ray_qa.cli.demo": 4,
}
LIBRARIES = {
    **dict.fromkeys(["pydantic", "numpy"], 0),
    **dict.fromkeys(["array_api_compat", "huggingface_hub", "pyarrow", "rich", "tyro", "yaml"], 1),
    **dict.fromkeys(["datasets", "jinja2", "matplotlib", "mlflow", "tensorboardX"], 1),  # inside functions
    **dict.fromkeys(["safetensors", "tokenizers", "torch", "transformers"], 2),
    "ray": 3,
}
LIGHT = sorted(module for module, tier in TIERS.items() if tier <= 1)
LONGEST = 400


class Import(NamedTuple):
    """An import of the source; ``module`` is the whole dotted path."""

    module: str
    line: int


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, Path]:
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(source: str) -> Iterator[Import]:
    """All imports, those inside functions too, but for those that only a type checker sees."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            yield from (Import(_imported(node.module or "", alias.name), node.lineno) for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def _imported(module: str, name: str) -> str:
    """``from ray_qa import x`` imports the module ``ray_qa.x`` where there is one, else ``ray_qa``."""
    return f"{module}.{name}" if f"{module}.{name}" in TIERS else module


def tier_of(module: str) -> int | None:
    """Of a module of ours or a library; ``None`` where no tier may import it."""
    root = module.partition(".")[0]
    if root == "ray_qa":
        return TIERS.get(module)
    return LIBRARIES.get(root, -1 if root in sys.stdlib_module_names or root == "__future__" else None)


def violations(module: str, source: str) -> list[str]:
    found = []
    for imported in imports(source):
        tier = tier_of(imported.module)
        if tier is None or tier > TIERS[module]:
            found.append(f"{module}:{imported.line} imports {imported.module}")
    return found


def test_every_module_has_a_tier_and_every_tier_its_module() -> None:
    assert sources().keys() == TIERS.keys()


@pytest.mark.parametrize("module", sorted(sources().keys() & TIERS.keys()))
def test_a_module_imports_only_from_its_own_and_lower_tiers(module: str) -> None:
    assert violations(module, sources()[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", "torch"),
        ("def f():\n    from torch.nn import Linear", "torch.nn"),
        ("class A:\n    def f(self):\n        import ray.data", "ray.data"),
        ("from ray_qa.reader import reader", "ray_qa.reader.reader"),
        ("from ray_qa.annotation.annotate import annotate", "ray_qa.annotation.annotate"),
        ("import pandas", "pandas"),
    ],
)
def test_the_tier_check_finds_imports_wherever_they_stand(source: str, found: str) -> None:
    assert [violation.rpartition(" ")[2] for violation in violations("ray_qa.reader.spans", source)] == [found]


def test_imports_for_type_checkers_do_not_count() -> None:
    assert violations("ray_qa.reader.spans", "if TYPE_CHECKING:\n    import torch") == []
    assert len(violations("ray_qa.reader.spans", "if not TYPE_CHECKING:\n    import torch")) == 1


def test_imports_never_go_in_circles() -> None:
    depends = {
        module: {imported.module for imported in imports(path.read_text(encoding="utf-8"))} & TIERS.keys() - {"ray_qa"}
        for module, path in sources().items()
    }
    while free := {module for module, needs in depends.items() if not needs & depends.keys()}:
        depends = {module: needs for module, needs in depends.items() if module not in free}
    assert depends == {}


def test_trips_never_import_one_another() -> None:
    trips = {
        module: path
        for module, path in sources().items()
        if module.rpartition(".")[2] in ("annotate", "finetune", "evaluate")
    }
    assert len(trips) >= 2
    for module, path in trips.items():
        others = trips.keys() - {module}
        assert not {imported.module for imported in imports(path.read_text(encoding="utf-8"))} & others


def loaded_by(code: str, *paths: Path) -> set[str]:
    """Heavy libraries that a fresh process has loaded after running ``code``."""
    script = f"import sys\nsys.path[:0] = {[str(path) for path in paths]}\n{code}\nprint(*{HEAVY} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_lower_tiers_loads_nothing_heavy() -> None:
    assert len(LIGHT) > 20
    assert loaded_by("\n".join(f"import {module}" for module in LIGHT)) == set()


def test_the_check_for_heavy_imports_can_fail(tmp_path: Path) -> None:
    for name in ("torch", "ray"):
        (tmp_path / f"{name}.py").touch()  # stands for the real one, which takes seconds
    (tmp_path / "innocent.py").write_text("import torch")
    assert loaded_by("import ray_qa.errors, innocent", tmp_path) == {"torch"}
    assert loaded_by("import ray", tmp_path) == {"ray"}


def test_public_names_are_there_when_they_are_asked_for_and_load_nothing_before() -> None:
    light = [name for name in ray_qa.__all__ if TIERS[ray_qa._HOMES[name]] <= 1]
    assert {"AnnotateConfig", "Answer", "RayQaError"} <= set(light)
    wanted = "; ".join(f"assert ray_qa.{name}.__name__ == {name!r}" for name in light)
    loads_nothing = "assert not [module for module in sys.modules if module.startswith('ray_qa.')]"
    assert loaded_by(f"import ray_qa; {loads_nothing}; {wanted}; from ray_qa import evaluate") == set()


def test_public_names_are_defined_in_the_homes_they_are_listed_under() -> None:
    for name, home in ray_qa._HOMES.items():
        tree = ast.parse(sources()[home].read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert name in defined, home


def test_type_checkers_see_the_same_public_names() -> None:
    source = sources()["ray_qa"].read_text(encoding="utf-8")
    (block,) = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    seen = {node.names[0].asname: node.module for node in block.body if isinstance(node, ast.ImportFrom)}
    assert seen == ray_qa._HOMES
    assert list(ray_qa.__all__) == sorted(ray_qa._HOMES)
    with pytest.raises(AttributeError, match="module 'ray_qa' has no attribute 'nonsense'"):
        ray_qa.nonsense  # noqa: B018  # looking is what raises


def test_the_unit_ring_imports_nothing_heavy() -> None:
    for path in sorted((TESTS / "unit").rglob("*.py")):
        assert not {imported.module.partition(".")[0] for imported in imports(path.read_text("utf-8"))} & HEAVY, path


@pytest.mark.parametrize("path", [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")], ids=lambda path: path.name)
def test_files_fit_a_readers_patience_and_are_named_for_what_they_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert path.stem not in {"utils", "util", "common", "base", "helpers", "misc"}


def test_the_median_module_is_under_150_lines() -> None:
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in sources().values())
    assert lengths[len(lengths) // 2] < 150
