"""DaemonSets: how often their template changed, kept where older clients look for it.

Source    pkg/registry/apps/daemonset/strategy.go, pkg/apis/apps/v1/conversion.go.
"""

from __future__ import annotations

from busk8s.api.object import Json

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def on_create(daemon_set: Json) -> None:
    _note(daemon_set, max(_noted(daemon_set), 1))


def on_update(daemon_set: Json, old: Json) -> None:
    """The count is the system's, whatever a client says."""
    changed = daemon_set["spec"].get("template") != old["spec"].get("template")
    _note(daemon_set, max(_noted(old), 1) + changed)


def _noted(daemon_set: Json) -> int:
    text = (daemon_set["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _note(daemon_set: Json, count: int) -> None:
    metadata = daemon_set["metadata"]
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        TEMPLATE_GENERATION: str(count),
    }
