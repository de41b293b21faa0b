"""Reads field numbers from published Kubernetes sources into busk8s/api/types/wire.json.

Usage: python tools/generate_wire.py API APIMACHINERY APIEXTENSIONS AGGREGATOR

The arguments are checkouts of the public repositories kubernetes/api, kubernetes/apimachinery,
kubernetes/apiextensions-apiserver and kubernetes/kube-aggregator. Only facts are
taken: numbers, names, types, and whether Go keeps a zero (a pointer) or leaves it out.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

OUT = Path(__file__).parent.parent / "busk8s" / "api" / "types" / "wire.json"
GROUPS = tuple(
    f"{name}/v1"
    for name in (
        "admissionregistration", "apps", "authentication", "authorization", "autoscaling", "batch",
        "certificates", "coordination", "core", "discovery", "events", "flowcontrol", "networking",
        "node", "policy", "rbac", "resource", "scheduling", "storage",
    )
)  # fmt: skip
EXTENSIONS, AGGREGATOR = "pkg/apis/apiextensions/v1", "pkg/apis/apiregistration/v1"
MORE_GROUPS = ("autoscaling/v2", "scheduling/v1alpha3", "storagemigration/v1")
MACHINERY = ("pkg/apis/meta/v1", "pkg/api/resource", "pkg/runtime", "pkg/util/intstr")

_MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.M | re.S)
_FIELD = re.compile(r"^\s+(optional|repeated|map<string, ([\w.]+)>) ?([\w.]*) (\w+) = (\d+)", re.M)
_STRUCT = re.compile(r"^type (\w+) struct \{(.*?)^\}", re.M | re.S)
_TAG = re.compile(r'^\s+(?:\w+\s+)?(\S+)\s+`json:"([^"]*)"[^`\n]*protobuf:"\w+,(\d+),', re.M)


def package_of(path: str) -> str:
    """Short names: `core.v1` for k8s.io.api.core.v1, `meta.v1` for the machinery's."""
    for long in (
        "k8s.io.api.",
        "k8s.io.apimachinery.pkg.apis.",
        "k8s.io.apimachinery.pkg.api.",
        "k8s.io.apiextensions_apiserver.pkg.apis.",
        "k8s.io.kube_aggregator.pkg.apis.",
    ):
        path = path.replace(long, "")
    return path.replace("k8s.io.apimachinery.pkg.", "").removeprefix("util.")


def go_facts(directory: Path) -> dict[tuple[str, int], tuple[str, bool, bool]]:
    """(struct, number) -> (JSON name, is a pointer, is left out when empty)."""
    facts = {}
    for source in sorted(directory.glob("*.go")):
        if source.name.endswith(("_test.go", "generated.go")):
            continue
        for struct, body in _STRUCT.findall(source.read_text()):
            for kind, tag, number in _TAG.findall(body):
                name, *options = tag.split(",")
                facts[struct, int(number)] = (name, kind.startswith("*"), "omitempty" in options)
    return facts


def messages(directory: Path) -> tuple[str, dict[str, list[str]]]:
    """(package, message -> fields), a field as `name number label type flags`."""
    text = (directory / "generated.proto").read_text()
    declared = re.search(r"^package (\S+);", text, re.M)
    assert declared, directory
    package = package_of(declared[1])
    go = go_facts(directory)
    found: dict[str, list[str]] = {}
    for message, body in _MESSAGE.findall(re.sub(r"//.*", "", text)):
        fields = []
        for label, value, kind, name, number in _FIELD.findall(body):
            json_name, pointer, omit = go.get((message, int(number)), (name, False, True))
            kind = value or kind
            if "." in kind:
                kind = package_of(kind.lstrip("."))
            elif kind[0].isupper():
                kind = f"{package}.{kind}"
            inline = not json_name
            flags = ("p" if pointer else "") + ("o" if omit else "") + ("i" if inline else "")
            short = {"optional": "1", "repeated": "n"}.get(label, "m")
            if json_name in ("", "-"):
                json_name = name
            fields.append(f"{json_name} {number} {short} {kind} {flags}".strip())
        found[message] = fields
    return package, found


def main(api: Path, machinery: Path, extensions: Path, aggregator: Path) -> None:
    directories = [api / group for group in GROUPS + MORE_GROUPS] + [
        machinery / part for part in MACHINERY
    ]
    directories += [extensions / EXTENSIONS, aggregator / AGGREGATOR]
    table = dict(messages(directory) for directory in directories)
    OUT.write_text(json.dumps(table, indent=0, sort_keys=True).replace("\n", "") + "\n")
    print(f"{OUT.name}: {sum(map(len, table.values()))} messages, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
