"""Generate busk8s/api/types from the OpenAPI definitions that kubernetes-validate carries.

    python tools/generate_types.py            write the files
    python tools/generate_types.py --check    fail when the committed files differ

Owns      which definitions are taken (stable group versions and all they refer to), how names and
          types are turned into Python, and `definitions.json` for the OpenAPI documents.
Leaves    the markers (busk8s/api/types/markers.py), which are written by hand.
Invariant the output depends on the installed package alone, and holds none of its prose.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

RELEASE = "v1.37.0"
TARGET = Path(__file__).resolve().parent.parent / "busk8s" / "api" / "types"
STABLE = re.compile(r"^v[0-9]+$")
APIMACHINERY = "io.k8s.apimachinery.pkg."
# Definitions that are one value, not a struct: the Python type that stands for each.
SCALARS = {
    APIMACHINERY + "api.resource.Quantity": "Quantity",
    APIMACHINERY + "apis.meta.v1.Time": "Time",
    APIMACHINERY + "apis.meta.v1.MicroTime": "MicroTime",
    APIMACHINERY + "util.intstr.IntOrString": "IntOrString",
}
# Attributes of pydantic's BaseModel, and types in annotations, that a field must not hide.
_BASE_ATTRIBUTES = {"copy", "dict", "json", "schema", "validate", "construct"}
TAKEN = _BASE_ATTRIBUTES | {"bool", "float", "int", "str"}
HEAD = '''"""Kubernetes {group} {version}, made by tools/generate_types.py; not to be edited."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

{imports}from busk8s.api.types.markers import (
    AnyJson,
    Base64,
    IntOrString,
    ListType,
    MapType,
    MicroTime,
    Model,
    PatchMerge,
    Quantity,
    Time,
)

__all__ = [
{names}]

