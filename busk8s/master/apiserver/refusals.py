"""The words of a denied access, as upstream says them."""

from __future__ import annotations

from busk8s import errors
from busk8s.master.apiserver.attributes import Attributes, target

# Keys of annotations in the audit log.
DECISION = "authorization.k8s.io/decision"
REASON = "authorization.k8s.io/reason"


def forbidden_by(reason: str) -> dict[str, str]:
    """What the audit log tells of a request that authorisation refused."""
    return {DECISION: "forbid", REASON: reason}


def access_denied(attributes: Attributes, reason: str) -> errors.Error:
    """403 for what the authoriser refused because of `reason` (may be empty)."""
    user, verb, resource = attributes.user.name, attributes.verb, attributes.resource
    tail = f": {reason}" if reason else ""
    if resource is None:
        path = attributes.path
        message = f'forbidden: User "{user}" cannot {verb} path "{path}"{tail}'
        return errors.Error(403, "Forbidden", message, generic=True)
    plural = resource.plural
    if attributes.subresource:
        plural = f"{plural}/{attributes.subresource}"
    namespace, name = target(attributes)
    scope = f'in the namespace "{namespace}"'
    if not namespace:
        scope = "at the cluster scope"
    why = (
        f'User "{user}" cannot {verb} resource "{plural}" in API group "{resource.group}" '
        f"{scope}{tail}"
    )
    return errors.forbidden(resource.plural, name, why, group=resource.group)
