"""What events of a pod are about, and the recorder that takes them (client/recorder.py)."""

from __future__ import annotations

from typing import Literal, Protocol

from busk8s.api.object import Json
from busk8s.worker.kubelet.pods import Pod

EventType = Literal["Normal", "Warning"]


class Recorder(Protocol):
    def event(self, about: Json, type_: EventType, reason: str, message: str) -> None:
        """`about` is an ObjectReference. Never waits, never fails."""
        ...


def pod_reference(pod: Pod, container: str = "") -> Json:
    reference: Json = {
        "kind": "Pod",
        "apiVersion": "v1",
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "resourceVersion": str(pod.metadata.get("resourceVersion", "")),
    }
    if spec := pod.container(container):
        reference["fieldPath"] = f"spec.{spec.field}{{{container}}}"
    return reference
