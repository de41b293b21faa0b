"""Who may do what: administrators everything, nodes by what runs on them, everybody by roles.

Owns      the order of the authorisers; the first that allows decides.
Leaves    what a node may see (node_authz), roles (rbac), what a node may change of it
          (admission.node_restriction), the wording of a refusal (refusals).
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.api.object import Json
from busk8s.api.request import User
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.authn import MASTERS
from busk8s.master.apiserver.node_authz import NodeAuthorizer, node_of
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.rules import render


class ClusterAuthorizer:
    """`authorize` gives None, or why not; the sentence around it is refusals.access_denied's."""

    def __init__(self, nodes: NodeAuthorizer, rbac: RbacAuthorizer) -> None:
        self._nodes = nodes
        self._rbac = rbac

    def authorize(self, attributes: Attributes) -> str | None:
        user = attributes.user
        if MASTERS in user.groups:
            return None
        why_node = ""
        if attributes.resource is not None and (node := node_of(user)) is not None:
            found = self._nodes.authorize(node, attributes)
            if found is None:
                return None
            why_node = found
        why = self._rbac.authorize(attributes)
        if why is None or not why_node:
            return why
        return f"{why_node}\n{why}" if why else why_node

    def granted_by(self, attributes: Attributes) -> str:
        """What an access review says of a request that is allowed; "" when there is no more."""
        if MASTERS in attributes.user.groups:
            return ""
        node = node_of(attributes.user) if attributes.resource is not None else None
        if node is not None and self._nodes.authorize(node, attributes) is None:
            return ""  # The node authoriser says no more than yes.
        return self._rbac.granter(attributes)

    def rules_of(self, user: User, namespace: str) -> tuple[Sequence[Json], Sequence[str]]:
        """The rules `user` holds in `namespace`, and why the list may not be all."""
        held, missing = self._rbac.rules_of(user, namespace)
        if node_of(user) is not None:
            missing = ["node authorizer does not support user rule resolution", *missing]
        return [render(rule) for rule in held], missing
