"""The generated models say what the published definitions say: compared field by field.

The definitions are read here by this test's own few lines, not by the generator.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from busk8s.api.structure import FieldShape, shapes

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = files("kubernetes_validate") / "kubernetes-json-schema" / "v1.37.0-local"
DEFINITIONS: dict[str, Any] = json.loads((SOURCE / "_definitions.json").read_text())["$defs"]
STABLE = {
    name: definition
    for name, definition in DEFINITIONS.items()
    if re.search(r"\.v[12]\.[A-Za-z]+$", name) and "properties" in definition
}
SCALAR_DEFINITIONS = {
    "Quantity": "quantity",
    "Time": "time",
    "MicroTime": "micro-time",
    "IntOrString": "int-or-string",
}
FORMATS = {"byte": "bytes", "date-time": "time"}


def model_of(name: str) -> type[BaseModel]:
    group, version, kind = name.split(".")[-3:]
    model: type[BaseModel] = getattr(import_module(f"busk8s.api.types.{group}_{version}"), kind)
    return model


def type_of(field: dict[str, Any]) -> str:
    found = field.get("type", "")
    return found if isinstance(found, str) else next(kind for kind in found if kind != "null")


def expected_type(field: dict[str, Any]) -> str:
    """The type in words: `list of X`, `map of X`, a scalar's name, or a definition's name."""
    if "$ref" in field:
        target = field["$ref"].rsplit("/", 1)[1]
        kind = target.rsplit(".", 1)[1]
        if kind in SCALAR_DEFINITIONS:
            return SCALAR_DEFINITIONS[kind]
        if "properties" in DEFINITIONS[target]:
            return "struct " + ".".join(target.split(".")[-3:])
        return "map of any" if "type" in DEFINITIONS[target] else "any"
    if type_of(field) == "array":
        return "list of " + expected_type(field["items"])
    if type_of(field) == "object":
        values = field.get("additionalProperties")
        return "map of " + (expected_type(values) if values else "any")
    if type_of(field) == "string":
        return FORMATS.get(field.get("format", ""), "string")
    return type_of(field) or "any"


def actual_type(shape: FieldShape) -> str:
    if shape.inner is not None:
        return ("list of " if shape.is_list else "map of ") + actual_type(shape.inner)
    if shape.model is None:
        return shape.scalar
    group, version = shape.model.__module__.rsplit(".", 1)[1].rsplit("_", 1)
    return f"struct {group}.{version}.{shape.model.__name__}"


def differences(name: str, definition: dict[str, Any], model: type[BaseModel]) -> list[str]:
    found = dict(shapes(model))
    wrong = [
        f"{name}: {field} is not in the definition"
        for field in found.keys() - definition["properties"]
    ]
    required = set(definition.get("required", ()))
    atomic = definition.get("x-kubernetes-map-type", "")
    if getattr(model, "map_type", "") != atomic:
        wrong.append(f"{name}: map type is not {atomic!r}")
    for field_name, field in definition["properties"].items():
        if field_name not in found:
            wrong.append(f"{name}: {field_name} is missing")
            continue
        shape = found[field_name]
        is_required = field_name in required or _spec_with_required(name, definition, field_name)
        pairs = {
            "required": (shape.required, is_required),
            "type": (actual_type(shape), expected_type(field)),
            "list type": (shape.list_type, field.get("x-kubernetes-list-type", "")),
            "map keys": (shape.keys, tuple(field.get("x-kubernetes-list-map-keys", ()))),
            "patch strategy": (shape.patch_strategy, field.get("x-kubernetes-patch-strategy", "")),
            "merge key": (shape.merge_key, field.get("x-kubernetes-patch-merge-key", "")),
        }
        if "x-kubernetes-map-type" in field:
            pairs["map type"] = (shape.map_type, field["x-kubernetes-map-type"])
        wrong += [
            f"{name}.{field_name}: {what} is {is_!r}, not {should!r}"
            for what, (is_, should) in pairs.items()
            if is_ != should
        ]
    return wrong


def _spec_with_required(name: str, definition: dict[str, Any], field: str) -> bool:
    """A top-level spec whose struct has required fields must be given: see the models' rule."""
    if field != "spec" or "x-kubernetes-group-version-kind" not in definition:
        return False
    target = definition["properties"]["spec"].get("$ref", "/").rsplit("/", 1)[1]
    return bool(DEFINITIONS.get(target, {}).get("required"))


def test_every_stable_definition_has_a_model_that_says_the_same() -> None:
    assert len(STABLE) > 550
    wrong = [text for name, d in STABLE.items() for text in differences(name, d, model_of(name))]
    assert wrong == []


POD = "io.k8s.api.core.v1.PodSpec"


@pytest.mark.parametrize(
    ("field", "change", "said"),
    [
        ("containers", {"x-kubernetes-list-map-keys": ["image"]}, "map keys"),
        ("containers", {"x-kubernetes-list-type": "set"}, "list type"),
        ("containers", {"x-kubernetes-patch-merge-key": "image"}, "merge key"),
        ("volumes", {"x-kubernetes-patch-strategy": "merge"}, "patch strategy"),
        ("nodeName", {"type": ["integer", "null"]}, "type"),
        ("nodeSelector", {"x-kubernetes-map-type": "granular"}, "map type"),
        ("brandNew", {"type": "string"}, "missing"),
    ],
    ids=["keys", "list type", "merge key", "strategy", "type", "map type", "new field"],
)
def test_the_comparison_notices_a_changed_definition(
    field: str, change: dict[str, Any], said: str
) -> None:
    definition = json.loads(json.dumps(DEFINITIONS[POD]))
    definition["properties"].setdefault(field, {}).update(change)
    (difference,) = differences(POD, definition, model_of(POD))
    assert said in difference


def test_the_comparison_notices_a_field_that_became_required() -> None:
    definition = {**DEFINITIONS[POD], "required": ["containers", "nodeName"]}
    (difference,) = differences(POD, definition, model_of(POD))
    assert "required" in difference


def test_constants_name_the_kind_they_are_in() -> None:
    for name, definition in STABLE.items():
        kinds = definition.get("x-kubernetes-group-version-kind", ())
        if len(kinds) != 1 or "kind" not in definition["properties"]:
            continue
        fields = model_of(name).model_fields
        group, version = kinds[0]["group"], kinds[0]["version"]
        assert fields["kind"].default == kinds[0]["kind"]
        assert fields["api_version"].default == (f"{group}/{version}" if group else version)


def test_the_committed_files_are_what_the_generator_makes() -> None:
    command = [sys.executable, str(ROOT / "tools" / "generate_types.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_prose_of_the_source_is_committed() -> None:
    texts = [p.read_text() for p in (ROOT / "busk8s" / "api" / "types").glob("*_v*.py")]
    texts.append((ROOT / "busk8s" / "api" / "types" / "definitions.json").read_text())
    assert not any('"description":"' in text for text in texts)
    assert not any("More info" in text for text in texts)
