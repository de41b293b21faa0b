"""An operator as its users write them, run by `kopf run`: every kind of handler once."""

from __future__ import annotations

import os
from typing import Any

import kopf
from kubernetes import client, config

KIND = ("garden.example.com", "v1", "flowers")


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    pem = os.environ["HOOK_PEM"]
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1", host="127.0.0.1", certfile=pem, pkeyfile=pem, cafile=pem
    )
    settings.admission.managed = "garden.example.com"
    settings.peering.name = "gardeners"
    settings.peering.mandatory = True


@kopf.on.create(*KIND, backoff=1)
def planted(name: str, namespace: str, spec: Any, patch: kopf.Patch, **_: Any) -> dict[str, str]:
    pot = {"metadata": {"name": f"{name}-pot"}, "data": {"color": spec["color"]}}
    kopf.adopt(pot)
    config.load_kube_config()
    client.CoreV1Api().create_namespaced_config_map(namespace, pot)
    patch.status["phase"] = "planted"
    return {"pot": f"{name}-pot"}


@kopf.on.update(*KIND, field="spec.petals")
def grown(old: int, new: int, patch: kopf.Patch, **_: Any) -> None:
    patch.status["grown"] = f"{old} to {new}"


@kopf.on.resume(*KIND)
def remembered(patch: kopf.Patch, **_: Any) -> None:
    patch.status["remembered"] = True


@kopf.on.delete(*KIND, backoff=1)
def picked(name: str, namespace: str, **_: Any) -> None:
    config.load_kube_config()
    body = {"metadata": {"name": f"{name}-was-here"}}
    client.CoreV1Api().create_namespaced_config_map(namespace, body)


@kopf.timer(*KIND, interval=0.3)
def watered(status: Any, patch: kopf.Patch, **_: Any) -> None:
    patch.status["watered"] = status.get("watered", 0) + 1


@kopf.on.mutate(*KIND)
def colored(spec: Any, patch: kopf.Patch, **_: Any) -> None:
    if "color" not in spec:
        patch.spec["color"] = "blue"


@kopf.on.validate(*KIND, operation="CREATE")
def judged(spec: Any, warnings: list[str], **_: Any) -> None:
    warnings.append("flowers need water")
    if spec.get("petals") == 13:
        raise kopf.AdmissionError("thirteen petals are unlucky", code=418)