'''

Definition = dict[str, Any]


@dataclass(frozen=True)
class Home:
    """Where a definition's class lives."""

    module: str
    group: str
    version: str
    name: str


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    wanted = render(load())
    stale = sorted(name for name, text in wanted.items() if _committed(name) != text)
    kept = {"__init__.py", "markers.py", "wire.json", *wanted}  # wire.json: generate_wire.py
    extra = sorted(p.name for p in TARGET.iterdir() if p.is_file() and p.name not in kept)
    if check:
        for name in stale + extra:
            print(f"{TARGET / name} differs from what the generator makes", file=sys.stderr)
        return 1 if stale or extra else 0
    for name in stale:
        (TARGET / name).write_text(wanted[name])
    for name in extra:
        (TARGET / name).unlink()
    return 0


def load() -> dict[str, Definition]:
    """The definitions of the stable group versions and all they refer to, by full name."""
    source = files("kubernetes_validate") / "kubernetes-json-schema" / f"{RELEASE}-local"
    everything = json.loads((source / "_definitions.json").read_text())["$defs"]
    taken: dict[str, Definition] = {}
    queue = [name for name in everything if _is_root(name)]
    while queue:
        name = queue.pop()
        if name not in taken:
            taken[name] = everything[name]
            queue.extend(_references(everything[name]))
    return {name: bare(taken[name]) for name in sorted(taken)}


def _is_root(name: str) -> bool:
    home = home_of(name)
    return bool(STABLE.match(home.version)) and home.module != ""


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    own = [_target(node["$ref"])] if isinstance(node.get("$ref"), str) else []
    return own + [name for value in node.values() for name in _references(value)]


def _target(reference: str) -> str:
    return reference.rsplit("/", 1)[1]


def bare(definition: Definition) -> Definition:
    """The definition as the API server publishes it: no prose, no nulls, no enums of constants."""
    return {key: _bare_member(key, value) for key, value in definition.items() if key in _KEPT}


_KEPT = (
    "$ref", "type", "format", "items", "additionalProperties", "properties", "required", "oneOf",
    "x-kubernetes-group-version-kind", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type", "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key",
    "x-kubernetes-unions",
)  # fmt: skip


def _bare_member(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: bare(value[name]) for name in sorted(value)}
    if key == "type" and isinstance(value, list):
        return next(kind for kind in value if kind != "null")
    if key == "$ref":
        return "#/definitions/" + _target(value)
    if key == "oneOf":
        return [bare(choice) for choice in value]
    if key == "required":
        return sorted(value)
    if isinstance(value, dict) and key != "x-kubernetes-unions":
        return bare(value)
    return value


def home_of(name: str) -> Home:
    """`io.k8s.api.core.v1.Pod` -> module core_v1, class Pod; module "" when it has no home."""
    parts = name.split(".")
    group, version, kind = parts[-3], parts[-2], parts[-1]
    if not re.match(r"^v[0-9]", version):
        return Home("", "", version, kind)
    return Home(f"{group}_{version}", group, version, kind)


def render(definitions: dict[str, Definition]) -> dict[str, str]:
    """File name -> text, for the whole directory."""
    modules: dict[str, list[str]] = {}
    for name, definition in definitions.items():
        if is_struct(definition):
            modules.setdefault(home_of(name).module, []).append(name)
    out = {f"{module}.py": _module(names, definitions) for module, names in sorted(modules.items())}
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(definition, separators=(',', ':'))}"
        for name, definition in definitions.items()
    )
    out["definitions.json"] = "{\n" + lines + "\n}\n"
    return out


def is_struct(definition: Definition) -> bool:
    return "properties" in definition


def _module(names: list[str], definitions: dict[str, Definition]) -> str:
    home = home_of(names[0])
    others = {home_of(n).module for own in names for n in _references(definitions[own])
              if is_struct(definitions[n])} - {home.module}  # fmt: skip
    imports = f"from busk8s.api.types import {', '.join(sorted(others))}\n" if others else ""
    listed = "".join(f'    "{home_of(n).name}",\n' for n in names)
    head = HEAD.format(group=home.group, version=home.version, imports=imports, names=listed)
    ordered = _in_order(names, definitions)
    return head + "\n".join("\n" + _class(n, home.module, definitions) for n in ordered)


def _in_order(names: list[str], definitions: dict[str, Definition]) -> list[str]:
    """Each class after those its fields name, so that annotations need no later resolution."""
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in done or name in above or name not in own:
            return
        for reference in _references(definitions[name]):
            visit(reference, (*above, name))
        done[name] = None

    own = set(names)
    for name in names:
        visit(name, ())
    return list(done)


def _class(name: str, module: str, definitions: dict[str, Definition]) -> str:
    definition = definitions[name]
    lines = [f"class {home_of(name).name}(Model):"]
    if map_type := definition.get("x-kubernetes-map-type"):
        lines.append(f'    map_type: ClassVar[str] = "{map_type}"')
    required = set(definition.get("required", ()))
    for json_name, field in definition["properties"].items():
        annotation = _annotation(field, name, module, definitions)
        default = _default(json_name, field, name, definitions, json_name in required)
        if default == "None":
            annotation += " | None"
        annotation = _marked(annotation, field)
        field_name = python_name(json_name)
        alias = f'alias="{json_name}"' if field_name != json_name else ""
        lines.append(f"    {field_name}: {annotation}{_assignment(default, alias)}")
    return "\n".join(lines) + "\n"


def _assignment(default: str, alias: str) -> str:
    if default == "" or default in {"list", "dict"} or default.startswith("factory "):
        factory = default.removeprefix("factory ")
        parts = [f"default_factory={factory}"] if factory else []
    elif not alias:
        return f" = {default}"
    else:
        parts = [default]
    parts += [alias] if alias else []
    return f" = Field({', '.join(parts)})" if parts else ""


def _default(
    json_name: str,
    field: Definition,
    owner: str,
    definitions: dict[str, Definition],
    required: bool,
) -> str:
    """The Python text of a field's default; "" means required, "factory X" calls X."""
    top = definitions[owner].get("x-kubernetes-group-version-kind", ())
    if json_name in ("apiVersion", "kind") and len(top) == 1 and field.get("type") == "string":
        group, version, kind = top[0]["group"], top[0]["version"], top[0]["kind"]
        constant = kind if json_name == "kind" else f"{group}/{version}" if group else version
        return f'"{constant}"'
    if required:
        return ""
    if field.get("type") == "array":
        return "list"
    if field.get("type") == "object":
        return "dict"
    target = _target(field["$ref"]) if "$ref" in field else ""
    if json_name == "metadata" and target.endswith((".ObjectMeta", ".ListMeta")):
        return "factory " + _class_text(target, home_of(owner).module)
    if top and json_name in ("spec", "status") and is_struct(definitions.get(target, {})):
        if not definitions[target].get("required"):
            return "factory " + _class_text(target, home_of(owner).module)
        return "" if json_name == "spec" else "None"
    return "None"


def _class_text(name: str, module: str) -> str:
    home = home_of(name)
    return home.name if home.module == module else f"{home.module}.{home.name}"


def _annotation(
    field: Definition, owner: str, module: str, definitions: dict[str, Definition]
) -> str:
    if "$ref" in field:
        return _reference_text(_target(field["$ref"]), owner, module, definitions)
    kind = field.get("type")
    if kind == "array":
        return f"list[{_annotation(field['items'], owner, module, definitions)}]"
    if kind == "object":
        values = field.get("additionalProperties")
        inner = _annotation(values, owner, module, definitions) if values else "Any"
        return f"dict[str, {inner}]"
    return _scalar_text(field)


def _scalar_text(field: Definition) -> str:
    if field.get("type") == "string":
        return {"byte": "Base64", "date-time": "Time"}.get(field.get("format", ""), "str")
    return {"integer": "int", "number": "float", "boolean": "bool"}.get(
        field.get("type", ""), "AnyJson"
    )


def _reference_text(
    target: str, owner: str, module: str, definitions: dict[str, Definition]
) -> str:
    if target in SCALARS:
        return SCALARS[target]
    definition = definitions[target]
    if not is_struct(definition):
        return "dict[str, Any]" if definition.get("type") == "object" else "AnyJson"
    text = _class_text(target, module)
    # Only a class that contains itself needs its name as a string.
    return f'"{text}"' if target == owner else text


def _marked(annotation: str, field: Definition) -> str:
    markers = []
    if kind := field.get("x-kubernetes-list-type"):
        keys = tuple(field.get("x-kubernetes-list-map-keys", ()))
        markers.append(f'ListType("{kind}"{_tuple(keys)})')
    if kind := field.get("x-kubernetes-map-type"):
        markers.append(f'MapType("{kind}")')
    strategy = field.get("x-kubernetes-patch-strategy", "")
    key = field.get("x-kubernetes-patch-merge-key", "")
    if strategy or key:
        markers.append(f'PatchMerge("{strategy}"' + (f', "{key}")' if key else ")"))
    annotation = annotation.replace('"', "") if markers and '" | None' in annotation else annotation
    return f"Annotated[{', '.join([annotation, *markers])}]" if markers else _quoted(annotation)


def _quoted(annotation: str) -> str:
    """`"X" | None` cannot be evaluated; the whole must be the string."""
    return '"' + annotation.replace('"', "") + '"' if '"' in annotation else annotation


def _tuple(items: tuple[str, ...]) -> str:
    if not items:
        return ""
    inner = ", ".join(f'"{item}"' for item in items)
    return f", ({inner},)" if len(items) == 1 else f", ({inner})"


def python_name(json_name: str) -> str:
    """`clusterIPs` -> cluster_ips, `podCIDR` -> pod_cidr, `continue` -> continue_."""
    name = json_name.replace("$", "").replace("-", "_").replace("APIV3", "ApiV3")
    name = re.sub(r"([A-Z]{2,})s(?![a-z])", lambda match: match[1] + "S", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()
    return name + "_" if keyword.iskeyword(name) or name in TAKEN else name


def _committed(name: str) -> str | None:
    path = TARGET / name
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main())
