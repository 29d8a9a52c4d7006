"""Derives the strict schemas beside this file that can be derived: ``python derive.py``, in an environment of its own.

It wants ``pip install kubernetes==37.0.2 skypilot==0.14.1``, which the project itself does not.
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Schema = dict[str, Any]

ROOTS = ("V1PodTemplateSpec", "V1ServiceAccount", "V1Service")
"""What rayjob.json and deploy/kuberay.yaml need of Kubernetes; all that these need comes with them."""

SCALARS: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string"},
    "object": {"type": ["integer", "string"]},  # in pods: ports of probes, by number or name
}
QUANTITIES = ("limits", "requests", "capacity", "overhead")
"""Maps whose values the API takes as numbers too, though the client says strings."""

SERVER_WRITES = ("status", "managedFields", "creationTimestamp", "deletionTimestamp", "resourceVersion", "selfLink")

VALUES = {
    "effect": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
    "imagePullPolicy": ["Always", "Never", "IfNotPresent"],
    "restartPolicy": ["Always", "OnFailure", "Never"],
}
"""Values that the client's models leave open and the API server does not."""

NOT_OURS = ("config", "service", "pool", "inputs", "outputs", "volumes", "volume_mounts", "managed_secrets")
"""Fields of SkyPilot's tasks that no file of ours uses; leaving them out keeps the schema small."""

KEYWORDS = (
    *("type", "properties", "required", "items", "enum", "pattern", "minimum", "maximum", "minItems", "minLength"),
    *("maxProperties", "exclusiveMinimum", "uniqueItems", "anyOf", "oneOf", "patternProperties"),
)
"""What of a JSON schema decides; descriptions do not."""


def main() -> None:
    _write("kubernetes.json", _kubernetes())
    _write("skypilot.json", _skypilot())


def _kubernetes() -> dict[str, Schema]:
    """The fields of pods, from the models of the Python client, which are generated from Kubernetes' OpenAPI."""
    models = importlib.import_module("kubernetes.client.models")
    schemas: dict[str, Schema] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in schemas:
            schemas[name] = _model(getattr(models, name))
            waiting += re.findall(r"#/\$defs/(\w+)", json.dumps(schemas[name]))
    return schemas


def _model(model: Any) -> Schema:
    spelt = {name: spelt for name, spelt in model.attribute_map.items() if spelt not in SERVER_WRITES}
    needed = {name for name, field in model.model_fields.items() if field.is_required()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [spelt[name] for name in spelt if name in needed],
        "properties": {spelt[name]: _field(spelt[name], model.openapi_types[name]) for name in spelt},
    }


def _field(name: str, kind: str) -> Schema:
    if inner := re.fullmatch(r"List\[(.+)\]", kind):
        return {"type": "array", "items": _field("", inner[1])}
    if inner := re.fullmatch(r"Dict\[str, (.+)\]", kind):
        values = {"type": ["number", "string"]} if name in QUANTITIES else _field("", inner[1])
        return {"type": "object", "additionalProperties": values}
    if name in VALUES:
        return {"enum": VALUES[name]}
    return SCALARS.get(kind) or {"$ref": f"#/$defs/{kind}"}


def _skypilot() -> dict[str, Schema]:
    """The fields of tasks and their resources, from SkyPilot's own schemas."""
    schemas = importlib.import_module("sky.utils.schemas")
    task = _strict(schemas.get_task_schema())
    for name in NOT_OURS:
        del task["properties"][name]
    task["properties"]["resources"] = {"$ref": "#/$defs/Resources"}
    return {"Task": task, "Resources": _strict(schemas.get_resources_schema())}


def _strict(schema: Schema) -> Schema:
    """The schema less what does not decide and what is marked as internal; its objects take no other fields."""
    kept = {key: _inner(value) for key, value in schema.items() if key in KEYWORDS}
    if "properties" in kept:
        kept["properties"] = {name: _strict(s) for name, s in schema["properties"].items() if not name.startswith("_")}
        kept["additionalProperties"] = False
    elif isinstance(allowed := schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = _strict(allowed)
    elif allowed is False:
        kept["additionalProperties"] = False
    if names := schema.get("case_insensitive_enum"):
        kept["enum"] = [name.lower() for name in names]
    return kept


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(each) for each in value]
    if isinstance(value, dict):
        return _strict(value) if "type" in value or "anyOf" in value else {k: _inner(v) for k, v in value.items()}
    return value


def _write(name: str, schemas: dict[str, Schema]) -> None:
    """One definition a line, so that a renewal shows what has changed."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(schemas[key])}" for key in sorted(schemas))
    (HERE / name).write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
