"""Who may do what, until RBAC comes: a few fixed rules, then the node authoriser, then no.

Owns      the order of the rules.
Leaves    what a node may see (node_authz), what it may change of it (admission.node_restriction),
          the wording of a refusal (refusals).
"""

from __future__ import annotations

from busk8s.api.request import ANONYMOUS
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.authn import AUTHENTICATED, MASTERS
from busk8s.master.apiserver.node_authz import NodeAuthorizer, node_of

# Differs from Kubernetes: RBAC is not there yet, so these two may do everything rather than what
# their ClusterRoles list.
TRUSTED = frozenset({"system:kube-scheduler", "system:kube-controller-manager"})
PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version")
DISCOVERY_PATHS = (*PUBLIC_PATHS, "/api", "/apis", "/openapi", "/.well-known/openid-configuration")
NO_RULE = ""  # Nobody allowed it: there is no more to say than that it is forbidden.
# What system:basic-user grants: asking about oneself.
SELF_REVIEWS = frozenset(
    {"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}
)


class ClusterAuthorizer:
    """`authorize` gives None, or why not; the sentence around it is refusals.access_denied's."""

    def __init__(self, nodes: NodeAuthorizer) -> None:
        self._nodes = nodes

    def authorize(self, attributes: Attributes) -> str | None:
        user = attributes.user
        if MASTERS in user.groups or user.name in TRUSTED:
            return None
        if attributes.resource is None:
            paths = DISCOVERY_PATHS if AUTHENTICATED in user.groups else PUBLIC_PATHS
            return None if _under(attributes.path, paths) else NO_RULE
        node = node_of(user)
        if node is not None:
            return self._nodes.authorize(node, attributes)
        if attributes.verb == "create" and attributes.plural in SELF_REVIEWS:
            return None if user.name != ANONYMOUS.name else NO_RULE
        return NO_RULE


def _under(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)
