"""CustomResourceDefinitions: in which versions their objects were ever stored, what holds them."""

from __future__ import annotations

from busk8s.api.object import Json


def on_create(definition: Json) -> None:
    spec = definition["spec"]
    definition["status"] = {
        "conditions": [],
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored(spec),
    }


def on_update(definition: Json, old: Json) -> None:
    status = dict(definition.get("status") or {})
    known = list(status.get("storedVersions") or ())
    status["storedVersions"] = known + [v for v in stored(definition["spec"]) if v not in known]
    definition["status"] = status


def stored(spec: Json) -> list[str]:
    """The version that objects are stored in from now on."""
    return [each["name"] for each in spec.get("versions") or () if each.get("storage")]
