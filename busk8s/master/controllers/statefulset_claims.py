"""The claims of a StatefulSet's pods: made before them, kept or given up by policy. Pure.

Owns      names and labels of claims, how a pod mounts them, who owns a claim.
Leaves    when a pod is made or ended (statefulset_plan), deletion of what is owned (garbage).
Invariant a claim is never deleted here: it is given an owner, whose end takes it along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from busk8s.api.object import Json, Object
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS
from busk8s.master.controllers.actions import Create, Patch, Told
from busk8s.master.controllers.children import controller_of, controller_reference, spec_of

Claims = Mapping[str, Object]  # By name.


def templates_of(sts: Object) -> list[Json]:
    return list(spec_of(sts).get("volumeClaimTemplates") or ())


def claim_names(sts: Object, ordinal: int) -> list[str]:
    return [_name(sts, template, ordinal) for template in templates_of(sts)]


def is_claim_of(sts: Object, name: str) -> bool:
    """Whether a claim of that name is, or would be, one of a member."""
    for template in templates_of(sts):
        number = name.removeprefix(f"{template['metadata']['name']}-{sts.name}-")
        if number != name and number.isdecimal():
            return True
    return False


def missing_claims(sts: Object, ordinal: int, pod: str, claims: Claims) -> list[Create]:
    return [
        _create(sts, template, ordinal, pod)
        for template in templates_of(sts)
        if _name(sts, template, ordinal) not in claims
    ]


def claims_going(sts: Object, ordinal: int, claims: Claims) -> bool:
    """A claim on its way out would take the new pod's data along: wait until it is gone."""
    return any(name in claims and claims[name].deleting for name in claim_names(sts, ordinal))


def with_volumes(sts: Object, ordinal: int, spec: Json) -> Json:
    """The pod's spec with a volume for each claim, in place of those of the same name."""
    templates = templates_of(sts)
    if not templates:
        return spec
    volumes = [
        {
            "name": template["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": _name(sts, template, ordinal)},
        }
        for template in templates
    ]
    names = {volume["name"] for volume in volumes}
    others = [volume for volume in spec.get("volumes") or () if volume.get("name") not in names]
    return {**spec, "volumes": [*volumes, *others]}


def owner_patches(
    sts: Object, pods: Mapping[int, Object], members: range, claims: Claims
) -> list[Patch]:
    """What makes the owners of the claims of existing pods those that the policy asks for."""
    return list(_owner_patches(sts, pods, members, claims))


def _owner_patches(
    sts: Object, pods: Mapping[int, Object], members: range, claims: Claims
) -> Iterator[Patch]:
    policy = spec_of(sts).get("persistentVolumeClaimRetentionPolicy") or {}
    with_set = policy.get("whenDeleted") == "Delete"
    with_pod = policy.get("whenScaled") == "Delete"
    for ordinal, pod in pods.items():
        condemned = with_pod and ordinal not in members
        owner = pod if condemned else sts if with_set else None
        for name in claim_names(sts, ordinal):
            claim = claims.get(name)
            if claim is None or claim.deleting or _is_others(claim, (sts, pod)):
                continue
            before = claim.metadata.get("ownerReferences") or []
            mine = {sts.uid, pod.uid}
            after = [reference for reference in before if reference.get("uid") not in mine]
            if owner is not None:
                after.append(controller_reference(owner))
            if after != before:
                marks = {"ownerReferences": after, "resourceVersion": str(claim.revision)}
                yield Patch(claim, {"metadata": marks})


def _is_others(claim: Object, mine: Iterable[Object]) -> bool:
    """Somebody else answers for the claim: it is left alone."""
    owner = controller_of(claim)
    return owner is not None and owner["uid"] not in {each.uid for each in mine}


def _name(sts: Object, template: Json, ordinal: int) -> str:
    return f"{template['metadata']['name']}-{sts.name}-{ordinal}"


def _create(sts: Object, template: Json, ordinal: int, pod: str) -> Create:
    given = template.get("metadata") or {}
    selected = (spec_of(sts).get("selector") or {}).get("matchLabels") or {}
    metadata: Json = {"name": _name(sts, template, ordinal), "namespace": sts.namespace}
    if labels := {**(given.get("labels") or {}), **selected}:
        metadata["labels"] = labels
    for field in ("annotations", "finalizers"):
        if given.get(field):
            metadata[field] = given[field]
    policy = spec_of(sts).get("persistentVolumeClaimRetentionPolicy") or {}
    if policy.get("whenDeleted") == "Delete":
        metadata["ownerReferences"] = [controller_reference(sts)]
    data = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
    where = f"Claim {{name}} Pod {pod} in StatefulSet {sts.name}"
    told = Told(
        sts,
        success=("SuccessfulCreate", f"create {where} success"),
        failure=("FailedCreate", f"create {where} failed error: {{error}}"),
    )
    return Create(PERSISTENTVOLUMECLAIMS, data, told)
